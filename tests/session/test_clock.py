"""The exam's clock: what it shows whatever the machine's clocks do, and what the ledger keeps."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exam_cli.session import machine
from exam_cli.session.clock import Clock, clock, give_extra, start, witness
from exam_cli.session.ledger import Ledger
from exam_cli.session.ledger_errors import LedgerError
from exam_cli.session.machine import Reading
from tests.session.machine import NOON, Machine

HOUR = 3600.0
FIVE = 18000


@pytest.fixture
def here() -> Machine:
    return Machine()


@pytest.fixture
def ledger(tmp_path: Path, here: Machine) -> Ledger:
    ledger = here.ledger(tmp_path / "ledger")
    start(ledger, {"exam": "test"}, here)
    return ledger


def seen(ledger: Ledger, here: Machine, duration: int | None = FIVE) -> Clock:
    """Look as every command does."""
    return witness(ledger, duration, here)[0]


def kinds(ledger: Ledger) -> list[str]:
    return [event.kind for event in ledger.events()]


def whys(ledger: Ledger) -> list[str]:
    return [event.payload["why"] for event in ledger.events() if event.kind != "started"]


def test_nothing_runs_before_the_start(tmp_path: Path, here: Machine) -> None:
    with Ledger(tmp_path / "other") as ledger:
        ledger.append("opened", {})
        assert witness(ledger, FIVE, here) == (Clock(), None)
        assert kinds(ledger) == ["opened"]


@pytest.mark.parametrize(("hours", "left"), [(0, 5), (1, 4), (5, 0), (9, 0)])
def test_time_left(ledger: Ledger, here: Machine, hours: int, left: int) -> None:
    here.passes(hours * HOUR)
    deadline = NOON + timedelta(hours=5)
    assert clock(ledger, FIVE, here) == Clock(NOON, deadline, left * HOUR, hours * HOUR)


def test_without_a_duration_there_is_no_deadline_and_nothing_to_remember(
    ledger: Ledger, here: Machine
) -> None:
    here.passes(HOUR)
    here.is_set(-HOUR)
    assert seen(ledger, here, None) == Clock(NOON, None, None, HOUR)
    assert kinds(ledger) == ["started"]


def test_starting_again_does_not_set_it_back(ledger: Ledger, here: Machine) -> None:
    here.passes(HOUR)
    start(ledger, {}, here)
    assert clock(ledger, FIVE, here).elapsed == HOUR


def test_a_wall_clock_needs_a_time_zone_and_any_will_do(ledger: Ledger) -> None:
    abroad = (NOON + timedelta(hours=1)).astimezone(timezone(timedelta(hours=9)))
    assert clock(ledger, FIVE, lambda: Reading(abroad, "other", 0)).elapsed == HOUR
    with pytest.raises(ValueError, match="time zone"):
        clock(ledger, FIVE, lambda: Reading(datetime(2026, 6, 1, 13), "other", 0))


@pytest.mark.parametrize("by", [-2 * HOUR, -60, 60, 7 * HOUR])
def test_setting_the_machine_s_clock_moves_nothing_and_is_recorded_once(
    ledger: Ledger, here: Machine, by: float
) -> None:
    here.passes(HOUR)
    here.is_set(by)
    found, moved = witness(ledger, FIVE, here)
    assert (found.elapsed, found.seconds_left) == (HOUR, 4 * HOUR)
    assert found.deadline == NOON + timedelta(hours=5, seconds=by), "by the clock on the wall"
    assert moved is not None and moved.seconds == pytest.approx(by)
    (event,) = ledger.events("clock_moved")
    assert event.payload["moved_seconds"] == by and event.payload["elapsed"] == HOUR
    here.passes(60)
    found, moved = witness(ledger, FIVE, here)
    assert moved is None and kinds(ledger) == ["started", "clock_moved"]
    assert [move.seconds for move in found.moves] == [pytest.approx(by)]
    assert ledger.problems() == []


def test_what_a_clock_does_by_itself_is_no_move(ledger: Ledger, here: Machine) -> None:
    for drift in (2, -3, 20):
        here.passes(4 * 60)
        here.is_set(drift)
        assert witness(ledger, FIVE, here)[1] is None
    assert clock(ledger, FIVE, here).moves == ()


def test_over_a_restart_the_wall_clock_is_the_witness(ledger: Ledger, here: Machine) -> None:
    here.passes(HOUR)
    here.restarts(2 * HOUR)
    assert seen(ledger, here).elapsed == 3 * HOUR
    here.passes(60)
    here.is_set(-HOUR)
    assert seen(ledger, here).elapsed == 3 * HOUR + 60, "and from then on the other clock again"
    assert whys(ledger) == ["restart", "moved"]


def test_a_clock_set_back_over_a_restart_wins_no_more_than_the_last_minutes(
    ledger: Ledger, here: Machine
) -> None:
    for _ in range(60):
        here.passes(60)
        seen(ledger, here)
    here.passes(200)
    here.restarts(-5 * HOUR)
    found, moved = witness(ledger, FIVE, here)
    assert found.elapsed == HOUR
    assert moved is not None and moved.seconds == -5 * HOUR + 200
    assert clock(ledger, FIVE, here).moves == (moved,)


def test_a_clock_set_ahead_before_a_restart_and_right_again_after_it_wins_nothing(
    ledger: Ledger, here: Machine
) -> None:
    here.is_set(3 * HOUR)
    seen(ledger, here)
    here.restarts(3 * HOUR)
    here.is_set(-3 * HOUR)
    assert seen(ledger, here).elapsed == 3 * HOUR


def test_anchors_are_few(ledger: Ledger, here: Machine) -> None:
    for _ in range(FIVE // 10):
        here.passes(10)
        seen(ledger, here)
    assert len(ledger.events()) <= 2 + FIVE // 300
    assert whys(ledger)[-1] == "time_up"
    before = len(ledger.events())
    here.passes(5 * HOUR)
    seen(ledger, here)
    assert len(ledger.events()) == before, "an exam that is over is left in peace"


def test_once_up_the_time_stays_up(ledger: Ledger, here: Machine) -> None:
    here.passes(5 * HOUR)
    seen(ledger, here)
    here.restarts(-4 * HOUR)
    assert seen(ledger, here).seconds_left == 0


def test_extra_time(ledger: Ledger, here: Machine) -> None:
    here.passes(5 * HOUR + 60)
    assert seen(ledger, here).seconds_left == 0
    give_extra(ledger, 900, "fire alarm", "examiner")
    found = seen(ledger, here)
    assert found.seconds_left == 900 - 60 and found.extra_seconds == 900
    assert found.deadline == NOON + timedelta(hours=5, minutes=15)
    assert [one.reason for one in found.extras] == ["fire alarm"]
    give_extra(ledger, -600, "typed wrong", "examiner")
    assert seen(ledger, here).seconds_left == 300 - 60
    here.passes(900)
    assert seen(ledger, here).seconds_left == 0


def test_a_session_from_before_there_were_anchors_goes_on(tmp_path: Path, here: Machine) -> None:
    ledger = here.ledger(tmp_path / "old")
    ledger.append("started", {"exam": "mock", "edition": "tf2.21"})
    here.passes(HOUR)
    assert seen(ledger, here) == Clock(NOON, NOON + timedelta(hours=5), 4 * HOUR, HOUR)
    here.is_set(-HOUR)
    found, moved = witness(ledger, FIVE, here)
    assert found.elapsed == HOUR and moved is not None
    assert whys(ledger) == ["first", "moved"]


@pytest.mark.parametrize(
    "told", [{"wall": "yesterday"}, {"boot": None}, [], "noon", {"wall": 5, "up": 1, "elapsed": 1}]
)
def test_a_start_that_holds_no_time(tmp_path: Path, here: Machine, told: object) -> None:
    with Ledger(tmp_path / "ledger") as ledger:
        ledger.append("started", {"clock": told or "nothing"})
        with pytest.raises(LedgerError, match="row 1 holds no time"):
            clock(ledger, FIVE, here)


def test_a_ledger_that_another_holds_is_looked_at_all_the_same(
    ledger: Ledger, here: Machine
) -> None:
    here.passes(HOUR)
    here.is_set(-HOUR)
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        assert witness(ledger, FIVE, here)[0].elapsed == HOUR
        holder.execute("ROLLBACK")
    assert kinds(ledger) == ["started"]
    assert witness(ledger, FIVE, here)[1] is not None, "told by who can write it down"


def test_a_ledger_that_cannot_be_written_is_looked_at_all_the_same(
    open_dir: Path, as_user: AbstractContextManager[None], here: Machine
) -> None:
    with as_user:
        with here.ledger(open_dir / "ledger") as ledger:
            start(ledger, {}, here)
        here.passes(HOUR)
        (open_dir / "ledger").chmod(0o400)
        open_dir.chmod(0o500)
        with here.ledger(open_dir / "ledger") as ledger:
            assert seen(ledger, here).elapsed == HOUR
            assert kinds(ledger) == ["started"]


def test_two_commands_that_notice_at_once_notice_one_move(ledger: Ledger, here: Machine) -> None:
    here.is_set(-HOUR)
    now = here()
    with here.ledger(ledger.path) as other:
        # Both have read the anchors before either writes: what each would write is the same.
        for one in (ledger, other):
            payload = {
                "wall": now.wall.isoformat(), "boot": now.boot, "up": now.up, "elapsed": 0.0,
            }  # fmt: skip
            one.append("clock_moved", payload)
    assert len(clock(ledger, FIVE, here).moves) == 1


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("passes"), st.floats(0, 4000)),
        st.tuples(st.just("is_set"), st.floats(-1e6, 1e6)),
        st.tuples(st.just("restarts"), st.floats(-1e6, 1e6)),
    ),
    max_size=25,
)


@given(steps=STEPS)
@settings(max_examples=60, deadline=None)
def test_elapsed_never_decreases_whatever_the_wall_clock_does(
    steps: list[tuple[str, float]],
) -> None:
    here = Machine()
    with (
        tempfile.TemporaryDirectory() as directory,
        here.ledger(Path(directory, "ledger")) as ledger,
    ):
        start(ledger, {}, here)
        shown = 0.0
        for step, seconds in steps:
            getattr(here, step)(seconds)
            elapsed = seen(ledger, here).elapsed
            assert elapsed is not None
            if step == "restarts":
                # The minutes since the last anchor had no witness but the wall clock; and what has
                # been seen to be over stays over.
                assert elapsed >= FIVE or elapsed > shown - 300
            else:
                lived = seconds if step == "passes" else 0.0
                assert elapsed >= shown and elapsed - shown == pytest.approx(lived, abs=1e-3)
            shown = elapsed
            again = clock(ledger, FIVE, here).elapsed
            assert again == pytest.approx(shown, abs=1e-6), "another look sees the same"
        assert ledger.problems() == []


def test_this_machine_tells_both_of_its_clocks() -> None:
    one, other = machine.read(), machine.read()
    assert one.boot and one.boot == other.boot
    assert 0 < one.up <= other.up
    assert abs((one.wall - datetime.now(UTC)).total_seconds()) < 60
