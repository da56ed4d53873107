"""What several commands share: options, the engine, and how to find the session."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from exam_cli.engine.port import Engine
    from exam_cli.session.clock import Clock, Move
    from exam_cli.session.session import Session
    from exam_cli.sitting.clock import Look

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


def current_session(workspace: Path | None, *, shows_clock: bool = False) -> Session:
    """Return the session of a workspace, or of the current directory.

    When the command ends, it tells the time that is left, unless it `shows_clock` itself.
    """
    from exam_cli.session.session import NoSession, find_session

    if workspace is None:
        session = find_session(Path.cwd())
    else:
        session = find_session(workspace)
        if not workspace.exists() or not workspace.samefile(session.workspace):
            # A mistyped name must not mean the session of the directory above it.
            raise NoSession(f"{workspace} is no workspace: {session.workspace} is one, say.")
    context = click.get_current_context(silent=True)
    if context is not None and not shows_clock and session.rules.seconds is not None:
        quiet = bool(context.params.get("as_json"))
        begun = _look(session)  # now, too: whatever is done next may take hours
        if begun is not None and begun.moved is not None and not quiet:
            _tell_move(begun.moved)
        context.call_on_close(lambda: tell_time(session, quiet=quiet))
    return session


def _look(session: Session) -> Look | None:
    from exam_cli.errors import ExamError
    from exam_cli.sitting.clock import look

    try:
        return look(session)
    except (ExamError, OSError):
        return None  # the command itself meets that, or has no need to


def _tell_move(move: Move) -> None:
    from exam_cli.cli.screen import moved_sentence

    click.echo(moved_sentence(move), err=True)


def tell_time(session: Session, *, quiet: bool = False) -> None:
    """Tell on standard error how much of a limited exam is left; whoever is `quiet` hears nothing.

    What is left is told on a terminal only, for whoever reads the rest of it elsewhere has no use
    for it; that little is left, or that the machine's clock was set, is told anywhere.
    """
    from exam_cli.cli.screen import clock_warning, time_left

    now = _look(session)
    if now is None or quiet or now.submitted:
        return
    if now.moved is not None:
        _tell_move(now.moved)
    warning = clock_warning(now.clock)
    if warning is not None:
        _warn(warning, now.clock)
    elif sys.stderr.isatty() and now.clock.seconds_left is not None:
        click.secho(time_left(now.clock.seconds_left), err=True, dim=True)


def _warn(warning: str, clock: Clock) -> None:
    click.secho(warning, err=True, fg="yellow" if clock.seconds_left else "red")


class Warner:
    """For a command that runs on until the exam is over: tells each warning when it becomes due."""

    def __init__(self, session: Session, *, quiet: bool) -> None:
        self._session = session
        self._quiet = quiet
        self._told: int | None = None

    def over(self) -> bool:
        """Say whether the exam is over; on standard error, warn of what was not warned of yet."""
        from exam_cli.cli.screen import clock_warning, minutes_warned
        from exam_cli.sitting.rules import is_over

        now = None if self._quiet else _look(self._session)
        if now is not None and not now.submitted:
            due, warning = minutes_warned(now.clock), clock_warning(now.clock)
            if due and warning is not None and due != self._told:
                _warn(warning, now.clock)
            self._told = due
        return is_over(self._session)
