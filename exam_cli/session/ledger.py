"""The append-only record of a session: one durable row an event, each sealed by the one before."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from exam_cli.errors import DiskFull
from exam_cli.files import sync_directory
from exam_cli.session import chain
from exam_cli.session.chain import GENESIS, Event, canonical
from exam_cli.session.ledger_errors import LedgerError, damaged, forged, sentences

__all__ = ["Event", "Ledger"]

_BUSY_SECONDS = 30.0
_IDENTITY = (0x4558414D, 1)  # application id ("EXAM") and version of the schema
_KIND = re.compile(r"[a-z][a-z0-9_]*")
_COLUMNS = "seq, time, kind, payload, previous, hash"

# AUTOINCREMENT makes SQLite remember the highest row there ever was, so that a cut tail shows.
# The trigger on INSERT is what stops INSERT OR REPLACE, which deletes without a DELETE trigger.
# WAL comes last, when the tables are in the file itself: on a full disk, closing would leave them
# in the WAL and say nothing, and the WAL of a draft does not come along when it gets its name.
_SCHEMA = f"""
PRAGMA synchronous = FULL;
BEGIN;
PRAGMA application_id = {_IDENTITY[0]};
PRAGMA user_version = {_IDENTITY[1]};
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    time TEXT NOT NULL,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE TRIGGER events_keep BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER events_stay BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER events_follow BEFORE INSERT ON events
    WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM events)
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
COMMIT;
PRAGMA journal_mode = WAL;
"""


class Ledger:
    """The ledger at `path`, made if there is none. For one thread; processes may share the file.

    Every method raises LedgerError (held by another program, not writable, damaged) or DiskFull.
    """

    def __init__(self, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.path = Path(path).absolute()
        self._now = now
        with sentences(self.path):
            if not self.path.exists():
                _create(self.path)
            # mode=rw: a name that vanished meanwhile is an error, not a fresh and empty ledger.
            try:
                self._open("mode=rw")
            except sqlite3.OperationalError:
                # In a directory that we may not write there is no room for what lies beside a
                # ledger in use. Nobody writes this one, so it can be read as it is.
                if _is_writable(self.path.parent) or _wal(self.path).exists():
                    raise
                self._open("mode=ro&immutable=1")

    def _open(self, mode: str) -> None:
        self._connection = sqlite3.connect(
            f"{self.path.as_uri()}?{mode}",
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,  # transactions are opened by hand, see _transaction
        )
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        # Text that is not UTF-8 must come out as a broken row, not as an exception of the driver.
        self._connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA fullfsync = ON")  # on macOS, fsync alone stays in a cache
        identity = tuple(
            self._connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("application_id", "user_version")
        )
        if identity != _IDENTITY:
            raise damaged(self.path, "it was not written by this version of the program")

    def append(self, kind: str, payload: Mapping[str, Any]) -> Event:
        """Write one event and return it as stored, once it is on the disk.

        Raises ValueError for a kind that is no lower-case word, or is "grade" (which must be
        counted: `append_attempt`); ValueError or TypeError for a payload that JSON cannot hold.
        """
        if not _KIND.fullmatch(kind) or kind == "grade":
            raise ValueError(f"no kind of event for append(): {kind!r}")
        with self._transaction():
            return self._insert(kind, payload)

    def try_append(self, kind: str, payload: Mapping[str, Any]) -> Event | None:
        """Append what the next command can write as well: None if the ledger takes nothing now.

        Another command that writes is not waited for. Raises what `append` raises for a wrong kind
        or payload.
        """
        self._connection.execute("PRAGMA busy_timeout = 0")
        try:
            return self.append(kind, payload)
        except (LedgerError, DiskFull):
            return None
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {int(1000 * _BUSY_SECONDS)}")

    def append_attempt(self, section: int, payload: Mapping[str, Any]) -> Event:
        """Count and write one grading of `section`, and return it as stored.

        Counting and writing are one transaction, so two processes never share a number. A payload
        whose verdict is "failed" (we are at fault) becomes a "grade_failed" without a number.
        Raises ValueError or TypeError for a payload that JSON cannot hold.
        """
        failed = payload.get("verdict") == "failed"
        with self._transaction():
            attempt = None if failed else len(self.attempts(section)) + 1
            numbered = {**payload, "section": section, "attempt": attempt}
            return self._insert("grade_failed" if failed else "grade", numbered)

    def events(self, kind: str | None = None) -> list[Event]:
        """Return the events, of one kind or all, in the order in which they were written."""
        events = []
        for row in self._rows("WHERE ?1 IS NULL OR kind = ?1", kind):
            try:
                events.append(Event.of(row))
            except ValueError as error:
                raise damaged(self.path, f"row {row[0]} cannot be read") from error
        return events

    def attempts(self, section: int) -> list[Event]:
        """Return the gradings of `section` that count, first to last."""
        return [event for event in self.events("grade") if event.payload.get("section") == section]

    def problems(self) -> list[str]:
        """Check the chain; return one sentence for each bad row, and none for a sound ledger."""
        with self._transaction():  # both answers from one moment, with no writer between them
            query = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence"
            highest = self._connection.execute(query).fetchone()[0]
            return chain.problems(self._rows(), highest)

    def require_sound(self) -> None:
        """Raise LedgerError (reason ledger_forged) that names the rows which are not as written."""
        found = self.problems()
        if found:
            raise forged(self.path, found)

    def close(self) -> None:
        """Let go of the file."""
        with sentences(self.path):
            self._connection.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Write alone. COMMIT returns after the fsync of the WAL; before it, nothing happened."""
        with sentences(self.path):
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _rows(self, where: str = "", *values: str | None) -> list[chain.Row]:
        with sentences(self.path):
            query = f"SELECT {_COLUMNS} FROM events {where} ORDER BY seq"
            return self._connection.execute(query, values).fetchall()

    def _insert(self, kind: str, payload: Mapping[str, Any]) -> Event:
        kept = json.loads(canonical(dict(payload)))  # what a reader will see: lists, string keys
        last = self._rows("WHERE seq = (SELECT max(seq) FROM events)")
        seq, previous = (last[0][0] + 1, last[0][5]) if last else (1, GENESIS)
        time = self._now().astimezone(UTC).isoformat(timespec="microseconds")
        digest = chain.seal(seq, time, kind, kept, previous)
        event = Event(seq, time, kind, kept, previous, digest)
        self._connection.execute(
            f"INSERT INTO events ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", event.row
        )
        return event


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _is_writable(directory: Path) -> bool:
    return os.access(directory, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _create(path: Path) -> None:
    """Make an empty ledger under another name first: a half-made one is never seen at `path`."""
    with tempfile.TemporaryDirectory(prefix=".ledger-", dir=path.parent) as directory:
        draft = Path(directory, path.name)
        draft.touch(mode=0o600)
        with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
            connection.executescript(_SCHEMA)
        with suppress(FileExistsError):  # another process was faster; its ledger is as good
            os.link(draft, path)
    sync_directory(path.parent)
