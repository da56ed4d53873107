"""What several commands share: options, the engine, and how to find the session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from exam_cli.engine.port import Engine
    from exam_cli.session.session import Session

_F = TypeVar("_F", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


official_option = click.option(
    "--official",
    is_flag=True,
    help="Refuse unless every wall that the exam requires is seen to stand; nothing that a model "
    "prints is shown or kept.",
)
supervised_option = click.option(
    "--supervised", is_flag=True, help="Show and keep nothing that a model prints."
)


def workspace_option(command: _F) -> _F:
    """Add `--workspace`."""
    option = click.option(
        "--workspace",
        type=click.Path(path_type=Path),
        envvar="EXAM_WORKSPACE",
        help="The candidate's directory; by default the one that the current directory is in.",
    )
    return option(command)


def connect() -> Engine:
    """Return the container engine. Raises `EngineUnreachable`."""
    from exam_cli.engine.docker import DockerEngine

    return DockerEngine()


def current_session(workspace: Path | None) -> Session:
    """Return the session of a workspace, or of the current directory."""
    from exam_cli.session.session import NoSession, find_session

    if workspace is None:
        return find_session(Path.cwd())
    session = find_session(workspace)
    if not workspace.exists() or not workspace.samefile(session.workspace):
        # A mistyped name must not mean the session of the directory above it.
        raise NoSession(f"{workspace} is no workspace: {session.workspace} is one, say.")
    return session
