"""Every edition: how large its images are, and what the five references reach on it.

Part of `IMAGES=1`: an edition that is not built yet is built first, and timed.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.rows import Part, Row, row
from bench.stage import Stage
from exam_cli.config.edition import Edition, editions
from exam_cli.config.exam import load_exam
from exam_cli.images.build import architecture_of, ensure_images, present, references
from exam_cli.progress import SILENT
from exam_cli.sections.catalog import sections_of

# One seed, so that all editions are asked about the same rows but for section 3, whose pictures an
# edition's own Pillow decodes.
_EXAM = """\
exam: editions
duration: null
seed: "measured in the open"
"""
_ABOUT = """\
Each edition sat from nothing: `exam up --edition`, the reference of each section trained in its
workspace, graded on the probe set. A build is timed where there was none of the edition before;
packages are in the cache then, and layers that editions share are, too."""


def measure(stage: Stage) -> Part:
    """Sit every edition that exists for this engine's architecture."""
    here = architecture_of(stage.engine)
    rows: list[Row] = []
    for edition in editions():
        if here in edition.architectures:
            rows += _sat(stage, edition)
    return Part("editions", "The editions", _ABOUT, tuple(rows))


def _sat(stage: Stage, edition: Edition) -> Iterator[Row]:
    name = edition.edition
    names = references(edition, architecture_of(stage.engine))
    if not all(present(stage.engine, names).values()):
        stage.say(f"building {name}")
        started = time.monotonic()
        ensure_images(stage.engine, edition, SILENT)
        yield row(f"{name}: images built", [time.monotonic() - started])
    for role, image in present(stage.engine, names).items():
        assert image is not None, "built above"
        yield row(f"{name}: {role} image", [image.size / 1e9], "GB")
    exam = stage.work / "editions.yaml"
    exam.write_text(_EXAM)
    workspace = stage.work / name
    stage.say(f"a session of {name}")
    options = ("--workspace", workspace, "--exam", exam, "--edition", name, "--port", "0")
    stage.exam_json("up", *options)
    for section in sections_of(load_exam(str(exam))):
        stage.say(f"{name}: training the reference of {section.directory}")
        script = workspace / section.directory / "reference.py"
        shutil.copyfile(section.folder / "reference.py", script)
        started = time.monotonic()
        stage.exam("run", "--workspace", workspace, script)
        seconds = time.monotonic() - started
        told = _graded(stage, workspace, section.section)
        metric = told["metric"] or {"name": told["reason"], "value": float("nan")}
        yield row(
            f"{name}: score of {section.directory}'s reference",
            [told["score"] or 0],
            "count",
            at_least=5,
            note=f"{metric['name']} {metric['value']:.4g}, trained in {seconds:.0f} s",
        )
    stage.exam("down", "--workspace", workspace)


def _graded(stage: Stage, workspace: Path, section: int) -> Any:
    return stage.exam_json("grade", "--workspace", workspace, str(section))
