"""`exam attach`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from exam_cli.cli.common import connect, current_session, json_option, workspace_option

if TYPE_CHECKING:
    from exam_cli.session.session import Session
    from exam_cli.sitting.attach import Attached

_NEXT = {
    "pycharm": "In PyCharm (Pro): Settings, Python, Interpreter, Add Interpreter, On SSH, with "
    'what stands above, or "Existing" after --write. Sync folders are the mapping above, without '
    "automatic upload: both sides are the same files.",
    "vscode": 'In VS Code, after --write: "Reopen in Container" (Dev Containers), or "Connect to '
    'Host" (Remote-SSH) with the name above, and open /workspace. Closing VS Code stops nothing.',
}


@click.command()
@click.argument("tool", type=click.Choice(["jupyter", "pycharm", "vscode", "compose"]))
@workspace_option
@json_option
@click.option("--open", "open_it", is_flag=True, help="Jupyter: open it in the browser.")
@click.option(
    "--write",
    is_flag=True,
    help="PyCharm, VS Code: write what they read, in the workspace and in ~/.ssh; "
    "`exam down --purge` takes it back.",
)
def command(tool: str, workspace: Path | None, as_json: bool, open_it: bool, write: bool) -> None:
    """Tell how to get in: Jupyter's URL, an editor's way over SSH, compose.yaml's variables."""
    from exam_cli.errors import UsageError

    if open_it and tool != "jupyter":
        raise UsageError("--open is for jupyter: an editor is opened by hand.")
    if write and tool not in ("pycharm", "vscode"):
        raise UsageError(f"There is nothing to write for {tool}: leave out --write.")
    session = current_session(workspace)
    if tool == "jupyter":
        _jupyter(session, as_json, open_it)
    elif tool == "compose":
        _compose(session, as_json)
    else:
        _editor(session, "pycharm" if tool == "pycharm" else "vscode", as_json, write)


def _jupyter(session: Session, as_json: bool, open_it: bool) -> None:
    from exam_cli.errors import ExamError
    from exam_cli.workspace.container import running_jupyter

    jupyter = running_jupyter(connect(), session)
    if jupyter is None:
        raise ExamError("The workspace container is not running: `exam up` starts it.")
    if as_json:
        click.echo(json.dumps({"url": jupyter.url, "token": jupyter.token}))
    else:
        click.echo(jupyter.url)
    if open_it:
        click.launch(jupyter.url)


def _compose(session: Session, as_json: bool) -> None:
    from exam_cli.sitting.attach import compose_variables
    from exam_cli.workspace.compose import env_file

    values = compose_variables(session, connect())
    click.echo(json.dumps(values) if as_json else env_file(values), nl=as_json)


def _editor(
    session: Session, editor: Literal["pycharm", "vscode"], as_json: bool, write: bool
) -> None:
    from exam_cli.sitting.attach import attach

    found = attach(session, connect(), editor, write=write)
    if as_json:
        click.echo(json.dumps({**found.door.as_json(), **_files(found)}))
        return
    told = found.door.as_json()
    for name in ("host", "port", "user", "key", "interpreter", "workspace"):
        click.echo(f"{name.capitalize():<12}{told[name]}")
    click.echo(f"{'Mapping':<12}{found.door.local} -> {told['workspace']}")
    known = "" if found.files else ", once --write has put it into ~/.ssh/config.d"
    click.echo(f"{'Name':<12}{found.door.alias}{known}")
    click.echo(f"{'Terminal':<12}{found.door.typed()}")
    if found.files is not None:
        for path in found.files.written:
            click.echo(f"{'Written':<12}{path}")
        for path, why in found.files.left:
            click.echo(f"{'Left alone':<12}{path}: {why}")
    click.echo(_NEXT[editor])


def _files(found: Attached) -> dict[str, object]:
    if found.files is None:
        return {}
    left = {str(path): why for path, why in found.files.left}
    return {"written": [str(path) for path in found.files.written], "left_alone": left}
