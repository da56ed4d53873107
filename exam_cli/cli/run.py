"""`exam run`."""

from __future__ import annotations

from pathlib import Path

import click

from exam_cli.cli.common import connect, current_session, workspace_option


@click.command(context_settings={"ignore_unknown_options": True})
@workspace_option
@click.argument("script", type=click.Path(path_type=Path))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def command(
    ctx: click.Context, workspace: Path | None, script: Path, arguments: tuple[str, ...]
) -> None:
    """Run a Python SCRIPT of the workspace in its container, in the script's own directory."""
    from exam_cli.sitting.work import run_script

    ctx.exit(run_script(current_session(workspace), connect(), script, arguments))
