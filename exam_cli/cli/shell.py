"""`exam shell`."""

from __future__ import annotations

from pathlib import Path

import click

from exam_cli.cli.common import connect, current_session, tell_time, workspace_option


@click.command()
@workspace_option
@click.pass_context
def command(ctx: click.Context, workspace: Path | None) -> None:
    """Open a shell in the workspace container, as yourself, in /workspace."""
    from exam_cli.sitting.work import in_container

    session = current_session(workspace)
    tell_time(session)  # and again at the end: one may be inside for hours
    ctx.exit(in_container(session, connect(), ["/bin/bash"], "."))
