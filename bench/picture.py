"""Draw curves with the workspace image's matplotlib: nothing to install, and always the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from bench import timing
from bench.stage import PYTHON, Stage
from bench.store import RESULTS


@dataclass(frozen=True)
class Series:
    """A curve: its name, and for each x the values that were measured there."""

    name: str
    points: tuple[tuple[float, list[float]], ...]


def draw(
    stage: Stage,
    name: str,
    title: str,
    x: str,
    y: str,
    series: Sequence[Series],
    *,
    logarithmic: bool = True,
) -> None:
    """Write a picture beside the table; with `logarithmic` y grows by factors, as x always does."""
    place = stage.work / "picture"
    place.mkdir(exist_ok=True)
    told = {"title": title, "x": x, "y": y, "logarithmic": logarithmic}
    told["series"] = [asdict(one) for one in series]
    (place / "told.json").write_text(json.dumps(told))
    line = stage.docker_run(
        stage.images.workspace, PYTHON, "/programs/draw.py", "/data/told.json", data=place
    )
    (RESULTS / name).write_text(timing.run(line).out)
