"""From a number to a score: every threshold, in both directions."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_cli.config.exam import load_exam
from exam_cli.config.section import Section
from exam_cli.grading.band import measured, score_of
from exam_cli.sections.catalog import sections_of, shipped_section

PRACTICE = sections_of(load_exam("practice"))
LOWER, HIGHER = shipped_section(1), shipped_section(4)


def with_bands(section: Section, *bands: float) -> Section:
    return replace(section, bands=bands)


FALLING = with_bands(LOWER, 900, 650, 500, 400, 340)
RISING = with_bands(HIGHER, 0.4, 0.6, 0.7, 0.75, 0.78)


@pytest.mark.parametrize("score", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(("section", "sign"), [(FALLING, -1), (RISING, 1)], ids=["mae", "accuracy"])
def test_a_threshold_itself_is_enough_and_the_next_number_is_not(
    section: Section, sign: int, score: int
) -> None:
    threshold = section.bands[score - 1]
    worse, better = (math.nextafter(threshold, side * sign * math.inf) for side in (-1, 1))
    assert score_of(threshold, section) == score
    assert score_of(better, section) == score
    assert score_of(worse, section) == score - 1


@pytest.mark.parametrize(
    ("section", "value", "score"),
    [(FALLING, 0.0, 5), (FALLING, 1e308, 0), (FALLING, -1.0, 5), (RISING, 1.0, 5), (RISING, 0, 0)],
)
def test_far_away(section: Section, value: float, score: int) -> None:
    assert score_of(value, section) == score


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("section", [FALLING, RISING], ids=["mae", "accuracy"])
def test_what_is_not_finite_has_no_score(section: Section, value: float) -> None:
    for function in (score_of, measured):
        with pytest.raises(ValueError, match=r"is (nan|inf|-inf)"):
            function(value, section)


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), st.sampled_from([FALLING, RISING]))
def test_better_never_scores_less(one: float, other: float, section: Section) -> None:
    worse, better = sorted([one, other], reverse=section.metric.better == "lower")
    assert 0 <= score_of(worse, section) <= score_of(better, section) <= 5


@pytest.mark.parametrize("section", PRACTICE, ids=lambda one: one.slug)
@given(value=st.floats(-1e5, 1e5))
def test_the_next_score_is_told_until_the_top(section: Section, value: float) -> None:
    told = measured(value, section)
    score = score_of(value, section)
    if score == 5:
        assert told.next_score is None and told.next_threshold is None
        assert told.as_json()["next_band"] is None
    else:
        assert told.next_score == score + 1
        assert told.next_threshold is not None
        assert score_of(told.next_threshold, section) == score + 1
        assert told.as_json()["next_band"] == {
            "score": score + 1,
            "threshold": told.next_threshold,
        }
