"""The images: how large they are, and what building them takes against the naive way."""

from __future__ import annotations

import importlib

from bench.rows import Part, row
from bench.stage import Stage

_ABOUT = """\
As the engine counts them, unpacked. What the images are made of, what was left out of them and how
long they build against a naive Dockerfile is in [images.md](images.md)."""


def measure(stage: Stage) -> Part:
    """Weigh the images; build them, too, if that was asked for."""
    if stage.build:
        importlib.import_module("bench.images").measure(max(2, stage.rounds // 2))
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
    )
    return Part("sizes", "The images", _ABOUT, rows)
