"""The time runs out on a real engine, with a model saved that nobody had graded."""

from __future__ import annotations

import math
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from exam_cli.engine.port import Engine
from exam_cli.images.build import Images
from exam_cli.paths import resource
from tests.engine.road import Road, candidate

pytestmark = pytest.mark.engine


def clock(road: Road) -> dict[str, Any]:
    found: dict[str, Any] = road.exam("status", "--json").json["clock"]
    return found


def test_what_was_saved_in_time_is_graded_and_what_came_after_is_not(
    docker_engine: Engine, edition_images: Images, tmp_path: Path
) -> None:
    rules = {
        "exam": "late",
        "duration": "1m",
        "late": "grade",
        "sections": [{"section": 1}, {"section": 4}],
    }
    (tmp_path / "exam.yaml").write_text(yaml.safe_dump(rules))
    with candidate(docker_engine, tmp_path, tmp_path / "home", "--exam", "exam.yaml") as road:
        assert road.exam("extra", "20m", "--reason", "a slow machine").status == 0
        section = road.workspace / "1-regression"
        shutil.copy(resource("sections", "1-regression", "baseline.py"), section)
        assert road.exam("run", str(section / "baseline.py")).status == 0
        # The time is up with the next whole minute.
        minutes = math.ceil((clock(road)["elapsed"] + 5) / 60)
        back = f"{21 - minutes}m"
        assert road.exam("extra", back, "--take-back", "--reason", "done").status == 0
        while clock(road)["seconds_left"]:
            time.sleep(0.2)
        shutil.copy(section / "model.keras", road.workspace / "4-nlp" / "model.keras")

        refused = road.exam("grade", "1")
        assert refused.status == 1 and "exam submit" in refused.err
        asked = road.exam("submit")
        assert "was saved in time" in asked.err and "after the time was up" in asked.err
        done = road.exam("submit", "--yes", "--json")
        assert done.status == 0, done
        first, second = done.json["sections"]
        assert first["attempt"] == 1 and first["grade"]["verdict"] == "scored"
        assert second["attempt"] is None and second["grade"] is None
        assert road.attempts(1) == [1] and road.attempts(4) == []
        assert road.problems() == []
        assert clock(road)["submitted"]
