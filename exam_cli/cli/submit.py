"""`exam submit`."""

from __future__ import annotations

import json
import sys
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
    from exam_cli.session.session import Session
    from exam_cli.sitting.submit import Final, Result


# What the ledger keeps and nobody is told: with its salt, a row's hash would tell the metric.
_KEPT = ("told", "predictions_sha256", "circumstances", "seal", "recipient")


@click.command()
@workspace_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@official_option
@click.option("--name", help="The candidate's name, for report, certificate and badge.")
@click.option("--email", help="The candidate's address: the badge for a pass has its salted hash.")
@json_option
def command(
    workspace: Path | None,
    yes: bool,
    official: bool,
    name: str | None,
    email: str | None,
    as_json: bool,
) -> None:
    """End the exam: grade the model that counts in each section on the final set, and add up.

    After that nothing can be graded any more. A report, a certificate or statement, and an archive
    to hand in are made. Once submitted, it shows the result again.
    """
    from exam_cli.cli.screen import showing_progress
    from exam_cli.receipts.badge import Recipient
    from exam_cli.receipts.issue import tried
    from exam_cli.sitting.late import late
    from exam_cli.sitting.pool import renew_behind
    from exam_cli.sitting.submit import proper_name, result, standing, submit

    session = current_session(workspace)
    recipient = Recipient(proper_name(name), email)
    done = result(session)
    if done is None:
        if not yes:
            for line in _summary(standing(session)) + [one.sentence for one in late(session)]:
                click.echo(line, err=True)
            click.confirm("End the exam and submit these?", abort=True, err=True)
        if name is None and not yes and not as_json and sys.stdin.isatty():
            recipient = Recipient(_asked_name(), email)
        with showing_progress(quiet=as_json) as progress:
            done = submit(session, connect, progress, official, recipient)
    for note in tried(session):
        click.echo(note, err=True)
    if as_json:
        click.echo(json.dumps(told(done), ensure_ascii=False))
    else:
        _show(done)
    _make_report(session, as_json)
    renew_behind(session, connect)  # no grader needs to wait any more


def _asked_name() -> str | None:
    """Ask for the name until it is one; nothing is an answer, too."""
    from exam_cli.errors import ExamError
    from exam_cli.sitting.submit import proper_name

    while True:
        said = click.prompt(
            "Your name for the certificate (or just Enter)", "", show_default=False, err=True
        )
        try:
            return proper_name(said)
        except ExamError as error:
            click.echo(str(error), err=True)


def _make_report(session: Session, as_json: bool) -> None:
    """Make what a submission leaves behind, unless it is there. It never undoes a submission."""
    from exam_cli.cli.boundary import keep_log
    from exam_cli.cli.report import tell
    from exam_cli.cli.screen import showing_progress
    from exam_cli.sitting.report import is_made, make

    if is_made(session):
        if not as_json:
            click.echo(f"Report and certificate are in {session.workspace / 'result'}", err=True)
        return
    try:
        with showing_progress(quiet=as_json) as progress:
            made = make(session, connect, progress)
    except Exception as error:  # whatever it is, the exam is submitted and stays so
        log = keep_log(error)
        click.echo(
            "The exam is submitted, but its report could not be made: `exam report` makes it."
            + (f" (details: {log})" if log else ""),
            err=True,
        )
        return
    if not as_json:
        tell(made)


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
