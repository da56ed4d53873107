"""From a metric to a score of 0 to 5."""

from __future__ import annotations

import math

from exam_cli.config.section import Section
from exam_cli.grading.verdict import Measured


def score_of(value: float, section: Section) -> int:
    """Return how many thresholds of the section's bands a metric value meets.

    Raises `ValueError` for a value that is not finite: no comparison may decide about it.
    """
    if not math.isfinite(value):
        raise ValueError(f"{section.metric.name} is {value}")
    if section.metric.better == "lower":
        return sum(value <= threshold for threshold in section.bands)
    return sum(value >= threshold for threshold in section.bands)


def measured(value: float, section: Section) -> Measured:
    """Return a value together with what the next score needs."""
    score = score_of(value, section)
    top = score == len(section.bands)
    return Measured(
        name=section.metric.name,
        value=value,
        unit=section.metric.unit,
        better=section.metric.better,
        next_score=None if top else score + 1,
        next_threshold=None if top else section.bands[score],
    )
