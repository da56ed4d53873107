"""A receipt beside the record that it was made from: the ledger's row, or the examiner's book."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exam_cli.receipts.badge import issue_badge
from exam_cli.receipts.check import Signed
from exam_cli.receipts.data_integrity import did_key
from exam_cli.receipts.keys import signing_key
from exam_cli.receipts.statement import class_statement, is_receipted, statement
from exam_cli.session.ledger import Event, Ledger
from exam_cli.session.session import Session

_MOST_NAMED = 6  # rows, or fields


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `good` is None for what could not be, or need not be."""

    topic: str
    good: bool | None
    text: str


def in_the_book(signed: Signed, path: Path) -> Finding:
    """Look for what was signed in the examiner's book, if the receipt lies beside it."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return Finding("book", None, "the results that it is from are not beside it")
    for raw in lines:
        try:
            if class_statement(json.loads(raw)) == signed.content:
                return Finding("book", True, f"a line of {path} says the same")
        except (AttributeError, KeyError, TypeError, ValueError):
            continue  # a line of a model that was not there, or cut off by a kill
    return Finding("book", False, f"no line of {path} says the same")


def chain_of(ledger: Ledger) -> Finding:
    """Say whether a ledger's rows are as they were written, or which are not."""
    problems = ledger.problems()
    if not problems:
        return Finding("ledger", True, f"all {len(ledger.events())} rows are as they were written")
    more = f" And {len(problems) - _MOST_NAMED} more." if len(problems) > _MOST_NAMED else ""
    return Finding("ledger", False, " ".join(problems[:_MOST_NAMED]) + more)


def in_the_ledger(signed: Signed, session: Session, event: Event | None) -> Iterator[Finding]:
    """Compare what was signed with the row, and look at the whole chain."""
    with Ledger(session.ledger_path) as ledger:
        yield chain_of(ledger)
    if event is None:
        seq = signed.content["predicate"]["ledger"]["seq"]
        yield Finding("row", False, f"row {seq} of session {session.id} is not in the ledger")
        return
    where = f"row {event.seq} of session {session.id}"
    if not is_receipted(event):
        yield Finding("row", False, f"{where} is no grade, and the receipt says that it is")
        return
    if signed.kind == "badge":
        if not event.payload["passed"]:
            yield Finding("row", False, f"{where} is no pass")
            return
        expected = issue_badge(event, session.id, session.rules, signing_key())
        if did_key(signed.key) != expected["issuer"]["id"]:  # it was issued elsewhere, or before
            yield Finding("row", None, f"{where} is of that pass; the badge is by another key")
            return
    else:
        expected = json.loads(json.dumps(statement(event, session.id)))
    differing = list(_differing(signed.content, expected))
    if not differing:
        yield Finding("row", True, f"{where} says the same")
        return
    yield Finding("row", False, f"{where} says otherwise: {'; '.join(differing[:_MOST_NAMED])}")


def _differing(one: Any, other: Any, at: str = "") -> Iterator[str]:
    """Yield where a receipt and what it should be differ, in words."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            inner = f"{at}.{key}".removeprefix(".").removeprefix("predicate.")
            yield from _differing(one.get(key), other.get(key), inner)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _differing(left, right, f"{at}[{number}]")
    elif one != other or type(one) is not type(other):
        yield f"{at} is {_shown(one)} in the receipt and {_shown(other)} there"


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 70 else f"{text[:67]}..."
