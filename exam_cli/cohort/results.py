"""A graded cohort as rows: totals, ties, who handed in the same; and as CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from exam_cli.cohort.grade import Graded
from exam_cli.config.section import Section
from exam_cli.reports.cells import cell
from exam_cli.sitting.rules import passes, total


@dataclass(frozen=True)
class Row:
    """One candidate: lines by section, points of 100, and whom they tie with or resemble.

    `total` is None when a grading failed by our own fault: it must be made again first.
    """

    candidate: str
    lines: dict[int, dict[str, Any]]
    total: float | None
    passed: bool
    tied_with: tuple[str, ...]
    same_model: dict[int, tuple[str, ...]]
    same_predictions: dict[int, tuple[str, ...]]

    @property
    def environments(self) -> tuple[str, ...]:
        """The environment digests that the grades were made in: one, as a rule."""
        made_in = [(line.get("environment") or {}).get("digest") for line in self.lines.values()]
        return tuple(dict.fromkeys(one for one in made_in if one))

    @property
    def borderline(self) -> tuple[int, ...]:
        """Sections whose metric is within its noise of a threshold."""
        metrics = {number: line.get("metric") or {} for number, line in self.lines.items()}
        return tuple(number for number, metric in metrics.items() if metric.get("borderline"))


def rows_of(graded: Graded) -> list[Row]:
    """Return the candidates by name."""
    numbers = [section.section for section in graded.sections]
    totals = {
        one.name: _total(graded, {n: graded.lines[one.name, n] for n in numbers})
        for one in graded.roll.candidates
    }
    by_total: dict[float, list[str]] = defaultdict(list)
    for name, points in totals.items():
        if points is not None:
            by_total[points].append(name)
    same_model = {number: _alike(graded, number, _model) for number in numbers}
    same_predictions = {number: _alike(graded, number, _predictions) for number in numbers}
    rows = []
    for name, points in totals.items():
        rows.append(
            Row(
                candidate=name,
                lines={number: graded.lines[name, number] for number in numbers},
                total=points,
                passed=points is not None and passes(points, graded.exam),
                tied_with=_others(by_total.get(points, []) if points is not None else [], name),
                same_model={n: found[name] for n, found in same_model.items() if name in found},
                same_predictions={
                    n: found[name] for n, found in same_predictions.items() if name in found
                },
            )
        )
    return rows


def _total(graded: Graded, lines: dict[int, dict[str, Any]]) -> float | None:
    if any(line["verdict"] == "failed" for line in lines.values()):
        return None
    return round(total([(one.weight, lines[one.section]) for one in graded.sections]), 4)


def _model(line: dict[str, Any]) -> str | None:
    sha256: str | None = line.get("model_sha256")
    return sha256


def _predictions(line: dict[str, Any]) -> str | None:
    sha256: str | None = line.get("predictions_sha256")
    return sha256


def _alike(
    graded: Graded, number: int, key: Callable[[dict[str, Any]], str | None]
) -> dict[str, tuple[str, ...]]:
    """Return for each candidate the others with the same key in a section."""
    groups: dict[str, list[str]] = defaultdict(list)
    for one in graded.roll.candidates:
        found = key(graded.lines[one.name, number])
        if found is not None:
            groups[found].append(one.name)
    return {
        name: _others(names, name) for names in groups.values() if len(names) > 1 for name in names
    }


def _others(names: list[str], name: str) -> tuple[str, ...]:
    return tuple(one for one in names if one != name)


def to_json(graded: Graded, rows: list[Row]) -> str:
    """Return everything that is known, for programs."""
    content = {
        "exam": graded.exam.exam,
        "pass_mark": graded.exam.pass_mark,
        "sections": [
            {"section": one.section, "slug": one.slug, "title": one.title, "weight": one.weight}
            for one in graded.sections
        ],
        "strays": list(graded.roll.strays),
        "candidates": [
            {
                "candidate": row.candidate,
                "total": row.total,
                "passed": row.passed,
                "tied_with": list(row.tied_with),
                "borderline": list(row.borderline),
                "same_model": {str(n): list(names) for n, names in row.same_model.items()},
                "same_predictions": {
                    str(n): list(names) for n, names in row.same_predictions.items()
                },
                "sections": {str(number): _told(line) for number, line in row.lines.items()},
            }
            for row in rows
        ],
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _told(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line without its seal, whose salt is what keeps a receipt's hash from telling."""
    return {key: value for key, value in line.items() if key != "seal"}


def to_csv(graded: Graded, rows: list[Row]) -> str:
    """Return one row a candidate, for spreadsheets."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_header(graded.sections))
    for row in rows:
        cells: list[object] = [row.candidate, row.total, "yes" if row.passed else "no"]
        for section in graded.sections:
            line = row.lines[section.section]
            metric = line.get("metric") or {}
            cells += [line["score"], metric.get("value"), line["reason"]]
        cells += ["; ".join(notes(row)), " ".join(row.environments)]
        writer.writerow([cell(one) for one in cells])
    return text.getvalue()


def _header(sections: tuple[Section, ...]) -> list[str]:
    columns = ["candidate", "total", "passed"]
    for section in sections:
        columns += [f"{section.directory} {what}" for what in ("score", "metric", "reason")]
    return [*columns, "notes", "environment"]


def notes(row: Row) -> list[str]:
    """Return what an examiner should look at, in words."""
    said = []
    if row.tied_with:
        said.append(f"as many points as {_names(row.tied_with)}")
    said += [f"section {number} is borderline" for number in row.borderline]
    for number, names in row.same_model.items():
        said.append(f"section {number}: the same model as {_names(names)}")
    for number, names in row.same_predictions.items():
        beyond = [name for name in names if name not in row.same_model.get(number, ())]
        if beyond:
            said.append(f"section {number}: the same predictions as {_names(beyond)}")
    return said


def _names(names: tuple[str, ...] | list[str]) -> str:
    shown = list(names[:5])
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
