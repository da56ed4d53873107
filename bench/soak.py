"""A thousand grades in a row: does anything grow?"""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench import machine
from bench.inside import Inside
from bench.references import references
from bench.rows import Part, row
from bench.stage import Stage
from bench.timing import Failed
from exam_cli.grading import pool
from exam_cli.grading.predictor import predictor_needs
from exam_cli.grading.scorer import SCORER_NEEDS
from exam_cli.grading.served import Server, Serving

_GRADES = 1000
_SETTLED = 200  # grades after which nothing is allocated for the first time any more
_ABOUT = f"""\
One process makes {_GRADES} grades, the five references in turn: of ten, one in fresh containers,
one in such as waited, eight as in a class. What is open, resident or there after {_SETTLED} grades
is taken from what is at the end. The engine's memory goes up and down by itself."""


@dataclass(frozen=True)
class _Now:
    """What there is at one moment."""

    descriptors: int
    megabytes: float
    engine_descriptors: int
    engine_megabytes: float
    containers: int
    volumes: int
    files: int


def measure(stage: Stage) -> Part:
    """Grade, and look twice."""
    refs = references(stage)
    inside = Inside(stage, refs)
    environment = inside.environment
    settled = None
    with Server(environment, "predictor") as predictor, Server(environment, "scorer") as scorer:
        serving = Serving(predictor, scorer, lambda: False)
        for number in range(_GRADES):
            section = refs.sections[number // 10 % len(refs.sections)]
            if number % 10 == 1:
                needs = {"predictor": predictor_needs(section), "scorer": SCORER_NEEDS}
                pool.fill(environment, needs)
            verdict = inside.grade(section, serving if number % 10 > 1 else None)
            if verdict.status != "scored":
                raise Failed(f"Grade {number}: {verdict.message}")
            if number % 100 == 99:
                stage.say(f"{number + 1} of {_GRADES} grades: {_now(stage)}")
            if number + 1 == _SETTLED:
                settled = _now(stage)
        end = _now(stage)
    assert settled is not None, "there are more grades than that"
    limits = {"megabytes": 5.0, "engine_megabytes": None}
    rows = [
        row(
            f"{name.replace('_', ' ')} more after {_GRADES} grades than after {_SETTLED}",
            [value - getattr(settled, name)],
            "MB" if "megabytes" in name else "count",
            at_most=limits.get(name, 0),
            note=f"{value:.0f} at the end",
        )
        for name, value in vars(end).items()
    ]
    return Part("soak", "A thousand grades", _ABOUT, tuple(rows))


def _now(stage: Stage) -> _Now:
    engine = subprocess.run(["pidof", "-s", "dockerd"], capture_output=True, text=True, check=False)
    pid = int(engine.stdout or 0)
    volumes = subprocess.run(
        [stage.docker, "volume", "ls", "-q"], capture_output=True, text=True, check=True
    )
    return _Now(
        descriptors=_descriptors(os.getpid()),
        megabytes=machine.resident_bytes(os.getpid()) / 1e6,
        engine_descriptors=_descriptors(pid) if pid else 0,
        engine_megabytes=machine.resident_bytes(pid) / 1e6,
        containers=len(stage.engine.find({"exam.bench": "inside"})),
        volumes=len(volumes.stdout.split()),
        files=sum(1 for _ in Path(tempfile.gettempdir()).iterdir()),
    )


def _descriptors(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
