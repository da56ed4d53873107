"""How much of the exam is left, by the clock of this machine.

Nothing here defends against a candidate who turns that clock: on their own machine it is theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from exam_cli.session.ledger import Ledger
from exam_cli.session.ledger_errors import damaged


@dataclass(frozen=True)
class Clock:
    """Times are UTC. All None before the start; no deadline in an exam without a duration."""

    started: datetime | None
    deadline: datetime | None
    seconds_left: float | None
    elapsed: float | None


def clock(ledger: Ledger, duration_seconds: int | None, now: datetime) -> Clock:
    """Read the clock of a session at `now`; the first "started" event set it going.

    `elapsed` (seconds) never falls below 0 and `seconds_left` stays between 0 and the duration,
    also when the wall clock was turned back after the start.
    Raises ValueError for a `now` without a time zone, and LedgerError.
    """
    if now.tzinfo is None:
        raise ValueError("now must have a time zone")
    starts = ledger.events("started")
    if not starts:
        return Clock(None, None, None, None)
    try:
        started = datetime.fromisoformat(starts[0].time)
        elapsed = max(0.0, (now - started).total_seconds())
    except (TypeError, ValueError) as error:
        raise damaged(ledger.path, f"row {starts[0].seq} holds no time") from error
    if duration_seconds is None:
        return Clock(started, None, None, elapsed)
    deadline = started + timedelta(seconds=duration_seconds)
    return Clock(started, deadline, max(0.0, duration_seconds - elapsed), elapsed)
