"""The ways not to find a session: each its own sentence, with what to do about it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from exam_cli.errors import ExamError

if TYPE_CHECKING:
    from exam_cli.session.record import Session


class NoSession(ExamError):
    """There is no session to work with."""

    reason = "no_session"


class WorkspaceMoved(NoSession):
    """A workspace lies elsewhere than its record says: `adopt(error.session, error.workspace)`."""

    def __init__(self, session: Session, workspace: Path) -> None:
        super().__init__(
            f"The workspace of session {session.id} was moved from {session.workspace} to "
            f"{workspace}; run `{_up(workspace)}` to go on with it there."
        )
        self.session = session
        self.workspace = workspace


def nowhere(start: Path) -> NoSession:
    """No note of any session."""
    return NoSession(
        f"There is no session in {start}, above it, or in {start / 'workspace'}; "
        "change to the directory of your exam, or run `exam up` to begin one here."
    )


def copied(session: Session, workspace: Path) -> NoSession:
    """The mark is known, and the true workspace is still in its place."""
    return NoSession(
        f"{workspace} is a copy of the workspace {session.workspace} of session {session.id}; "
        f"work in that one, or delete {workspace / '.exam'} to make the copy a plain directory."
    )


def workspace_gone(session: Session) -> NoSession:
    """The record knows a workspace that is not there, or that has lost its mark."""
    what = "has lost its mark" if session.workspace.is_dir() else "was deleted or moved"
    return NoSession(
        f"The workspace {session.workspace} of session {session.id} {what}; "
        f"run `{_up(session.workspace)}` to lay it out again (the record is kept), or the same "
        "with its new place if it was moved."
    )


def record_gone(id: str, directory: Path, mark: Path) -> NoSession:
    """The mark names a session without a record."""
    return NoSession(
        f"The record of session {id} is not in {directory.parent}; set EXAM_HOME to where it is "
        f"kept, or delete {mark} and run `exam up` to begin a new session."
    )


def record_damaged(directory: Path, what: str) -> NoSession:
    """The record is there but not whole."""
    return NoSession(
        f"The record {directory} is damaged ({what}) and was left as it is; "
        "put it back from a backup, or ask your examiner."
    )


def not_its_workspace(id: str, path: Path) -> NoSession:
    """A directory without the mark of the session that is to move there."""
    return NoSession(
        f"{path} is not the workspace of session {id}: it bears no mark of it; "
        "name the directory that the workspace was moved to."
    )


def _up(workspace: Path) -> str:
    return f"exam up --workspace {shlex.quote(str(workspace))}"
