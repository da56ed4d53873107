"""The receipts of a session: a file for each row of the ledger that has one, made when it lacks.

The row comes first, for it is the truth; whatever comes between the two is made good by the next
command that calls `issue`. What a receipt says and its signature follow from row and key alone, so
it is the very same file that is made again.
"""

from __future__ import annotations

import json
from pathlib import Path

from exam_cli.errors import ExamError
from exam_cli.files import write_file, writing
from exam_cli.receipts import dsse
from exam_cli.receipts.keys import signing_key
from exam_cli.receipts.statement import encoded, is_receipted, statement
from exam_cli.session.chain import Event
from exam_cli.session.ledger import Ledger
from exam_cli.session.session import Session


def receipts_dir(session: Session) -> Path:
    """Return where a session's receipts lie, made or not."""
    return session.directory / "receipts"


def receipt_path(session: Session, event: Event) -> Path:
    """Return where the receipt of a row lies: its number, and what it is of, for people to find."""
    name = "submission"
    if event.kind != "submitted":
        attempt = event.payload["attempt"]
        what = "failed" if attempt is None else f"attempt-{attempt:d}"
        name = f"section-{event.payload['section']:d}-{what}"
    return receipts_dir(session) / f"{event.seq:04d}-{name}.json"


def badge_path(session: Session, event: Event) -> Path:
    """Return where the badge of a submission lies, if it passed."""
    return receipts_dir(session) / f"{event.seq:04d}-badge.json"


def issue(session: Session) -> list[Path]:
    """Write the receipts that are not there, and return the paths of those that were written.

    Raises LedgerError when the ledger was changed: nothing is signed on its word then. `BadKey`,
    `ExamError`, `DiskFull`. The rows are there, and the next call tries again.
    """
    with Ledger(session.ledger_path) as ledger:
        lacking = [
            (path, event)
            for event in ledger.events()
            for path in _paths(session, event)
            if not path.exists()
        ]
        if lacking:
            ledger.require_sound()
    if not lacking:
        return []
    key = signing_key()
    directory = receipts_dir(session)
    with writing(directory):
        directory.mkdir(mode=0o700, exist_ok=True)
        for path, event in lacking:
            if path == receipt_path(session, event):
                text = dsse.signed(encoded(statement(event, session.id)), key)
            else:
                from exam_cli.receipts.badge import issue_badge

                badge = issue_badge(event, session.id, session.rules, key)
                text = json.dumps(badge, indent=1, ensure_ascii=False).encode() + b"\n"
            write_file(path, text, mode=0o644)
    return [path for path, _ in lacking]


def tried(session: Session) -> list[str]:
    """Do as `issue`, but return what went wrong in words: what is in the ledger counts anyway."""
    try:
        issue(session)
    except (ExamError, OSError) as error:
        return [f"What was graded counts, but a receipt could not be written: {error}"]
    return []


def _paths(session: Session, event: Event) -> list[Path]:
    """Return the files that a row has: a receipt, and a badge for a pass; or none."""
    if not is_receipted(event):
        return []
    receipt = receipt_path(session, event)
    passed = event.kind == "submitted" and event.payload["passed"]
    return [receipt, badge_path(session, event)] if passed else [receipt]
