"""Which session a directory belongs to: begin one, find it again, follow it when it moves.

Two notes tie a workspace to its record: `.exam/session` in the workspace holds the id, the record
holds the workspace's path. The candidate can move, copy, delete and edit the first, never the
second; so a mark counts only where the record agrees.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from exam_cli.config.exam import Exam
from exam_cli.errors import ExamError
from exam_cli.files import locked, read_small_file, sync_directory, write_file, writing
from exam_cli.session import lost, record
from exam_cli.session.lost import NoSession, WorkspaceMoved
from exam_cli.session.record import Session, all_sessions, sessions_dir

__all__ = [
    "NoSession",
    "Session",
    "WorkspaceMoved",
    "adopt",
    "all_sessions",
    "change_variant",
    "find_session",
    "forget",
    "known_session",
    "start_session",
]

_ID = re.compile(rb"([0-9a-f]{12})\s*")


def start_session(workspace: Path, exam: Exam, edition: str, variant: str) -> Session:
    """Return the session of `workspace`, made now if there is none; the directory is made too.

    A session that exists keeps its exam, edition and variant, and gets back a directory or a mark
    that was deleted. Commands at the same time get the same session.
    Raises NoSession (WorkspaceMoved, a copy, a lost record) rather than begin again for a workspace
    that has a mark; DiskFull; ExamError when something cannot be written.
    """
    workspace = workspace.resolve()
    root = sessions_dir()
    with writing(root):
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(root / ".lock"):
            session = known_session(workspace)
            if session is None:
                session = record.create(workspace, exam, edition, variant)
            _mark(workspace, session.id)
    return session


def find_session(start: Path) -> Session:
    """Return the session of `start`, of `start`/"workspace", or of the nearest parent.

    Raises NoSession, with one sentence for each way to have none: there is none; the workspace was
    moved (WorkspaceMoved), copied, deleted, or has lost its mark; the record is gone or damaged.
    """
    start = start.resolve()
    recorded = _by_workspace()
    for place in (start, start / "workspace", *start.parents):
        session = _marked(place)
        if session is not None:
            return session
        if place in recorded:
            raise lost.workspace_gone(recorded[place])
    raise lost.nowhere(start)


def adopt(session: Session, new_path: Path) -> Session:
    """Record that the workspace of `session` is now `new_path`; return the session as it is now.

    Raises NoSession when the directory there does not bear the mark of this session, DiskFull or
    ExamError when the record cannot be written.
    """
    new_path = new_path.resolve()
    if _read_mark(new_path) != session.id:
        raise lost.not_its_workspace(session.id, new_path)
    moved = replace(session, workspace=new_path)
    with writing(session.directory), locked(sessions_dir() / ".lock"):
        record.save(moved)
    return moved


def known_session(workspace: Path) -> Session | None:
    """Return the session of `workspace` if there is one; nothing is made. Raises as the others."""
    workspace = workspace.resolve()
    return _marked(workspace) or _by_workspace().get(workspace)


def change_variant(session: Session, variant: str) -> Session:
    """Record that `session` goes on in another variant of its edition; return it as it is now.

    Raises DiskFull or ExamError when the record cannot be written.
    """
    with writing(session.directory), locked(sessions_dir() / ".lock"):
        changed = replace(record.load(session.directory), variant=variant)
        record.save(changed)
    return changed


def forget(session: Session) -> None:
    """Remove the record of `session` for good, and the mark; the candidate's files stay.

    Raises ExamError when something cannot be removed.
    """
    with writing(session.directory), locked(sessions_dir() / ".lock"):
        # The mark goes first: killed in between, the record can still be found by its path.
        if _read_mark(session.workspace) == session.id:
            _mark_path(session.workspace).unlink()
        record.remove(session)


def _by_workspace() -> dict[Path, Session]:
    """Sessions by recorded path; where two name the same one, that which was written last."""
    return {session.workspace: session for session in all_sessions()}


def _marked(place: Path) -> Session | None:
    """Return the session whose mark `place` bears, None without a mark. Raises NoSession."""
    id = _read_mark(place)
    if id is None:
        return None
    directory = sessions_dir() / id
    if not directory.is_dir():
        raise lost.record_gone(id, directory, _mark_path(place))
    session = record.load(directory)
    if _is_same(place, session.workspace):
        return session
    if _read_mark(session.workspace) == id:
        raise lost.copied(session, place)
    raise WorkspaceMoved(session, place)


def _is_same(one: Path, other: Path) -> bool:
    """Same directory, also by another spelling or mount."""
    try:
        return one == other or one.samefile(other)
    except OSError:
        return False


def _mark_path(workspace: Path) -> Path:
    return workspace / ".exam" / "session"


def _read_mark(workspace: Path) -> str | None:
    """Return the id; None for anything else, for the candidate's programs may write here."""
    found = _ID.fullmatch(read_small_file(_mark_path(workspace), limit=64) or b"")
    return found[1].decode() if found else None


def _mark(workspace: Path, id: str) -> None:
    path = _mark_path(workspace)
    with writing(workspace):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.parent.is_symlink():  # or we would write outside the workspace
            raise ExamError(
                f"{path.parent} is a link to elsewhere; delete it and run `exam up` again.",
                reason="not_writable",
            )
        if _read_mark(workspace) != id:
            write_file(path, f"{id}\n".encode(), mode=0o644)
        sync_directory(workspace)
        sync_directory(workspace.parent)
