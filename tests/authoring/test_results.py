"""A result is kept under all that decides it, and under nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from exam_cli.authoring.results import (
    SHUFFLED,
    Broken,
    Measured,
    keep,
    kept,
    layers_that_matter,
    seed_bytes,
    task_of,
)
from exam_cli.engine.port import ImageInfo
from exam_cli.sections.catalog import load_section

LAYERS = ("base", "tensorflow", "workspace")
TOLD = {
    "kind": "measured",
    "probe": {"value": 2.0, "low": 1.5, "high": 2.5},
    "final": {"value": 3.0, "low": 2.5, "high": 3.5},
    "train_seconds": 4.0,
    "predict_seconds": 0.1,
    "model_bytes": 1000,
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXAM_CACHE", str(tmp_path / "cache"))


def key(folder: Path, seed: int = 1, layers: Sequence[str] = LAYERS, name: str = "typical") -> str:
    return task_of(load_section(folder), layers, seed, name, "typical").path.name


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return change


@pytest.mark.parametrize(
    "change",
    [
        edit("section.yaml", "bands: [25,", "bands: [26,"),
        edit("section.yaml", "max_megabytes: 20", "max_megabytes: 30"),
        edit("section.yaml", "distance, speed, current, load of one", "four numbers of one"),
        edit("section.yaml", "improved, reference]", "reference]"),
        edit("section.yaml", "weight: 10", "weight: 12"),
        edit("task.md", "a ferry", "a boat"),
        edit("starter.py", "Dense(16", "Dense(32"),
        edit("reference.py", "30, 64", "31, 64"),
    ],
)
def test_what_does_not_matter_to_a_rung_keeps_its_result(
    folder: Path, change: Callable[[Path], None]
) -> None:
    before = key(folder)
    change(folder)
    assert key(folder) == before


@pytest.mark.parametrize(
    "change",
    [
        edit("typical.py", "epochs=12", "epochs=13"),
        edit("dataset.py", "NOISE = 1.0", "NOISE = 2.0"),
        edit("section.yaml", "name: mae", "name: rmse"),
        edit("section.yaml", "shape: [4] ", "shape: [5] "),
        edit("section.yaml", "section: 6", "section: 7"),
    ],
)
def test_what_matters_does_not(folder: Path, change: Callable[[Path], None]) -> None:
    before = key(folder)
    change(folder)
    assert key(folder) != before


def test_seed_layers_and_shuffling_matter(folder: Path) -> None:
    keys = {
        key(folder),
        key(folder, seed=2),
        key(folder, layers=("base", "other", "workspace")),
        key(folder, name=SHUFFLED),
    }
    assert len(keys) == 4


def test_our_own_programs_do_not_matter() -> None:
    workspace = ImageInfo(
        "sha256:1", (), 1, ("base", "tensorflow", "wheels", "programs", "directory"), {}
    )
    grader = ImageInfo("sha256:2", (), 1, ("base", "tensorflow", "programs"), {})
    assert layers_that_matter(workspace, grader) == ("base", "tensorflow", "wheels", "directory")


def test_a_result_comes_back(folder: Path) -> None:
    task = task_of(load_section(folder), LAYERS, 4, "typical", "typical")
    assert kept(task) is None
    keep(task, TOLD, 2.0)
    found = kept(task)
    assert isinstance(found, Measured)
    assert (found.seed, found.rung, found.cpus, found.mean) == (4, "typical", 2.0, 2.5)
    keep(task, {"kind": "broken", "stage": "train", "words": "no", "log": "/x"}, 2.0)
    assert kept(task) == Broken(4, "typical", "train", "no", Path("/x"))


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"kind": "measured", "cpus": 1}', b"\xff"])
def test_a_damaged_result_counts_as_none(folder: Path, damage: bytes) -> None:
    task = task_of(load_section(folder), LAYERS, 1, "typical", "typical")
    keep(task, TOLD, 1.0)
    task.path.write_bytes(damage)
    assert kept(task) is None


def test_check_seeds_are_the_documented_ones() -> None:
    assert seed_bytes(1).hex().startswith("8f3db01c79eb76e1")  # printf 'check 1' | sha256sum
    assert len({seed_bytes(number) for number in range(1, 101)}) == 100
