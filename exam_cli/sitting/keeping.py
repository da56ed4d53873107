"""What is kept of a grade: its row, which is what counts; a receipt; what the model printed."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from exam_cli.errors import ExamError
from exam_cli.grading import predictions
from exam_cli.grading.verdict import Verdict
from exam_cli.receipts import issue as receipts
from exam_cli.receipts.statement import is_receipted
from exam_cli.session.ledger import Event, Ledger
from exam_cli.session.session import Session
from exam_cli.sitting import storage
from exam_cli.sitting.circumstances import sealed


def recorded(verdict: Verdict, session: Session, around: dict[str, Any]) -> Event:
    """Write the one durable row. From here on the grade counts."""
    payload = {**verdict.as_json(None), "circumstances": around, "seal": sealed(session)}
    with Ledger(session.ledger_path) as ledger:
        if verdict.model is None and verdict.status == "rejected":
            return ledger.append("grade_rejected", payload)
        return ledger.append_attempt(verdict.section, payload)


def receipt_of(
    verdict: Verdict, event: Event, session: Session
) -> tuple[Path | None, tuple[str, ...]]:
    """See to receipt, predictions and the room that kept models take; none undoes the grade."""
    notes: list[str] = []
    try:
        notes += receipts.tried(session)
        if verdict.predictions_sha256 is not None and session.rules.feedback != "scores":
            predictions.keep(session.directory, verdict.predictions_sha256, verdict.predictions)
        notes += storage.make_room(session)
    except (ExamError, OSError) as error:
        notes.append(f"The grade counts, but there was trouble behind it: {error}")
    path = receipts.receipt_path(session, event) if is_receipted(event) else None
    return (path if path and path.exists() else None), tuple(notes)


def keep_log(verdict: Verdict, session: Session) -> Path | None:
    """Keep what the model printed, for practice; never shown, only pointed to."""
    if not verdict.printed.strip():
        return None
    directory = session.directory / "logs"
    directory.mkdir(exist_ok=True, mode=0o700)
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    path = directory / f"section-{verdict.section}-{stamp}-{os.getpid()}.log"
    path.write_bytes(verdict.printed)
    return path
