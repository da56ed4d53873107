"""From a metric to a score of 0 to 5."""

from __future__ import annotations

import math
from dataclasses import replace

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


def measured(value: float, section: Section, noise: float | None = None) -> Measured:
    """Return a value together with what the next score needs, and whether it is borderline.

    `noise` is the metric's standard error over hidden sets of that size. Within one of it of a
    threshold, about one in six other draws of the hidden rows would have scored differently, or
    more: that is what borderline means. The bootstrap behind it (see `images/programs/noise.py`)
    holds for every metric, a section's own included. Only the digits that are told decide, so
    nothing more can be read from the answer.
    """
    score = score_of(value, section)
    top = score == len(section.bands)
    found = Measured(
        name=section.metric.name,
        value=value,
        unit=section.metric.unit,
        better=section.metric.better,
        next_score=None if top else score + 1,
        next_threshold=None if top else section.bands[score],
        noise=noise,
    )
    told = found.told_noise or 0.0
    borderline = told > 0 and any(
        abs(found.told_value - threshold) <= told for threshold in section.bands
    )
    return replace(found, borderline=borderline)
