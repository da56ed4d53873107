"""How much of an exam is left; the ledger is its memory.

The machine's wall clock can be set by whoever owns the machine, so it is not what counts. The
ledger holds anchors: moments at which so much of the exam had passed, by a clock that runs since
the machine's start and that nobody can set (`machine.py`). While that start lasts, time is what
this clock has counted since an anchor. Between two starts the wall clock is the only witness: what
it says is taken, but never less than what an anchor has seen already, nor less than it says of the
whole time since the beginning. Where both clocks disagree, or the wall clock comes back from a
restart earlier than it went, that is an event of its own.

An anchor is written with the start, after a restart, when the clocks disagree, when the time is up,
and else at most every five minutes, by whatever command comes by: turning back the clock of a
machine that is switched off wins what has passed since the last one, and no more.

On their own machine all of this is the candidate's to change; the ledger's chain shows who does it
clumsily, and nothing here stops who writes a whole new ledger.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from exam_cli.session import machine
from exam_cli.session.ledger import Event, Ledger
from exam_cli.session.ledger_errors import damaged
from exam_cli.session.machine import Read, Reading

# Kinds of events.
STARTED = "started"  # the first one sets the clock going
ANCHOR = "clock"
MOVED = "clock_moved"  # an anchor, too
EXTRA = "extra_time"

_TOLERANCE = 30.0  # seconds that the two clocks may drift apart between two anchors
_SELDOM = 300.0  # seconds between anchors that nothing but time gives reason for


@dataclass(frozen=True)
class Move:
    """The wall clock was set: by so many seconds, seen at that time of its new reckoning."""

    seen: datetime
    seconds: float


@dataclass(frozen=True)
class Extra:
    """Time that an examiner gave, or took back, and why."""

    given: str  # as the ledger has it: UTC, ISO 8601
    seconds: int
    reason: str


@dataclass(frozen=True)
class Clock:
    """A session's clock at a moment. All None before the start; no deadline without a duration.

    Args:
        started: by the wall clock of that time, UTC.
        deadline: by the wall clock of now, UTC.
        seconds_left: 0 when the time is up.
        elapsed: seconds since the start.
        extras: time given beyond the exam's duration.
        moves: what was seen of the wall clock being set.
    """

    started: datetime | None = None
    deadline: datetime | None = None
    seconds_left: float | None = None
    elapsed: float | None = None
    extras: tuple[Extra, ...] = ()
    moves: tuple[Move, ...] = ()

    @property
    def extra_seconds(self) -> int:
        """All the time given beyond the exam's duration."""
        return sum(one.seconds for one in self.extras)


@dataclass(frozen=True)
class _Anchor:
    wall: datetime
    boot: str | None
    up: float
    elapsed: float


def start(ledger: Ledger, payload: dict[str, Any], read: Read = machine.read) -> None:
    """Set the clock of a session going. Raises LedgerError, DiskFull."""
    ledger.append(STARTED, {**payload, "clock": _told(read(), 0.0)})


def clock(ledger: Ledger, duration_seconds: int | None, read: Read = machine.read) -> Clock:
    """Return what the clock of a session shows; nothing is written. Raises LedgerError."""
    return _at(_anchors(ledger), _extras(ledger), duration_seconds, read())


def witness(
    ledger: Ledger, duration_seconds: int | None, read: Read = machine.read
) -> tuple[Clock, Move | None]:
    """Return what the clock shows, and have the ledger remember it where that is due.

    Also the move of the wall clock that was noticed and recorded just now. A ledger that is held by
    another command, or cannot be written, is left for the next command to write; where there is no
    duration, nothing needs to be remembered. Raises LedgerError when it cannot be read.
    """
    anchors, now = _anchors(ledger), read()
    found = _at(anchors, _extras(ledger), duration_seconds, now)
    if duration_seconds is None or found.elapsed is None:
        return found, None
    last, here = anchors[-1], _Anchor(now.wall, now.boot, now.up, found.elapsed)
    move = next(_moves([last, here]), None)
    why = "moved" if move else _due(last, here, duration_seconds + found.extra_seconds)
    if why is None:
        return found, None
    payload = {**_told(now, found.elapsed), "why": why}
    if move is not None:
        payload["moved_seconds"] = round(move.seconds, 3)
    written = ledger.try_append(MOVED if move else ANCHOR, payload)
    return found, move if written else None


