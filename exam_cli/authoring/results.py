"""What a check measures, as objects, and where each result is kept.

One file a result under the cache directory, named by the hash of all that decides it: the layers
of the image (without our own programs, see `MEASURING`), dataset.py and its sources, the contract's
shapes, the metric, the one script, the seed. So a check that was interrupted goes on from there,
another seed trains only what is new, and other bands or another text train nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from exam_cli.config.section import Section
from exam_cli.config.values import plain
from exam_cli.engine.port import ImageInfo
from exam_cli.files import write_file
from exam_cli.paths import cache_dir

# Raise it when ladder.py, the predictor or a metric comes to measure something else: their text is
# not part of the key, so that a new comment there does not cost hours of training.
MEASURING = 1

DATA, SHUFFLED = "(data)", "(shuffled)"  # no names of rungs: those begin with a letter
SetName = Literal["probe", "final"]


@dataclass(frozen=True)
class Interval:
    """A metric on one hidden set, and its 95 % bootstrap interval over rows."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Measured:
    """One model: trained on one seed's files, measured on both hidden sets.

    Seconds of training leave out the import of TensorFlow; seconds of prediction are the slower
    set's, loading included. `cpus` are the cores that it had.
    """

    seed: int
    rung: str
    probe: Interval
    final: Interval
    train_seconds: float
    predict_seconds: float
    model_bytes: int
    cpus: float

    @property
    def mean(self) -> float:
        """The mean of both sets' metrics."""
        return (self.probe.value + self.final.value) / 2

    @property
    def sets(self) -> dict[SetName, Interval]:
        """Both sets by name."""
        return {"probe": self.probe, "final": self.final}


@dataclass(frozen=True)
class Broken:
    """A script that failed: where, its last words, and the file that has what it printed."""

    seed: int
    rung: str
    stage: str
    words: str
    log: Path | None


@dataclass(frozen=True)
class DataLook:
    """What one seed's data shows by itself; `images/programs/ladder.py` says what each means."""

    seed: int
    rows: dict[str, int]
    shared: int
    repeated: int
    in_train: int
    order: dict[str, float]
    rows_sha256: str
    train_bytes: int


Result = Measured | Broken | DataLook


@dataclass(frozen=True)
class Task:
    """One piece of work: a rung (or `DATA`, `SHUFFLED`) on one seed, and its result's file."""

    seed: int
    name: str
    script: str | None
    path: Path

    @property
    def shuffled(self) -> bool:
        """Whether the labels of the train files are shuffled first."""
        return self.name == SHUFFLED


def seed_bytes(number: int) -> bytes:
    """Return the 32 bytes of check seed 1, 2, ...: the same for everybody, and secret to nobody."""
    return hashlib.sha256(f"check {number}".encode()).digest()


def data_key(section: Section, seed: int) -> str:
    """Return the hash of all that decides a seed's data."""
    return _digest(
        _sha(section.folder / "dataset.py"),
        [_without(source, "licence", "credit") for source in section.sources],
        section.directory,
        seed,
    )


def layers_that_matter(workspace: ImageInfo, grader: ImageInfo) -> tuple[str, ...]:
    """Return the workspace image's layers without the one of our programs: the grader's last."""
    return tuple(layer for layer in workspace.layers if layer != grader.layers[-1])


def task_of(
    section: Section, layers: Sequence[str], seed: int, name: str, script: str | None
) -> Task:
    """Return a piece of work with the file of its result; `layers` are those that matter.

    Raises OSError for a missing script.
    """
    inputs = [_without(form, "description") for form in section.contract.inputs]
    own_metric = _sha(section.folder / section.metric.file) if section.metric.file else None
    key = _digest(
        MEASURING,
        list(layers),
        data_key(section, seed),
        inputs,
        list(section.contract.output.shape),
        [section.metric.name, own_metric],
        name if name in (DATA, SHUFFLED) else "rung",
        _sha(section.folder / f"{script}.py") if script else None,
    )
    return Task(seed, name, script, cache_dir() / "ladder" / "results" / f"{key}.json")


def keep(task: Task, told: dict[str, Any], cpus: float) -> None:
    """Write down what the container told. Raises OSError."""
    task.path.parent.mkdir(parents=True, exist_ok=True)
    write_file(task.path, json.dumps({**told, "cpus": cpus}).encode())


def kept(task: Task) -> Result | None:
    """Return a result that was kept, or None; a damaged file counts as none."""
    try:
        told = json.loads(task.path.read_bytes())
        return result_of(task, told, told["cpus"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def result_of(task: Task, told: dict[str, Any], cpus: float) -> Result:
    """Return what the container told, as an object. Raises KeyError or TypeError for nonsense."""
    if told["kind"] == "broken":
        log = Path(told["log"]) if told.get("log") else None
        return Broken(task.seed, task.name, told["stage"], told["words"], log)
    if told["kind"] == "data":
        fields = ("rows", "shared", "repeated", "in_train", "order", "rows_sha256", "train_bytes")
        return DataLook(task.seed, **{field: told[field] for field in fields})
    return Measured(
        seed=task.seed,
        rung=task.name,
        probe=Interval(**told["probe"]),
        final=Interval(**told["final"]),
        train_seconds=told["train_seconds"],
        predict_seconds=told["predict_seconds"],
        model_bytes=told["model_bytes"],
        cpus=cpus,
    )


def as_json(result: Measured) -> dict[str, Any]:
    """Return a result as plain values."""
    return asdict(result)


def _without(value: object, *names: str) -> dict[str, Any]:
    return {name: one for name, one in plain(value).items() if name not in names}


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:40]
