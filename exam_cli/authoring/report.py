"""A check's report as a table, as JSON and as `calibration.md`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise
from statistics import fmean
from typing import Any

from exam_cli.authoring.check import Report, typical_of
from exam_cli.authoring.results import Measured
from exam_cli.authoring.rules import number, score, threshold
from exam_cli.config.section import Section

COLUMNS = ("Model", "Mean", "Range", "Score", "Same", "Train s", "Predict s", "MB")


def rows(report: Report) -> list[list[str]]:
    """Return one row of text for each rung that was trained, and for shuffled labels."""
    found = report.measurements
    named = {**found.ladder, f"{typical_of(report.section)}, shuffled": found.shuffled}
    return [_row(report.section, name, ones) for name, ones in named.items() if ones]


def _row(section: Section, name: str, ones: Sequence[Measured]) -> list[str]:
    values = [interval.value for one in ones for interval in one.sets.values()]
    scores = [[score(section, interval) for interval in one.sets.values()] for one in ones]
    given = sorted({value for pair in scores for value in pair})
    same = sum(len(set(pair)) == 1 for pair in scores)
    return [
        name,
        number(fmean(values)),
        f"{number(min(values))} - {number(max(values))}",
        ", ".join(str(value) for value in given),
        f"{same}/{len(ones)}",
        f"{fmean(one.train_seconds for one in ones):.0f}",
        f"{fmean(one.predict_seconds for one in ones):.1f}",
        f"{fmean(one.model_bytes for one in ones) / 1e6:.1f}",
    ]


def as_json(report: Report) -> dict[str, Any]:
    """Return the object that `exam author check --json` prints."""
    section, found = report.section, report.measurements

    def model(one: Measured) -> dict[str, Any]:
        scores = {which: score(section, interval) for which, interval in one.sets.items()}
        return {**asdict(one), "score": scores}

    return {
        "section": section.section,
        "form": section.form,
        "slug": section.slug,
        "metric": section.metric.name,
        "bands": list(section.bands),
        "seeds": list(report.seeds),
        "edition": report.edition,
        "image": report.image,
        "cores": report.cores,
        "holds": report.holds,
        "models": [model(one) for ones in found.ladder.values() for one in ones],
        "shuffled": [model(one) for one in found.shuffled],
        "data": [asdict(one) for one in found.looks],
        "rules": [
            {"rule": one.rule, "holds": one.holds, "problems": list(one.problems)}
            for one in report.judgements
        ],
    }


def markdown(report: Report) -> str:
    """Return the text of calibration.md."""
    section, found = report.section, report.measurements
    cpus = sorted({one.cpus for ones in found.ladder.values() for one in ones})
    unit = f", {section.metric.unit}" if section.metric.unit else ""
    word = "at most" if section.metric.better == "lower" else "at least"
    bands = ", ".join(threshold(value) for value in section.bands)
    lines = [
        f"# Section {section.section}, form {section.form}: {section.title}, calibration",
        "",
        f"Written by `exam author check --seeds {len(report.seeds)} --write` on "
        f"{time.strftime('%Y-%m-%d', time.gmtime())}.",
        "",
        f"- Metric: {section.metric.name}{unit}; {section.metric.better} is better; scores 1 to 5 "
        f"from {word} {bands}.",
        f"- Seeds: {report.seeds[0]} to {report.seeds[-1]}; each gives a probe and a final set of "
        f"{' and '.join(f'{n:,}' for n in _sizes(report))} rows; train files take "
        f"{_train_megabytes(report):.1f} MB.",
        f"- Edition {report.edition}, workspace image `{report.image}`.",
        f"- Each model had {' or '.join(f'{n:g}' for n in cpus)} of {report.cores} cores; seconds "
        "are means and leave out the import of TensorFlow.",
        "",
        "Mean and range are taken over both hidden sets of all seeds. *Same* counts the seeds on "
        "which probe and final set give the same score; *shuffled* is a model trained on files "
        "whose labels were dealt out at random.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"| --- |{' ---: |' * (len(COLUMNS) - 1)}",
        *(f"| {' | '.join(row)} |" for row in rows(report)),
        "",
        f"Probe and final set give the same score for {_same(report)} models. Each step of the "
        f"ladder holds on so many seeds: {', '.join(_steps(report)) or 'none was measured'}.",
        "",
        "![Metric against bands](calibration.svg)",
        "",
        "| rule | holds |",
        "| --- | --- |",
        *(f"| {one.rule} | {_verdict(one.problems)} |" for one in report.judgements),
        "",
    ]
    return "\n".join(lines)


def _sizes(report: Report) -> list[int]:
    return sorted({size for look in report.measurements.looks for size in look.rows.values()})


def _train_megabytes(report: Report) -> float:
    return max((look.train_bytes for look in report.measurements.looks), default=0) / 1e6


def _same(report: Report) -> str:
    """Return of how many models both sets give the same score, as text."""
    section, total = report.section, 0
    same = 0
    for ones in report.measurements.ladder.values():
        for one in ones:
            same += score(section, one.probe) == score(section, one.final)
            total += 1
    return f"{same} of {total}"


def _steps(report: Report) -> Iterator[str]:
    """Yield each step of the ladder, and on how many seeds the upper rung is the better one."""
    lower = report.section.metric.better == "lower"
    rungs = [(name, ones) for name, ones in report.measurements.ladder.items() if ones]
    for (weak, before), (strong, after) in pairwise(rungs):
        means = {one.seed: one.mean for one in before}
        pairs = [(means[one.seed], one.mean) for one in after if one.seed in means]
        good = sum(b < a if lower else b > a for a, b in pairs)
        yield f"{weak} to {strong} {good} of {len(pairs)}"


def _verdict(problems: Sequence[str]) -> str:
    return "yes" if not problems else "**no**: " + "<br>".join(problems)
