"""`exam restore`."""

from __future__ import annotations

from pathlib import Path

import click

from exam_cli.cli.common import current_session, workspace_option


@click.command()
@click.argument("section", metavar="N", type=int)
@click.argument("attempt", metavar="ATTEMPT", type=int)
@workspace_option
def command(section: int, attempt: int, workspace: Path | None) -> None:
    """Bring the model of section N's ATTEMPT back into the workspace.

    What lies there is moved into a directory beside it, never overwritten.
    """
    from exam_cli.cli.screen import show
    from exam_cli.sections.catalog import find_section
    from exam_cli.sitting.restore import restore

    session = current_session(workspace)
    done = restore(session, find_section(session.rules, section), attempt)
    show(f"Restored {done.model}")
    if done.replaced is not None:
        show(f"What was there before is in {done.replaced}")
