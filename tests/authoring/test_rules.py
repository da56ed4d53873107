"""Each rule holds for a good ladder, and says with numbers what it has against a bad one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exam_cli.authoring.results import Broken, Measured
from exam_cli.authoring.rules import RULES, Measurements, judge, number, threshold
from tests.authoring.conftest import GOOD, look, model

Maker = Callable[..., Measurements]


def against(found: Measurements) -> dict[str, tuple[str, ...]]:
    return {one.rule: one.problems for one in judge(found) if not one.holds}


def test_a_good_ladder_passes_every_rule(measurements: Maker) -> None:
    assert against(measurements()) == {}


@pytest.mark.parametrize(
    ("bad", "rule", "words"),
    [
        (
            model("reference", 0.7, seed=2, spread=0.2),
            "the reference's interval lies in band 5",
            "reference on seed 2, probe: 0.7 (0.5 to 0.9) is not wholly in band 5 (at most 0.8)",
        ),
        (model("baseline", 9.0), "the baseline stays below 2", "9 scores 2"),
        (
            model("starter", 7.0, final=1.5),
            "probe and final agree",
            "starter on seed 1 scores 2 on probe and 4 on final",
        ),
        (
            model("starter", 7.0, final=3.9),
            "probe and final agree",
            "for 17 of 18 models (94 %, 95 % are needed): not for starter on seed 1",
        ),
        (
            model("typical", 90.0, seed=3),
            "the ladder rises",
            "typical (32 in the mean) is not better than starter (7), which stands below it; "
            "it is on 2 of 3 seeds",
        ),
        (
            replace(model("reference", 0.5), train_seconds=301.0),
            "the reference trains in five minutes",
            "trained for 301 s on seed 1 (1 cores)",
        ),
        (
            replace(model("improved", 1.5), model_bytes=30 << 20),
            "models keep the limits",
            "improved on seed 1 is 31.5 MB; 20 MB are allowed",
        ),
        (
            replace(model("improved", 1.5), predict_seconds=31.0),
            "models keep the limits",
            "predicts in 31 s; 30 s are allowed",
        ),
    ],
)
def test_a_bad_model_is_told(measurements: Maker, bad: Measured, rule: str, words: str) -> None:
    found = against(measurements(bad))
    assert rule in found
    assert words in " ".join(found[rule])


def test_the_other_end_of_the_interval_counts_when_higher_is_better(measurements: Maker) -> None:
    found = measurements(seeds=1)
    metric = replace(found.section.metric, name="accuracy", better="higher")
    higher = replace(found.section, metric=metric, bands=(0.3, 0.5, 0.7, 0.8, 0.9))
    for low_enough, spread in ((True, 0.02), (False, 0.001)):
        ladder = {"reference": [model("reference", 0.91, spread=spread)]}
        problems = RULES["the reference's interval lies in band 5"](
            replace(found, section=higher, ladder=ladder)
        )
        assert bool(list(problems)) is low_enough


def test_a_band_that_no_rung_reaches_on_most_seeds(measurements: Maker) -> None:
    two_of_three = [model("improved", 2.5, seed=seed) for seed in (1, 2)]
    rule = "every score from 1 to 5 is reached"
    assert against(measurements(*two_of_three))[rule] == (
        "No rung scores 4 on most seeds: move a threshold, or add a rung to the ladder.",
    )
    assert rule not in against(measurements(two_of_three[0]))


def test_what_is_learnt_from_shuffled_labels_is_told(measurements: Maker) -> None:
    leak = [model("(shuffled)", 24.0, seed=2)]
    found = against(measurements(shuffled=leak))
    assert (
        "With shuffled labels on seed 2, probe: 24 scores 1" in found["shuffled labels score 0"][0]
    )


def test_a_broken_script_is_told_with_its_log(measurements: Maker) -> None:
    broken = [
        Broken(3, "typical", "train", "line 7 of typical.py: KeyError: 'x'", Path("/l/x.log"))
    ]
    assert against(measurements(broken=broken))["every script runs"] == (
        "typical on seed 3 failed (train): line 7 of typical.py: KeyError: 'x' (log: /l/x.log)",
    )


def test_what_the_data_shows_is_told(measurements: Maker) -> None:
    looks = [
        replace(look(1), shared=3, in_train=2),
        replace(look(2), repeated=4, order={"probe": 44.0, "final": 1.0}),
        replace(look(3), rows_sha256=look(1).rows_sha256),
    ]
    found = against(measurements(looks=looks))
    assert len(found["sets share no rows"]) == 4
    assert found["sets share no rows"][-1] == "Seeds 1 and 3 draw the same hidden rows."
    assert "order of the probe set" in found["row order tells nothing"][0]


def test_nothing_measured_is_no_reason_to_fall_over(measurements: Maker) -> None:
    nothing = replace(measurements(), ladder={rung: [] for rung in GOOD}, shuffled=[], looks=[])
    assert against(nothing) == {}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(values=st.lists(st.floats(0.01, 100), min_size=6, max_size=6))
def test_the_ladder_rises_exactly_when_each_step_does(
    measurements: Maker, values: list[float]
) -> None:
    models = [model(rung, value) for rung, value in zip(GOOD, values, strict=True)]
    found = against(measurements(*models, seeds=1))
    falling = all(b < a for a, b in pairwise(values))
    assert ("the ladder rises" in found) is not falling


@pytest.mark.parametrize(
    ("value", "text"),
    [(3047.4, "3,047"), (354.16, "354.2"), (0.87654, "0.8765"), (25.0, "25"), (0.0, "0")],
)
def test_numbers_have_the_digits_that_matter(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(("value", "text"), [(1000.0, "1,000"), (0.78, "0.78"), (750.0, "750")])
def test_thresholds_are_as_they_were_written(value: float, text: str) -> None:
    assert threshold(value) == text
