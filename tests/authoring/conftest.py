"""Sections and measurements to judge, made without an engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from exam_cli.authoring.new import new_section
from exam_cli.authoring.results import DataLook, Interval, Measured
from exam_cli.authoring.rules import Measurements
from exam_cli.config.section import Section
from exam_cli.sections.catalog import load_section


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A section as `exam author new` makes it: MAE, bands 25, 10, 4, 2, 0.8."""
    return new_section("ferry", 6, "regression", tmp_path)


@pytest.fixture
def section(folder: Path) -> Section:
    return load_section(folder)


def model(
    rung: str, value: float, *, seed: int = 1, final: float | None = None, spread: float = 0.0
) -> Measured:
    """A model of a metric, with intervals of `spread` to both sides."""
    other = value if final is None else final
    return Measured(
        seed=seed,
        rung=rung,
        probe=Interval(value, value - spread, value + spread),
        final=Interval(other, other - spread, other + spread),
        train_seconds=3.0,
        predict_seconds=0.2,
        model_bytes=1_000,
        cpus=1.0,
    )


# One value in each band of the section: the ladder that every rule is content with.
GOOD = {
    "baseline": 40.0, "linear": 15.0, "starter": 7.0, "typical": 3.0, "improved": 1.5,
    "reference": 0.5,
}  # fmt: skip


def look(seed: int) -> DataLook:
    sizes = {"probe": 2000, "final": 2000}
    return DataLook(seed, sizes, 0, 0, 0, {"probe": 1.0, "final": 1.0}, f"rows of {seed}", 1)


@pytest.fixture
def measurements(section: Section) -> Callable[..., Measurements]:
    """Return a maker of measurements over seeds, with other models in the place of good ones."""

    def make(*others: Measured, seeds: int = 3, **fields: object) -> Measurements:
        instead = {(one.rung, one.seed): one for one in others}
        ladder = {
            rung: [
                instead.get((rung, seed), model(rung, value, seed=seed))
                for seed in range(1, seeds + 1)
            ]
            for rung, value in GOOD.items()
        }
        shuffled = [model("(shuffled)", 41.0, seed=seed) for seed in range(1, seeds + 1)]
        given = {
            "shuffled": shuffled,
            "looks": [look(seed) for seed in range(1, seeds + 1)],
            "broken": [],
            **fields,
        }
        return Measurements(section, ladder, **given)  # type: ignore[arg-type]

    return make
