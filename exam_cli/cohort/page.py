"""A class on a page: how the scores are spread, one row a candidate, and what to look at."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from exam_cli.cohort.grade import Graded
from exam_cli.cohort.results import Row, notes

_TALLEST = 70  # pixels


def page(graded: Graded, rows: list[Row]) -> str:
    """Return the page. Names and messages come from strangers: all text is escaped."""
    from jinja2 import Environment

    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    )
    ranked = sorted(rows, key=lambda row: (-1 if row.total is None else -row.total, row.candidate))
    charts = []
    for section in graded.sections:
        scores = Counter(row.lines[section.section]["score"] for row in rows)
        counts = [scores[score] for score in range(6)]
        tallest = max(1, *counts)
        charts.append(
            {
                "title": f"{section.section} {section.title}",
                "counts": counts,
                "heights": [round(_TALLEST * count / tallest) for count in counts],
            }
        )
    return template.render(
        title=graded.exam.title or graded.exam.exam,
        pass_mark=graded.exam.pass_mark,
        passed=sum(row.passed for row in rows),
        strays=graded.roll.strays,
        sections=graded.sections,
        charts=charts,
        rows=ranked,
        environments=list(dict.fromkeys(one for row in rows for one in row.environments)),
        notes={row.candidate: notes(row) for row in rows},
    )
