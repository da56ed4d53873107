"""`exam down`."""

from __future__ import annotations

from pathlib import Path

import click

from exam_cli.cli.common import connect, current_session, workspace_option


@click.command()
@workspace_option
@click.option(
    "--purge", is_flag=True, help="Also remove the record, scores, snapshots and home volume."
)
@click.option("--yes", is_flag=True, help="Do not ask before a purge.")
def command(workspace: Path | None, purge: bool, yes: bool) -> None:
    """Stop the exam's containers. The workspace stays in any case."""
    from exam_cli.cli.screen import show
    from exam_cli.sitting.down import down
    from exam_cli.sitting.down import purge as purge_session

    session = current_session(workspace)
    if purge and not yes:
        click.confirm(
            f"Remove the record of session {session.id}, with all its scores?", abort=True, err=True
        )
    stopped = down(session, connect())
    show(f"Stopped {', '.join(stopped)}." if stopped else "Nothing was running.")
    if purge:
        for path in purge_session(session, connect()):
            show(f"Left {path}, which was changed since it was written for an editor.")
        show(f"Removed the record of session {session.id}.")
    show(f"The workspace stays at {session.workspace}.")
