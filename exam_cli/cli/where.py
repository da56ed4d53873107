"""Which directory `exam up` means when none is named."""

from __future__ import annotations

from pathlib import Path

from exam_cli.session.session import NoSession, WorkspaceMoved, find_session


def workspace_for_up(named: Path | None) -> Path:
    """Return the named directory, else the session's around here, else ./workspace."""
    if named is not None:
        return named
    try:
        return find_session(Path.cwd()).workspace
    except WorkspaceMoved as moved:
        return moved.workspace
    except NoSession:
        return Path.cwd() / "workspace"
