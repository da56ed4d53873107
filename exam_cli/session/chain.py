"""The hash chain: what an event is, how it is sealed, and what a broken chain looks like.

The chain shows that a row was changed, taken out or put in. It does not stop an owner of the file
from writing a whole new chain; only a signature made elsewhere (a receipt) can show that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

GENESIS = "0" * 64  # what the first row continues

# A row as it lies in the file: seq, time, kind, payload (canonical JSON), previous, hash.
# Whoever tampers may leave a number or bytes where text belongs, hence Any.
Row = tuple[int, Any, Any, Any, Any, Any]


@dataclass(frozen=True)
class Event:
    """One row. `time` is what the wall clock said (UTC, ISO 8601, microseconds); it may go back."""

    seq: int
    time: str
    kind: str
    payload: dict[str, Any]
    previous: str
    hash: str

    @classmethod
    def of(cls, row: Row) -> Event:
        """Read a stored row. Raises ValueError when its payload is no JSON object."""
        seq, time, kind, text, previous, stored = row
        return cls(seq, time, kind, _parse(text), previous, stored)

    @property
    def row(self) -> Row:
        """The event as it is stored."""
        return self.seq, self.time, self.kind, canonical(self.payload), self.previous, self.hash


def canonical(value: object) -> str:
    """Return the one JSON text of `value`: sorted keys, no blanks, ASCII only.

    Raises ValueError or TypeError for what JSON cannot hold, NaN and infinity included.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def seal(seq: int, time: str, kind: str, payload: dict[str, Any], previous: str) -> str:
    """Return the SHA-256, in hex, of the canonical JSON list of the five."""
    return hashlib.sha256(canonical([seq, time, kind, payload, previous]).encode()).hexdigest()


def problems(rows: Iterable[Row], highest: int) -> list[str]:
    """Return one sentence for each bad row of a whole ledger, in order; none when it is sound.

    `highest` is the highest seq that was ever written: rows cut off at the end leave no other sign.
    """
    found = []
    awaited = 1
    links: tuple[str | None, ...] = (GENESIS,)
    for row in rows:
        seq, previous, stored = row[0], row[4], row[5]
        if seq > awaited:
            found.append(_missing(awaited, seq - 1))
        proper = _reseal(row)
        if proper != stored:
            found.append(f"Row {seq} was changed after it was written.")
        elif seq == awaited and previous not in links:
            found.append(f"Row {seq} does not continue row {seq - 1}: one of them was replaced.")
        # Either hash will do for the next row: a changed row is named alone, not its neighbour too.
        links = (stored, proper)
        awaited = max(awaited, seq + 1)
    if highest >= awaited:
        found.append(_missing(awaited, highest))
    return found


def _reseal(row: Row) -> str | None:
    """Return the hash that a stored row must have; None when no writer of ours made its payload."""
    seq, time, kind, text, previous, _ = row
    try:
        payload = _parse(text)
        return seal(seq, time, kind, payload, previous) if canonical(payload) == text else None
    except (TypeError, ValueError):
        return None


def _parse(text: object) -> dict[str, Any]:
    try:
        payload = json.loads(text) if isinstance(text, str) else None
    except RecursionError:
        payload = None
    if not isinstance(payload, dict):
        raise ValueError("the payload is no JSON object")
    return payload


def _missing(first: int, last: int) -> str:
    return f"Row {first} is missing." if first == last else f"Rows {first} to {last} are missing."
