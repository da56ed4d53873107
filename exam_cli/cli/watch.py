"""`exam watch`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from exam_cli.cli.common import (
    Warner,
    connect,
    current_session,
    json_option,
    workspace_option,
)


@click.command()
@click.argument("numbers", metavar="[N]...", type=int, nargs=-1)
@workspace_option
@json_option
def command(numbers: tuple[int, ...], workspace: Path | None, as_json: bool) -> None:
    """Grade each new model as soon as it has been written completely; Ctrl-C ends it.

    Watches the sections N, or all. Each model is an attempt like any other. With `--json` every
    grade is one line.
    """
    from exam_cli.cli.screen import showing_progress
    from exam_cli.cli.verdict import show_verdict
    from exam_cli.sections.catalog import find_section, sections_of
    from exam_cli.sitting.grade import grade_section
    from exam_cli.sitting.pool import renewed_behind
    from exam_cli.sitting.watch import new_models

    session = current_session(workspace)
    rules = session.rules
    chosen = [find_section(rules, one) for one in dict.fromkeys(numbers)] or sections_of(rules)
    names = ", ".join(section.directory for section in chosen)
    saved = new_models(chosen, session.workspace, Warner(session, quiet=as_json).over)
    click.echo(f"Watching {names}: save a model there. Ctrl-C ends it.", err=True)
    if rules.attempts is not None:
        click.echo(f"Each is one of {rules.attempts} attempts that a section has.", err=True)
    for section in saved:
        with renewed_behind(session, connect) as used:
            with showing_progress(quiet=as_json) as progress:
                progress.step(f"Grading section {section.section}")
                result = grade_section(section, session, connect, used)
            if as_json:
                told = result.verdict.as_json(result.attempt, rules.feedback)
                click.echo(json.dumps(told, ensure_ascii=False))
            else:
                show_verdict(result, rules.feedback)
    click.echo("The exam is over: nothing more is graded.", err=True)
