"""The ledger as its users see it."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exam_cli.session.chain import GENESIS, canonical, seal
from exam_cli.session.ledger import Event, Ledger

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=())),  # lone surrogates too
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
PAYLOADS = st.dictionaries(st.text(), JSON, max_size=5)


def test_events_come_back_as_they_were_returned(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger") as ledger:
        written = [ledger.append("started", {}), ledger.append_attempt(4, {"verdict": "scored"})]
    with Ledger(tmp_path / "ledger") as ledger:
        assert ledger.events() == written
        assert ledger.events("started") == written[:1]
        assert ledger.events("no_such_kind") == []
        assert ledger.problems() == []


def test_a_row_is_synced_before_append_returns(tmp_path: Path) -> None:
    """No test can pull the plug; SQLite promises it for these two settings."""
    with Ledger(tmp_path / "ledger") as ledger:
        asked = ledger._connection.execute
        assert asked("PRAGMA journal_mode").fetchone() == ("wal",)
        assert asked("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_chain_is_what_the_interface_says(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger") as ledger:
        events = [ledger.append("note", {"n": n}) for n in range(3)]
    assert [event.seq for event in events] == [1, 2, 3]
    assert events[0].previous == GENESIS
    for one, two in pairwise(events):
        assert two.previous == one.hash
    for e in events:
        assert e.hash == seal(e.seq, e.time, e.kind, e.payload, e.previous)


@settings(deadline=None, max_examples=60)  # the disk sets the pace
@given(payloads=st.lists(PAYLOADS, min_size=1, max_size=4))
def test_any_json_object_survives(
    tmp_path_factory: pytest.TempPathFactory, payloads: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("ledger") / "ledger"
    with Ledger(path) as ledger:
        events = [ledger.append("note", payload) for payload in payloads]
    assert [canonical(event.payload) for event in events] == [canonical(p) for p in payloads]
    with Ledger(path) as ledger:
        assert ledger.events() == events
        assert ledger.problems() == []


def test_payload_is_returned_as_a_reader_will_see_it(tmp_path: Path) -> None:
    payload: dict[str, Any] = {"shape": (9, 1), "scores": {1: 5}}
    with Ledger(tmp_path / "ledger") as ledger:
        event = ledger.append("note", payload)
        assert event.payload == {"shape": [9, 1], "scores": {"1": 5}}
        assert ledger.events() == [event]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"bytes", {1, 2}, Path("x")])
def test_what_json_cannot_hold_is_refused_and_leaves_no_row(tmp_path: Path, value: object) -> None:
    with Ledger(tmp_path / "ledger") as ledger:
        with pytest.raises((TypeError, ValueError)):
            ledger.append_attempt(1, {"value": value})
        assert ledger.append_attempt(1, {}).payload["attempt"] == 1


@pytest.mark.parametrize("kind", ["", "grade", "Started", "two words", "a\0b", "\ud800"])
def test_kinds_are_words_and_a_grade_cannot_go_uncounted(tmp_path: Path, kind: str) -> None:
    with Ledger(tmp_path / "ledger") as ledger, pytest.raises(ValueError, match="kind"):
        ledger.append(kind, {})


def test_attempts_are_counted_by_section(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger") as ledger:
        one = [ledger.append_attempt(1, {"verdict": "scored"}) for _ in range(2)]
        four = ledger.append_attempt(4, {"verdict": "rejected", "attempt": 99, "section": 99})
        assert [event.payload["attempt"] for event in one] == [1, 2]
        assert four.payload == {"verdict": "rejected", "attempt": 1, "section": 4}
        assert four.kind == "grade"
        assert ledger.attempts(1) == one
        assert ledger.attempts(4) == [four]
        assert ledger.attempts(2) == []


def test_our_failure_costs_no_attempt(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger") as ledger:
        ledger.append_attempt(1, {"verdict": "scored"})
        failed = ledger.append_attempt(1, {"verdict": "failed", "reason": "scorer_error"})
        assert failed.kind == "grade_failed"
        assert failed.payload["attempt"] is None
        assert len(ledger.attempts(1)) == 1
        assert ledger.append_attempt(1, {"verdict": "scored"}).payload["attempt"] == 2


def test_a_clock_that_goes_back_breaks_nothing(tmp_path: Path) -> None:
    noon = datetime(2025, 6, 1, 12, tzinfo=UTC)
    told = [noon, noon - timedelta(days=400), noon, noon.replace(year=2001)]
    clock = iter(told)
    with Ledger(tmp_path / "ledger", now=lambda: next(clock)) as ledger:
        events = [ledger.append_attempt(1, {}) for _ in told]
        assert [datetime.fromisoformat(event.time) for event in events] == told
        assert [event.payload["attempt"] for event in ledger.events()] == [1, 2, 3, 4]
        assert ledger.problems() == []
    assert events[0].time == "2025-06-01T12:00:00.000000+00:00"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET payload = '{}' WHERE seq = 1",
        "UPDATE OR REPLACE events SET seq = 2 WHERE seq = 1",
        "DELETE FROM events WHERE seq = 2",
        "INSERT OR REPLACE INTO events VALUES (1, 't', 'note', '{}', 'p', 'h')",
        "INSERT INTO events VALUES (7, 't', 'note', '{}', 'p', 'h')",
        "INSERT INTO events VALUES (-7, 't', 'note', '{}', 'p', 'h')",
    ],
)
def test_rows_cannot_be_changed_by_mistake(tmp_path: Path, statement: str) -> None:
    with Ledger(tmp_path / "ledger") as ledger:
        written = [ledger.append("note", {"n": n}) for n in range(2)]
        other = sqlite3.connect(tmp_path / "ledger")
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            other.execute(statement)
        other.close()
        assert ledger.events() == written


def test_two_ledgers_on_one_file_follow_each_other(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger") as one, Ledger(tmp_path / "ledger") as two:
        numbers = [
            ledger.append_attempt(1, {}).payload["attempt"] for ledger in (one, two, two, one)
        ]
        assert numbers == [1, 2, 3, 4]
        assert one.events() == two.events()
        assert one.problems() == []


def _append_some(path: Path) -> list[Event]:
    with Ledger(path) as ledger:  # at first use, all of them race to create it as well
        return [ledger.append_attempt(n % 2, {}) for n in range(20)]


def test_processes_that_write_at_once_count_as_one(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        written = [event for events in pool.map(_append_some, [path] * 4) for event in events]
    with Ledger(path) as ledger:
        assert ledger.events() == sorted(written, key=lambda event: event.seq)
        for section in (0, 1):
            numbers = [event.payload["attempt"] for event in ledger.attempts(section)]
            assert numbers == list(range(1, 41))
        assert ledger.problems() == []
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize("name", ["with space", "größe ☃", "per%20cent?mode=memory#x", "a'b\"c"])
def test_any_path_will_do(tmp_path: Path, name: str) -> None:
    directory = tmp_path / name
    directory.mkdir()
    for count in (1, 2):
        with Ledger(directory / "ledger") as ledger:
            assert ledger.append_attempt(1, {}).payload["attempt"] == count
    assert [path.name for path in directory.iterdir()] == ["ledger"]
