"""`exam check`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from exam_cli.cli.common import (
    connect,
    current_session,
    json_option,
    supervised_option,
    workspace_option,
)


@click.command()
@click.argument("section", metavar="N", type=int)
@workspace_option
@supervised_option
@json_option
@click.pass_context
def command(
    ctx: click.Context, section: int, workspace: Path | None, supervised: bool, as_json: bool
) -> None:
    """See whether section N's model loads and takes and returns what was agreed.

    It runs as in a grade, on a few rows of the training data: no score, no attempt.
    """
    from exam_cli.cli.screen import showing_progress
    from exam_cli.cli.verdict import EXIT_STATUS, show_verdict
    from exam_cli.sections.catalog import find_section
    from exam_cli.sitting.grade import Manner, check_section
    from exam_cli.sitting.pool import renewed_behind

    session = current_session(workspace)
    chosen = find_section(session.rules, section)
    with renewed_behind(session, connect) as used:
        with showing_progress(quiet=as_json) as progress:
            progress.step(f"Checking section {section}")
            result = check_section(chosen, session, connect, used, Manner(supervised))
        if as_json:
            click.echo(json.dumps(result.verdict.as_json(None), ensure_ascii=False))
        else:
            show_verdict(result)
    ctx.exit(EXIT_STATUS[result.verdict.status])
