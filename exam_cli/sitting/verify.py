"""`exam verify RECEIPT`: who signed it, what the ledger says, and the same grade once more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exam_cli.engine.port import Engine
from exam_cli.errors import ExamError
from exam_cli.grading.kept import NotKept, kept
from exam_cli.progress import SILENT, Progress
from exam_cli.receipts import strict_json
from exam_cli.receipts.badge import badge_id
from exam_cli.receipts.check import Signed, checked
from exam_cli.receipts.issue import tried
from exam_cli.receipts.keys import own_public_key, public_key
from exam_cli.receipts.statement import is_receipted
from exam_cli.session import record
from exam_cli.session.ledger import Event, Ledger
from exam_cli.session.ledger_errors import LedgerError
from exam_cli.session.session import Session, all_sessions
from exam_cli.sitting.again import Again, grade_again
from exam_cli.sitting.findings import Finding, chain_of, in_the_book, in_the_ledger
from exam_cli.sitting.rules import is_over
from exam_cli.sitting.storage import dropped


@dataclass(frozen=True)
class Verification:
    """All that was found; `equal` says whether the grade was made again and came out the same."""

    kind: str
    findings: tuple[Finding, ...]
    equal: bool | None

    @property
    def good(self) -> bool:
        """Whether nothing was found to be wrong."""
        return all(one.good is not False for one in self.findings)

    def as_json(self, path: Path) -> dict[str, Any]:
        """Return the object that `exam verify --json` prints."""
        return {
            "receipt": str(path),
            "kind": self.kind,
            "good": self.good,
            "equal": self.equal,
            "findings": [
                {"topic": one.topic, "good": one.good, "text": one.text} for one in self.findings
            ],
        }


def verify(
    path: Path,
    pinned: Path | None,
    again: bool,
    connect: Callable[[], Engine],
    progress: Progress,
) -> Verification:
    """Look at a receipt or a badge, and grade what it is of once more.

    Args:
        path: the file.
        pinned: a public key's file; then only that key counts. Otherwise this machine's own does.
        again: whether to grade again; without it neither engine nor session is needed.
        connect: returns the engine.
        progress: is told of each section.

    Raises `NotAReceipt`, `Forged`, `UnknownKey`, `BadKey`; `ExamError` while an exam goes on whose
    attempts are counted, or that is supervised; `OurFault` when a grade cannot be made
    again for a reason of ours.
    """
    if not path.exists() and (lost := _session(path.absolute().parent.parent.name)) is not None:
        tried(lost)  # a kill came between the row and its receipt
    own = own_public_key()
    keys = [public_key(pinned)] if pinned is not None else [own] if own is not None else []
    signed = checked(strict_json.read(path), keys)
    whose = "this machine's" if signed.key == own else "the given"
    findings = [Finding("signature", True, f"good, by {whose} key {signed.key.keyid[:16]}")]
    if signed.kind == "class":
        findings += [
            in_the_book(signed, path.absolute().parents[2] / "grades.jsonl"),
            Finding("grade", None, "`exam cohort grade` into another --out makes it again"),
        ]
        return Verification(signed.kind, tuple(findings), None)
    found = _badge_row(signed) if signed.kind == "badge" else _row(signed)
    if found is None:
        text = "its session is not on this machine"
        if again and signed.kind != "badge":
            text += ", so it cannot be graded again here: `--no-grade` asks for the signature alone"
            findings.append(Finding("ledger", False, text))
        else:
            findings.append(Finding("ledger", None, f"{text}: the signature is all there is"))
        return Verification(signed.kind, tuple(findings), None)
    session, event = found
    findings += in_the_ledger(signed, session, event)
    if event is None or not again or not is_receipted(event):
        return Verification(signed.kind, tuple(findings), None)
    _refuse_while_it_goes_on(session)
    results = list(_graded_again(session, event, connect, progress))
    findings += [finding for finding, _ in results]
    return Verification(signed.kind, tuple(findings), _all_equal([equal for _, equal in results]))


def _all_equal(equals: list[bool | None]) -> bool | None:
    """Return whether all are; None where none differs, and of some nobody can tell."""
    if False in equals:
        return False
    return None if None in equals or not equals else True


def verify_session(session: Session) -> Verification:
    """Look at the ledger of a session and at each of its receipts and badges; grade nothing."""
    notes = tried(session)
    own = own_public_key()
    findings = [Finding("receipts", False, note) for note in notes]
    with Ledger(session.ledger_path) as ledger:
        findings.append(chain_of(ledger))
    for path in sorted((session.directory / "receipts").glob("[!.]*.json")):
        try:
            one = verify(path, None, False, _no_engine, SILENT)
            wrong = [found.text for found in one.findings if found.good is False]
            # Of the chain it was said above which rows are bad.
            wrong = [text for text in wrong if text != findings[len(notes)].text]
        except ExamError as error:
            wrong = [str(error)]
        text = "; ".join(wrong) or "good"
        findings.append(Finding(path.name, not wrong, text))
    if own is None:
        findings.append(Finding("receipts", None, "nothing was graded yet"))
    return Verification("session", tuple(findings), None)


def _session(id: str) -> Session | None:
    directory = record.sessions_dir() / id
    return record.load(directory) if id and directory.is_dir() else None


def _row(signed: Signed) -> tuple[Session, Event | None] | None:
    """Return the session of a receipt and the row that it is of; None when it is not here."""
    session = _session(signed.session)
    if session is None:
        return None
    seq = signed.content["predicate"]["ledger"]["seq"]
    with Ledger(session.ledger_path) as ledger:
        rows = [event for event in ledger.events() if event.seq == seq]
    return session, rows[0] if rows else None


def _badge_row(signed: Signed) -> tuple[Session, Event | None] | None:
    """Return the session and the row of a badge: those that give it its name."""
    for session in all_sessions():
        with suppress(LedgerError), Ledger(session.ledger_path) as ledger:
            for event in ledger.events("submitted"):
                if is_receipted(event) and badge_id(session.id, event) == signed.content.get("id"):
                    return session, event
    return None


def _refuse_while_it_goes_on(session: Session) -> None:
    """Raise ExamError where grading again would be an attempt that nobody counts.

    A model that rolls dice may answer otherwise each time, and tell of hidden data by that.
    """
    rules = session.rules
    if (rules.supervised or rules.attempts is not None) and not is_over(session):
        raise ExamError(
            f"The exam {rules.exam} goes on, and nothing of it is graded again before it is over: "
            "`--no-grade` checks signature and ledger now.",
            reason="goes_on",
        )


def _graded_again(
    session: Session, event: Event, connect: Callable[[], Engine], progress: Progress
) -> Iterator[tuple[Finding, bool | None]]:
    """Yield what came of grading each model of a row again, and whether it was the same."""
    payload = event.payload
    grades = [payload]
    if event.kind == "submitted":
        grades = [one["grade"] for one in payload["sections"] if one["grade"] is not None]
    progress.step("Grading again", len(grades))
    for number, grade in enumerate(grades):
        topic = f"section {grade['section']}"
        if grade["verdict"] == "failed":
            yield Finding(topic, None, "a failure of ours: there is no grade to compare"), None
            continue
        try:
            submission = kept(grade["model"], session.snapshots)
        except NotKept as gone:
            row = dropped(session, grade["model"]["sha256"])
            why = str(gone)
            if row is not None and "is gone" in why:
                why = f"its model was dropped to make room (row {row.seq}), and cannot be graded"
            yield Finding(topic, False, why), False
            continue
        done = grade_again(grade, submission, session, connect)
        progress.advance(number + 1)
        yield _told(topic, grade, done), done.equal


def _told(topic: str, grade: dict[str, Any], done: Again) -> Finding:
    if done.environment:
        came = "and the grade differs, too: " + "; ".join(done.differences)
        if not done.differences:
            came = "though the grade came out the same"
        text = f"another environment ({'; '.join(done.environment)}), {came}; {done.advice}"
        return Finding(topic, False, text)
    if done.differences:
        return Finding(topic, False, "graded again, and differs: " + "; ".join(done.differences))
    what = f"{grade['score']} of {grade['max_score']}"
    if grade["verdict"] != "scored":
        what = f"rejected ({grade['reason']})"
    if done.unknown:
        text = f"graded again, and it came out the same, {what}, but its row names no environment"
        text += " (it is of an older version of this program), so nobody can call the two equal"
        return Finding(topic, None, text)
    remarks = "".join(f"; {remark}" for remark in done.remarks)
    return Finding(topic, True, f"graded again, and equal: {what}{remarks}")


def _no_engine() -> Engine:
    raise AssertionError("nothing is graded here")
