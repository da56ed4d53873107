"""Look at a session's clock: what is due is written down, and the display in Jupyter follows."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import Any

from exam_cli.errors import ExamError
from exam_cli.files import read_small_file, write_file
from exam_cli.session import machine
from exam_cli.session.clock import Clock, Move, give_extra, witness
from exam_cli.session.ledger import Ledger
from exam_cli.session.machine import Read, Reading
from exam_cli.session.session import Session
from exam_cli.sitting.rules import SUBMITTED

DISPLAY = "clock.json"  # in the workspace's .exam
_MOST_DISPLAYED = 4096  # bytes


@dataclass(frozen=True)
class Look:
    """What a look at the clock found; `moved` is what was noticed and recorded just now."""

    clock: Clock
    submitted: bool
    moved: Move | None


def look(session: Session, read: Read = machine.read) -> Look:
    """Look at the clock of a session.

    Harmless at any time and for any ledger that can be read: see `witness`. Raises LedgerError.
    """
    now = read()
    with Ledger(session.ledger_path) as ledger:
        submitted = bool(ledger.events(SUBMITTED))
        seconds = None if submitted else session.rules.seconds
        clock, moved = witness(ledger, seconds, lambda: now)
    _display(session, clock, now, submitted)
    return Look(clock, submitted, moved)


def extend(session: Session, seconds: int, reason: str, by: str) -> Clock:
    """Give a session more time, or take some back (below 0); return its clock.

    Raises `ExamError` where that means nothing: no limit, an exam that was submitted, or more taken
    back than was given.
    """
    rules = session.rules
    if rules.seconds is None:
        raise ExamError(
            f"The exam {rules.exam} of session {session.id} has no time limit: there is nothing "
            "to extend.",
            reason="no_time_limit",
        )
    before = look(session)
    if before.submitted:
        raise ExamError(
            f"Session {session.id} has submitted its exam: no time can be given any more.",
            reason="submitted",
        )
    if before.clock.extra_seconds + seconds < 0:
        raise ExamError(
            f"Session {session.id} was given {before.clock.extra_seconds // 60} minutes: no more "
            "than that can be taken back.",
            reason="not_given",
        )
    with Ledger(session.ledger_path) as ledger:
        give_extra(ledger, seconds, reason, by)
    return look(session).clock


def _display(session: Session, clock: Clock, now: Reading, submitted: bool) -> None:
    """Tell Jupyter, which may only look: a file in the workspace, rewritten when it would differ.

    The end is told by both clocks. The container has the machine's kernel, or that of a virtual
    machine, where only the wall clock means the same.
    """
    told: dict[str, Any] = {"limit": False, "submitted": submitted}
    if clock.seconds_left is not None and clock.elapsed is not None and clock.deadline is not None:
        given = (session.rules.seconds or 0) + clock.extra_seconds
        told |= {
            "limit": True,
            "boot": now.boot,
            "end_up": round(now.up + given - clock.elapsed, 1),
            "end_wall": round(clock.deadline.timestamp(), 0),
            "extra": clock.extra_seconds,
        }
    text = json.dumps(told).encode()
    path = session.workspace / ".exam" / DISPLAY
    # A workspace that is gone, read-only or full is for other code to complain about.
    with contextlib.suppress(OSError):
        ours = path.parent.is_dir() and not path.parent.is_symlink()
        if ours and read_small_file(path, _MOST_DISPLAYED) != text:
            write_file(path, text, mode=0o644)
