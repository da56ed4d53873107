"""The report as a page: one file of HTML that needs nothing beside itself, for screen and paper."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from exam_cli.reports.facts import FULL_SCORE, Attempt, Facts, SectionFacts
from exam_cli.reports.study import Picture

_BANDS = FULL_SCORE + 1  # of equal width, whatever the thresholds are


def page(facts: Facts) -> str:
    """Return the page. Names, messages and hidden texts come from elsewhere: all is escaped."""
    from jinja2 import Environment, StrictUndefined

    template = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    ).from_string(Path(__file__).with_suffix(".html").read_text(encoding="utf-8"))
    span = _span(facts)
    return template.render(
        facts=facts,
        submitted=facts.submitted is not None,
        when=_day(facts.submitted or facts.read),
        began=_day(facts.started) if facts.started else None,
        took=_length(span[1] - span[0]) if span else None,
        extra=f"{facts.extra_seconds / 60:+.3g} minutes" if facts.extra_seconds else None,
        fingerprint=grouped(facts.fingerprint) if facts.fingerprint else None,
        environments=[grouped(one.removeprefix("sha256:")) for one in facts.digests],
        total=f"{facts.total:.4g}",
        sections=[_section(one, facts, span) for one in facts.sections],
    )


def grouped(digest: str) -> str:
    """Return the first 16 hex digits of a hash, as people compare them: in fours."""
    return " ".join(digest[place : place + 4] for place in range(0, 16, 4))


def _section(
    one: SectionFacts, facts: Facts, span: tuple[datetime, datetime] | None
) -> dict[str, Any]:
    metric = one.metric
    # What may not be shown is not asked for either; should it be here, it stays off the page.
    study = one.study if facts.feedback == "full" else None
    return {
        "facts": one,
        "share": f"{one.share:.4g}",
        "points": f"{one.points:.4g}",
        "metric": _measured(metric["value"]) if metric else None,
        "interval": tuple(_measured(end) for end in one.interval) if one.interval else None,
        "borderline": bool(metric and metric.get("borderline")),
        "bands": [_number(threshold) for threshold in one.bands],
        "place": place(metric["value"], one) if metric else None,
        "between": [place(end, one) for end in one.interval] if one.interval else None,
        "plot": _plot(one, span),
        "pictures": [_shown(picture) for picture in (study.pictures if study else ())],
        "confusions": study.confusions if study else (),
        "examples": [
            {"of": example, "png": _data(example.png, "image/png") if example.png else None}
            for example in (study.examples if study and facts.reveal else ())
        ],
        "kind": study.kind if study else None,
    }


def place(value: float, one: SectionFacts) -> float:
    """Return where on the ladder a value of the metric stands, in percent from its left end.

    Bands are of equal width, and within one of them a value stands in proportion. The outermost are
    taken to be as wide as their neighbours; what lies beyond is at the end.
    """
    bands = one.bands
    ends = [2 * bands[0] - bands[1], *bands, 2 * bands[-1] - bands[-2]]
    way = -1 if one.better == "lower" else 1
    for number in range(_BANDS):
        low, high = ends[number], ends[number + 1]
        if number == _BANDS - 1 or way * value < way * high:
            inside = min(1.0, max(0.0, (value - low) / (high - low)))
            return round(100 * (number + inside) / _BANDS, 2)
    raise AssertionError("one of the bands is the last")


def _plot(one: SectionFacts, span: tuple[datetime, datetime] | None) -> dict[str, Any] | None:
    """Return the attempts as points, in percent of the time from start to end; None without any."""
    if not one.attempts or span is None:
        return None
    first, last = span
    seconds = max(1.0, (last - first).total_seconds())

    def across(attempt: Attempt) -> float:
        share = (attempt.time - first).total_seconds() / seconds
        return round(100 * min(1.0, max(0.0, share)), 2)

    points = [
        {
            "x": across(attempt),
            "y": round(100 * attempt.score / FULL_SCORE, 2),
            "of": attempt,
            "after": _length(attempt.time - first),
            "value": None if attempt.value is None else _measured(attempt.value),
            "counts": attempt.attempt == one.counted,
        }
        for attempt in one.attempts
    ]
    line = " ".join(f"{point['x']},{100 - float(str(point['y']))}" for point in points)
    return {"points": points, "line": line, "end": _length(last - first)}


def _span(facts: Facts) -> tuple[datetime, datetime] | None:
    """Return from when to when the attempts were made, or might have been."""
    times = [attempt.time for one in facts.sections for attempt in one.attempts]
    times += [time for time in (facts.started, facts.submitted) if time is not None]
    return (min(times), max(times)) if times else None


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:,.4g}"


def _measured(value: float) -> str:
    """Return four digits, zeros at the end included: so many are told."""
    return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:#,.4g}".rstrip(".")


def _day(time: datetime) -> str:
    local = time.astimezone()
    return f"{local.day} {local:%B %Y, %H:%M}"


def _length(length: timedelta) -> str:
    minutes = int(length.total_seconds() // 60)
    if minutes < 48 * 60:
        return f"{minutes // 60}:{minutes % 60:02d} h"
    return f"{minutes // (24 * 60)} days"


def _shown(picture: Picture) -> dict[str, Any]:
    return {"data": _data(picture.svg, "image/svg+xml"), "of": picture}


def _data(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
