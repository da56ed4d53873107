"""What a grade whose process was killed has left: told from what is in use, and removed.

A grade holds a shared lock on a file of its session for as long as it has containers, or a copy of
a model that is not whole. The kernel lets go of the lock however the process ends, so whoever holds
it alone knows that no grade of the session runs, and that all of that is a leftover.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exam_cli.engine.port import Engine, Listed
from exam_cli.grading.intake import PART
from exam_cli.grading.pool import is_waiting
from exam_cli.session.session import Session

_ROLES = ("predictor", "scorer")


@contextmanager
def grading(session: Session) -> Iterator[None]:
    """Keep what this session's grades use from being taken for leftovers. Raises OSError."""
    with _lock_file(session) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield


def leftovers(session: Session, engine: Engine) -> list[Listed]:
    """Return the session's grading containers that nobody uses; none while one of its grades runs.

    Raises OurFault, OSError.
    """
    with nobody_grades(session) as sure:
        return _grading_containers(session, engine) if sure else []


def tidy(session: Session) -> None:
    """Remove the session's files that are leftovers; do nothing while one of its grades runs.

    Raises OSError.
    """
    with nobody_grades(session) as sure:
        for place in (session.directory, session.snapshots) if sure else ():
            for left in place.glob(f"{PART}*"):
                shutil.rmtree(left, ignore_errors=True)


def clear(session: Session, engine: Engine) -> None:
    """Remove the session's containers that are leftovers; do nothing while one of its grades runs.

    Raises OurFault, OSError.
    """
    with nobody_grades(session) as sure:
        for state in _grading_containers(session, engine) if sure else []:
            engine.remove(state.id)


def _grading_containers(session: Session, engine: Engine) -> list[Listed]:
    found = engine.find({"exam.session": session.id})
    return [
        state
        for state in found
        if state.labels.get("exam.role") in _ROLES and not is_waiting(state)
    ]


@contextmanager
def nobody_grades(session: Session) -> Iterator[bool]:
    """Tell whether no grade of the session runs; none begins before the block ends."""
    with _lock_file(session) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@contextmanager
def _lock_file(session: Session) -> Iterator[int]:
    path: Path = session.directory / "grading.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
