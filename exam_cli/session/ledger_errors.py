"""What SQLite says, as sentences that a person can act on."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exam_cli.errors import DiskFull, ExamError
from exam_cli.files import writing


class LedgerError(ExamError):
    """The ledger cannot be read or written; what it holds was left as it is."""

    reason = "ledger"


# Primary result codes (https://www.sqlite.org/rescode.html); the low byte of the extended ones.
# A code that is not here is a fault of this program and is not dressed up as anything else.
_BUSY = "is held by another program; end that program, or wait for it, and run the command again"
_CLOSED = "cannot be opened for writing; make the file and its directory writable for you"
_DAMAGED = (
    "is damaged and was left as it is; keep a copy of it and of the -wal file beside it, "
    "and put back a backup or ask your examiner"
)
_UNREADABLE = (
    "cannot be read or written by this machine; check the disk, then run the command again"
)
_SIGNATURES: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_BUSY: ("ledger_busy", _BUSY),
    sqlite3.SQLITE_LOCKED: ("ledger_busy", _BUSY),
    sqlite3.SQLITE_PROTOCOL: ("ledger_busy", _BUSY),
    sqlite3.SQLITE_PERM: ("ledger_read_only", _CLOSED),
    sqlite3.SQLITE_READONLY: ("ledger_read_only", _CLOSED),
    sqlite3.SQLITE_CANTOPEN: ("ledger_read_only", _CLOSED),
    sqlite3.SQLITE_CORRUPT: ("ledger_corrupt", _DAMAGED),
    sqlite3.SQLITE_NOTADB: ("ledger_corrupt", _DAMAGED),
    sqlite3.SQLITE_IOERR: ("ledger_io", _UNREADABLE),
}
# SQLite asks for room in several steps, and reports a full disk in some of them (the shared
# memory beside the WAL, say) as an input or output error, or as a file that cannot be opened.
_MAY_BE_FULL = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
_MOST_NAMED = 5  # rows
_NEARLY_FULL = 64 * 1024  # bytes: the shared-memory file grows by 32 KiB


def damaged(path: Path, what: str) -> LedgerError:
    """Return the error for a ledger that opens but does not hold what it must."""
    return LedgerError(f"The ledger {path} {_DAMAGED} ({what}).", reason="ledger_corrupt")


def forged(path: Path, problems: list[str]) -> LedgerError:
    """Return the error for a ledger whose chain is broken; `problems` name the rows."""
    shown = " ".join(problems[:_MOST_NAMED])
    more = len(problems) - _MOST_NAMED
    return LedgerError(
        f"The ledger {path} is not as it was written: {shown}"
        + (f" And {more} more." if more > 0 else "")
        + " Put back a backup, or ask your examiner.",
        reason="ledger_forged",
    )


@contextmanager
def sentences(path: Path) -> Iterator[None]:
    """Turn what goes wrong with the ledger at `path` into one sentence.

    Raises DiskFull when no room is left, and LedgerError (reason ledger_busy, ledger_read_only,
    ledger_corrupt or ledger_io) for the rest.
    """
    try:
        with writing(path):
            yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", -1) & 0xFF
        if code == sqlite3.SQLITE_FULL or (code in _MAY_BE_FULL and _is_full(path)):
            raise DiskFull(
                f"No room is left for the ledger {path}; free some space and run the command again."
            ) from error
        if code not in _SIGNATURES:
            raise
        reason, sentence = _SIGNATURES[code]
        raise LedgerError(f"The ledger {path} {sentence}.", reason=reason) from error


def _is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < _NEARLY_FULL
    except OSError:
        return False
