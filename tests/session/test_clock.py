from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from exam_cli.session.clock import Clock, clock
from exam_cli.session.ledger import Ledger

START = datetime(2025, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def started(tmp_path: Path) -> Ledger:
    ledger = Ledger(tmp_path / "ledger", now=lambda: START)
    ledger.append("started", {})
    return ledger


def test_nothing_runs_before_the_start(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger") as ledger:
        ledger.append("opened", {})
        assert clock(ledger, 3600, START) == Clock(None, None, None, None)


@pytest.mark.parametrize(
    ("after", "elapsed", "left"),
    [
        (timedelta(0), 0, 18000),
        (HOUR, 3600, 14400),
        (5 * HOUR, 18000, 0),
        (9 * HOUR, 9 * 3600, 0),
        (-HOUR, 0, 18000),  # the wall clock was turned back
    ],
)
def test_time_left(started: Ledger, after: timedelta, elapsed: float, left: float) -> None:
    deadline = START + 5 * HOUR
    assert clock(started, 18000, START + after) == Clock(START, deadline, left, elapsed)


def test_without_a_duration_there_is_no_deadline(started: Ledger) -> None:
    assert clock(started, None, START + HOUR) == Clock(START, None, None, 3600)


def test_starting_again_does_not_set_it_back(started: Ledger, tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger", now=lambda: START + HOUR) as later:
        later.append("started", {})
    assert clock(started, 18000, START + HOUR).elapsed == 3600


def test_any_time_zone_will_do_but_none_will_not(started: Ledger) -> None:
    abroad = (START + HOUR).astimezone(timezone(timedelta(hours=9)))
    assert clock(started, 18000, abroad).elapsed == 3600
    with pytest.raises(ValueError, match="time zone"):
        clock(started, 18000, datetime(2025, 6, 1, 12))
