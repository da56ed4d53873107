"""The images: how large they are, and what building them takes against the naive way."""

from __future__ import annotations

import importlib
import re

from bench.rows import Part, Row, row
from bench.stage import Stage
from bench.store import RESULTS
from bench.timing import Failed, ratios

_PAGE = "images.md"
# A row of its first table: | name | median | every round's seconds | what ours takes of it |
_BUILD = re.compile(r"^\| (ours|naive)([^|]*)\| [\d.]+ \| ([\d., ]+) \| [\d.]+ \|$", re.MULTILINE)
_ABOUT = f"""\
As the engine counts them, unpacked. Builds are without cache and with all that is installed at
hand; what the naive Dockerfiles are, what the images are made of and what was left out of them is
in [{_PAGE}]({_PAGE}), which `make bench IMAGES=1` measures anew."""


def measure(stage: Stage) -> Part:
    """Weigh the images; build them, too, if that was asked for."""
    if stage.build:
        stage.say("building images, ours and the naive one: many minutes")
        try:
            page = importlib.import_module("bench.images").measure(max(2, stage.rounds // 2))
        except SystemExit as error:
            raise Failed(str(error)) from error
        (RESULTS / _PAGE).write_text(page)
    grader = stage.engine.image(stage.images.grader)
    workspace = stage.engine.image(stage.images.workspace)
    assert grader is not None and workspace is not None, "the stage has built them"
    shared = len(set(grader.layers) & set(workspace.layers))
    rows = (
        row("grader image", [grader.size / 1e9], "GB", at_most=1.25),
        row(
            "workspace image on top of it",
            [(workspace.size - grader.size) / 1e9],
            "GB",
            at_most=0.6,
            note=f"{shared} of the grader's {len(grader.layers)} layers are shared",
        ),
        *_builds((RESULTS / _PAGE).read_text() if (RESULTS / _PAGE).exists() else ""),
    )
    return Part("sizes", "The images", _ABOUT, rows)


def _builds(page: str) -> list[Row]:
    """Return what the page of the images says of building them: ours, and over each naive way."""
    found = {
        (side + name).strip(): [float(one) for one in every.split(",")]
        for side, name, every in _BUILD.findall(page)
    }
    ours = next((seconds for name, seconds in found.items() if name.startswith("ours")), [])
    rows = [row(f"image build, {name}", seconds) for name, seconds in found.items()]
    for name, seconds in found.items():
        if name.startswith("naive") and len(seconds) == len(ours):
            over = ratios(ours, seconds)
            rows.append(row(f"image build over {name}", over, "x", at_most=0.25))
    return rows