def give_extra(ledger: Ledger, seconds: int, reason: str, by: str) -> None:
    """Record time that an examiner gives, or takes back (below 0). Raises LedgerError, DiskFull."""
    ledger.append(EXTRA, {"seconds": seconds, "reason": reason, "by": by})


def _at(
    anchors: list[_Anchor],
    extras: tuple[Extra, ...],
    duration_seconds: int | None,
    now: Reading,
) -> Clock:
    if now.wall.tzinfo is None:
        raise ValueError("the wall clock must have a time zone")
    if not anchors:
        return Clock(extras=extras)
    started, elapsed = anchors[0].wall, _elapsed(anchors, now)
    moves = tuple(_moves(anchors))
    if duration_seconds is None:
        return Clock(started, None, None, elapsed, extras, moves)
    allowed = duration_seconds + sum(one.seconds for one in extras)
    begun = started
    if abs((now.wall - started).total_seconds() - elapsed) > _TOLERANCE:
        begun = (now.wall - timedelta(seconds=elapsed)).replace(microsecond=0)
    deadline = begun + timedelta(seconds=allowed)
    return Clock(started, deadline, max(0.0, allowed - elapsed), elapsed, extras, moves)


def _elapsed(anchors: list[_Anchor], now: Reading) -> float:
    """Return the seconds since the first anchor; never less than the latest of them has."""
    counted = [
        one.elapsed + now.up - one.up
        for one in anchors
        if one.boot is not None and one.boot == now.boot
    ]
    if not counted:
        counted = [
            one.elapsed + (now.wall - one.wall).total_seconds() for one in (anchors[0], anchors[-1])
        ]
    return max(*counted, *(one.elapsed for one in anchors))


def _due(last: _Anchor, here: _Anchor, allowed: float) -> str | None:
    """Return why an anchor is due, if it is; once one has seen the end, time alone is no reason."""
    if last.boot != here.boot:
        return "restart" if last.boot else "first"
    if last.elapsed >= allowed:
        return None
    if here.elapsed >= allowed:
        return "time_up"
    return "passing" if here.elapsed - last.elapsed >= _SELDOM else None


def _moves(anchors: list[_Anchor]) -> Iterator[Move]:
    """Yield what the wall clock did between anchors that no clock ever does by itself."""
    for before, after in pairwise(anchors):
        gap = (after.wall - before.wall).total_seconds()
        if before.boot is not None and before.boot == after.boot:
            gap -= after.up - before.up
        else:
            gap = min(0.0, gap)  # nobody knows how long the machine was off
        if abs(gap) > _TOLERANCE:
            yield Move(after.wall, gap)


def _anchors(ledger: Ledger) -> list[_Anchor]:
    """Return the anchors in the order in which they were written; the first is the start."""
    starts = ledger.events(STARTED)
    if not starts:
        return []
    later = sorted(ledger.events(ANCHOR) + ledger.events(MOVED), key=lambda event: event.seq)
    return [_anchor(event, ledger) for event in (starts[0], *later)]


def _anchor(event: Event, ledger: Ledger) -> _Anchor:
    told = event.payload
    if event.kind == STARTED:
        # A session from before there were anchors has its wall clock alone.
        told = told.get("clock") or {"wall": event.time, "boot": None, "up": 0, "elapsed": 0}
    try:
        wall = datetime.fromisoformat(told["wall"]).astimezone(UTC)
        return _Anchor(wall, told["boot"], float(told["up"]), float(told["elapsed"]))
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(ledger.path, f"row {event.seq} holds no time") from error


def _extras(ledger: Ledger) -> tuple[Extra, ...]:
    found = []
    for event in ledger.events(EXTRA):
        try:
            seconds = int(event.payload["seconds"])
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(ledger.path, f"row {event.seq} holds no time") from error
        found.append(Extra(event.time, seconds, str(event.payload.get("reason", ""))))
    return tuple(found)


def _told(now: Reading, elapsed: float) -> dict[str, Any]:
    """Return an anchor as the ledger keeps it."""
    wall = now.wall.astimezone(UTC).isoformat(timespec="microseconds")
    return {"wall": wall, "boot": now.boot, "up": now.up, "elapsed": elapsed}
