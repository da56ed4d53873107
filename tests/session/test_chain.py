"""Whatever is changed behind the ledger's back shows, and shows where."""

from __future__ import annotations

import re
import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from exam_cli.session.chain import seal
from exam_cli.session.ledger import Ledger
from exam_cli.session.ledger_errors import LedgerError

ROWS = 6
waits_for_disk = settings(deadline=None, max_examples=60)
TRIGGERS = ("events_keep", "events_stay", "events_follow")


def tamper(path: Path, *statements: tuple[str, tuple[object, ...]]) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for trigger in TRIGGERS:
            connection.execute(f"DROP TRIGGER {trigger}")
        for statement, values in statements:
            connection.execute(statement, values)


@cache
def ledger_bytes() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "ledger")
        with Ledger(path) as ledger:
            for n in range(ROWS):
                ledger.append_attempt(1, {"n": n, "text": "é"})
        return path.read_bytes()  # a closed ledger is one file


def a_ledger(directory: Path) -> Path:
    path = directory / "ledger"
    path.write_bytes(ledger_bytes())
    return path


def problems(path: Path) -> list[str]:
    with Ledger(path) as ledger:
        return ledger.problems()


def named(sentence: str) -> list[int]:
    return [int(number) for number in re.findall(r"-?\d+", sentence)]


@waits_for_disk
@given(
    seq=st.integers(1, ROWS),
    column=st.sampled_from(["time", "kind", "payload", "previous", "hash"]),
    value=st.text(max_size=8)
    | st.binary(max_size=8)
    | st.integers(-9, 9)
    | st.sampled_from(["{}", "[]", "null", '{"n":NaN}', "[" * 100_000]),
)
def test_a_changed_row_is_named_alone(
    tmp_path_factory: pytest.TempPathFactory, seq: int, column: str, value: object
) -> None:
    path = a_ledger(tmp_path_factory.mktemp("ledger"))
    tamper(path, (f"UPDATE events SET {column} = ? WHERE seq = ?", (value, seq)))
    found = problems(path)
    assert [named(sentence) for sentence in found] == [[seq]]


@waits_for_disk
@given(seq=st.integers(1, ROWS), data=st.data())
def test_one_changed_character_is_named(
    tmp_path_factory: pytest.TempPathFactory, seq: int, data: st.DataObject
) -> None:
    path = a_ledger(tmp_path_factory.mktemp("ledger"))
    column = data.draw(st.sampled_from(["time", "kind", "payload", "previous", "hash"]))
    with closing(sqlite3.connect(path)) as connection:
        query = f"SELECT {column} FROM events WHERE seq = ?"
        (old,) = connection.execute(query, (seq,)).fetchone()
    place = data.draw(st.integers(0, len(old)))
    new = old[:place] + data.draw(st.sampled_from(["", " ", "0", "a", "\n"])) + old[place + 1 :]
    assume(new != old)
    tamper(path, (f"UPDATE events SET {column} = ? WHERE seq = ?", (new, seq)))
    assert [named(sentence) for sentence in problems(path)] == [[seq]]


@waits_for_disk
@given(first=st.integers(1, ROWS), count=st.integers(1, ROWS))
def test_rows_taken_out_are_missed_at_the_end_too(
    tmp_path_factory: pytest.TempPathFactory, first: int, count: int
) -> None:
    path = a_ledger(tmp_path_factory.mktemp("ledger"))
    last = min(first + count - 1, ROWS)
    tamper(path, ("DELETE FROM events WHERE seq BETWEEN ? AND ?", (first, last)))
    (sentence,) = problems(path)
    assert named(sentence) == ([first] if first == last else [first, last])


@waits_for_disk
@given(seq=st.integers(1, ROWS - 1))
def test_a_row_sealed_anew_does_not_fit_the_next(
    tmp_path_factory: pytest.TempPathFactory, seq: int
) -> None:
    path = a_ledger(tmp_path_factory.mktemp("ledger"))
    with Ledger(path) as ledger:
        event = ledger.events()[seq - 1]
    digest = seal(seq, event.time, event.kind, {}, event.previous)
    tamper(path, ("UPDATE events SET payload = '{}', hash = ? WHERE seq = ?", (digest, seq)))
    assert [named(sentence) for sentence in problems(path)] == [[seq + 1, seq]]


def test_a_row_put_in_before_the_first_is_named(tmp_path: Path) -> None:
    path = a_ledger(tmp_path)
    tamper(path, ("INSERT INTO events VALUES (-3, 't', 'note', '{}', 'p', 'h')", ()))
    assert named(problems(path)[0]) == [-3]


def test_text_that_is_not_utf8_is_a_bad_row_not_an_accident(tmp_path: Path) -> None:
    path = a_ledger(tmp_path)
    tamper(path, ("UPDATE events SET kind = CAST(x'ff' AS TEXT) WHERE seq = 2", ()))
    assert [named(sentence) for sentence in problems(path)] == [[2]]


def test_reading_an_unreadable_row_says_which(tmp_path: Path) -> None:
    path = a_ledger(tmp_path)
    tamper(path, ("UPDATE events SET payload = 'x' WHERE seq = 3", ()))
    with Ledger(path) as ledger, pytest.raises(LedgerError, match="row 3 cannot be read"):
        ledger.events()


def test_what_needs_a_sound_ledger_refuses_another_and_names_rows(tmp_path: Path) -> None:
    path = a_ledger(tmp_path)
    with Ledger(path) as ledger:
        ledger.require_sound()
    tamper(path, ("UPDATE events SET payload = '{}' WHERE seq > ?", (0,)))
    with Ledger(path) as ledger, pytest.raises(LedgerError) as refusal:
        ledger.require_sound()
    assert refusal.value.reason == "ledger_forged" and refusal.value.exit_status == 1
    assert "Row 5 was changed" in str(refusal.value) and "And 1 more." in str(refusal.value)
