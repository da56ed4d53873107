"""A machine whose clocks a test moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from exam_cli.session import machine
from exam_cli.session.ledger import Ledger
from exam_cli.session.machine import Reading

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Machine:
    """Time passes when it is told to, the wall clock is set by hand, and it can be restarted."""

    def __init__(self) -> None:
        self.wall, self.up, self._starts = NOON, 5000.0, 1

    def __call__(self) -> Reading:
        return Reading(self.wall, f"start-{self._starts}", self.up)

    def now(self) -> datetime:
        return self.wall

    def passes(self, seconds: float) -> None:
        self.up += seconds
        self.wall += timedelta(seconds=seconds)

    def is_set(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)

    def restarts(self, off_seconds: float, up: float = 20.0) -> None:
        self.wall += timedelta(seconds=off_seconds)
        self.up = up
        self._starts += 1

    def ledger(self, path: Path) -> Ledger:
        return Ledger(path, now=self.now)


def ago(seconds: float) -> Reading:
    """Return what this very machine's clocks said a while ago."""
    now = machine.read()
    return Reading(now.wall - timedelta(seconds=seconds), now.boot, now.up - seconds)
