"""Load a section's own scripts, which are no package, and make small sources for them."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

SECTIONS = Path(__file__).parents[2] / "sections"
# A folder without a section.yaml is not there yet.
FOLDERS = sorted(path.parent.name for path in SECTIONS.glob("*-*/section.yaml"))
SEED = bytes(range(32))
OTHER_SEED = bytes(32)


def load_dataset(folder: str) -> ModuleType:
    """Import sections/FOLDER/dataset.py afresh."""
    path = SECTIONS / folder / "dataset.py"
    spec = importlib.util.spec_from_file_location(f"dataset_of_{folder}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def regression(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The diamonds, with sets small enough for a synthetic source."""
    module = load_dataset("1-regression")
    monkeypatch.setattr(module, "TRAIN_ROWS", 200)
    monkeypatch.setattr(module, "HIDDEN_ROWS", 40)
    return module


@pytest.fixture
def nlp(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The language section with sets small enough for a synthetic source."""
    module = load_dataset("4-nlp")
    monkeypatch.setattr(module, "HIDDEN_EACH", 10)
    return module


@pytest.fixture
def diamonds() -> Callable[..., bytes]:
    """Return a maker of a diamonds.csv: so many random stones, then the rows given."""

    def make(stones: int = 400, extra: tuple[str, ...] = ()) -> bytes:
        rng = random.Random(1)
        lines = ['"carat","cut","color","clarity","depth","table","price","x","y","z"']
        for stone in range(stones):
            x, y, z = (rng.uniform(4, 8) for _ in range(3))
            lines.append(
                f'{rng.uniform(0.2, 2):.2f},"{rng.choice(["Fair", "Very Good", "Ideal"])}",'
                f'"{rng.choice("DEFGHIJ")}","{rng.choice(["I1", "SI2", "VVS1", "IF"])}",'
                f"{rng.uniform(58, 64):.1f},{rng.randint(53, 65)},{300 + stone},"
                f"{x:.2f},{y:.2f},{z:.2f}"
            )
        return "\n".join([*lines, *extra, ""]).encode()

    return make


@pytest.fixture
def wordnet() -> Callable[..., bytes]:
    """Return a maker of a data.noun: a licence, random glosses, then the (file, gloss) given."""

    def make(each: int = 150, extra: tuple[tuple[str, str], ...] = ()) -> bytes:
        rng = random.Random(1)
        lines = ["  1 This software and database is being provided to you  "]
        files = [f"{number:02}" for number in range(3, 29)]
        glosses = [(file, _gloss(rng)) for file in files for _ in range(each)]
        for place, (file, gloss) in enumerate([*glosses, *extra]):
            lines.append(f"{place:08} {file} n 01 word 0 001 @ 00001740 n 0000 | {gloss}  ")
        return "\n".join([*lines, ""]).encode()

    return make


def _gloss(rng: random.Random) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return " ".join("".join(rng.choices(letters, k=rng.choice([1, 5]))) for _ in range(8))
