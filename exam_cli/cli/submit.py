"""`exam submit`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exam_cli.cli.common import (
    connect,
    current_session,
    json_option,
    official_option,
    workspace_option,
)

if TYPE_CHECKING:
    from exam_cli.sitting.submit import Final, Result


# What the ledger keeps and nobody is told: with its salt, a row's hash would tell the metric.
_KEPT = ("told", "predictions_sha256", "circumstances", "seal", "recipient")


@click.command()
@workspace_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@official_option
@json_option
def command(workspace: Path | None, yes: bool, official: bool, as_json: bool) -> None:
    """End the exam: grade the model that counts in each section on the final set, and add up.

    After that nothing can be graded any more. Once submitted, it shows the result again.
    """
    from exam_cli.cli.screen import showing_progress
    from exam_cli.receipts.issue import tried
    from exam_cli.sitting.late import late
    from exam_cli.sitting.pool import renew_behind
    from exam_cli.sitting.submit import result, standing, submit

    session = current_session(workspace)
    done = result(session)
    if done is None:
        if not yes:
            for line in _summary(standing(session)) + [one.sentence for one in late(session)]:
                click.echo(line, err=True)
            click.confirm("End the exam and submit these?", abort=True, err=True)
        with showing_progress(quiet=as_json) as progress:
            done = submit(session, connect, progress, official)
    for note in tried(session):
        click.echo(note, err=True)
    if as_json:
        click.echo(json.dumps(told(done), ensure_ascii=False))
    else:
        _show(done)
    renew_behind(session, connect)  # no grader needs to wait any more


def told(done: Result) -> dict[str, Any]:
    """Return a result as far as the exam's feedback goes."""
    from exam_cli.grading.verdict import metric_told

    feedback = done.rules.feedback
    sections = []
    for one in done.content["sections"]:
        grade = one["grade"]
        if grade is not None:
            hidden = {"metric": metric_told(grade["metric"], feedback), "message": grade["told"]}
            grade = {key: value for key, value in {**grade, **hidden}.items() if key not in _KEPT}
        sections.append({**one, "grade": grade})
    content = {key: value for key, value in done.content.items() if key not in _KEPT}
    return {**content, "sections": sections}


def _summary(standings: list[Final]) -> list[str]:
    lines = []
    for one in standings:
        name = f"  {one.section.section} {one.section.title}: "
        if one.attempt is None:
            lines.append(name + "no model was scored, COUNTS 0")
        else:
            score = f"{one.attempt['score']} of 5 so far"
            lines.append(name + f"attempt {one.attempt['attempt']}, {score}")
    return [
        *lines,
        "They are graded once more, on rows kept for the end; after that the exam is over.",
    ]


def _show(done: Result) -> None:
    from exam_cli.cli.screen import show, table_of

    content = told(done)
    table = table_of("Section", "Attempt", "Metric", "Score", "Points")
    weights = sum(one["weight"] for one in content["sections"])
    for one in content["sections"]:
        metric = one["grade"]["metric"] if one["grade"] else None
        share = 100 * one["weight"] / weights
        table.add_row(
            f"{one['section']} {one['title']}",
            str(one["attempt"] or "-"),
            _metric(metric),
            f"{one['score']} of 5",
            f"{share * one['score'] / 5:.4g} of {share:.4g}",
        )
    show(table)
    word = "passed" if content["passed"] else "not passed"
    show(f"{content['total']:.4g} points of 100, {content['pass_mark']:g} are needed: {word}.")
    if not done.fresh:
        show("The exam was submitted before; this is what came of it.")


def _metric(metric: dict[str, Any] | None) -> str:
    if metric is None:
        return "-"
    borderline = ", borderline" if metric["borderline"] else ""
    return f"{metric['name']} {metric['value']:.4g}{borderline}"
