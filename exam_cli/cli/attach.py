"""`exam attach`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from exam_cli.cli.common import connect, current_session, json_option, workspace_option


@click.command()
@click.argument("tool", type=click.Choice(["jupyter"]))
@workspace_option
@json_option
@click.option("--open", "open_it", is_flag=True, help="Open it in the browser.")
def command(tool: str, workspace: Path | None, as_json: bool, open_it: bool) -> None:
    """Tell how to get in: the URL of Jupyter, for a browser, PyCharm or VS Code."""
    from exam_cli.errors import ExamError
    from exam_cli.workspace.container import running_jupyter

    jupyter = running_jupyter(connect(), current_session(workspace))
    if jupyter is None:
        raise ExamError("The workspace container is not running: `exam up` starts it.")
    if as_json:
        click.echo(json.dumps({"url": jupyter.url, "token": jupyter.token}))
    else:
        click.echo(jupyter.url)
    if open_it:
        click.launch(jupyter.url)
