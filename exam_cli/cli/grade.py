"""`exam grade`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from exam_cli.cli.common import (
    connect,
    current_session,
    json_option,
    official_option,
    supervised_option,
    workspace_option,
)


@click.command()
@click.argument("section", metavar="N|all")
@workspace_option
@supervised_option
@official_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    section: str,
    workspace: Path | None,
    supervised: bool,
    official: bool,
    as_json: bool,
) -> None:
    """Score the model in section N's directory, or in every section's.

    Exit status: 0 scored, 1 rejected (the model is at fault), 3 failed (we are; no attempt).
    """
    from exam_cli.grading.announce import announce

    announce()  # before the slow imports
    from exam_cli.cli.screen import showing_progress
    from exam_cli.cli.verdict import EXIT_STATUS, show_verdict
    from exam_cli.errors import ExamError
    from exam_cli.sections.catalog import find_section, sections_of
    from exam_cli.sitting.grade import Manner, grade_section
    from exam_cli.sitting.pool import renewed_behind

    if section != "all" and not re.fullmatch(r"[0-9]{1,9}", section):
        raise click.UsageError(f"{section!r} is no section: give its number, or `all`.")
    session = current_session(workspace)
    rules = session.rules
    chosen = sections_of(rules) if section == "all" else [find_section(rules, int(section))]
    manner = Manner(supervised, official)
    results, refused = [], False
    with renewed_behind(session, connect) as used:
        with showing_progress(quiet=as_json) as progress:
            for one in chosen:
                progress.step(f"Grading section {one.section}")
                try:
                    results.append(grade_section(one, session, connect, used, manner))
                except ExamError as refusal:
                    # One section without attempts left must not keep the others from being graded.
                    if section != "all":
                        raise
                    refused = True
                    click.echo(f"exam: {refusal}", err=True)
        if as_json:
            answers = [result.verdict.as_json(result.attempt, rules.feedback) for result in results]
            click.echo(json.dumps(answers if section == "all" else answers[0], ensure_ascii=False))
        else:
            for result in results:
                show_verdict(result, rules.feedback)
        for note in dict.fromkeys(note for result in results for note in result.notes):
            click.echo(note, err=True)
    ctx.exit(max([EXIT_STATUS[result.verdict.status] for result in results] + [int(refused)]))
