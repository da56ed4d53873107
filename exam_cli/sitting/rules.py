"""What an exam's rules say about a session now: who may still grade, and what it comes to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from exam_cli.config.exam import Counting, Exam
from exam_cli.config.section import Section
from exam_cli.errors import ExamError
from exam_cli.files import locked
from exam_cli.session.clock import clock, witness
from exam_cli.session.ledger import Ledger
from exam_cli.session.session import Session

FULL_SCORE = 5
SUBMITTED = "submitted"  # the ledger's event that ends an exam


@contextmanager
def attempting(section: Section, session: Session, *, late: bool = False) -> Iterator[None]:
    """Let a grading of `section` through if the exam allows one more.

    Where attempts are limited, one is made at a time, so that two commands cannot share the last.
    What is `late` was there when the time was up, and no time refuses it.
    Raises `ExamError` when the exam was submitted, the time is up or the attempts are used up.
    """
    rules = session.rules
    if rules.attempts is None:
        _refuse_if_over(section, session, late)
        yield
        return
    with locked(session.directory / f"attempts-{section.section}.lock"):
        _refuse_if_over(section, session, late)
        yield


def is_over(session: Session) -> bool:
    """Say whether nothing more is graded: the exam was submitted, or its time is up."""
    with Ledger(session.ledger_path) as ledger:
        if ledger.events(SUBMITTED):
            return True
        return clock(ledger, session.rules.seconds).seconds_left == 0


def _ending(ledger: Ledger, rules: Exam, late: bool) -> ExamError | None:
    """Return what to say to whoever still wants a grade; None while the exam goes on."""
    if ledger.events(SUBMITTED):
        return ExamError(
            f"The exam {rules.exam} has been submitted and is over: `exam submit` shows the "
            "result, another workspace begins another exam.",
            reason="submitted",
        )
    if witness(ledger, rules.seconds)[0].seconds_left == 0 and not late:
        counts = "what was graded before counts"
        if rules.late == "grade":
            counts += ", and `exam submit` also grades what lay there when it ended"
        return ExamError(f"The time of the exam {rules.exam} is up: {counts}.", reason="time_up")
    return None


def _refuse_if_over(section: Section, session: Session, late: bool) -> None:
    rules = session.rules
    with Ledger(session.ledger_path) as ledger:
        ending = _ending(ledger, rules, late)
        used = len(ledger.attempts(section.section))
    if ending is not None:
        raise ending
    if rules.attempts is not None and used >= rules.attempts:
        raise ExamError(
            f"Section {section.section} has had all {rules.attempts} attempts that the exam "
            f"{rules.exam} allows: the {rules.counts} one counts.",
            reason="no_attempts_left",
        )


def counting(
    section: Section, attempts: list[dict[str, Any]], counts: Counting
) -> dict[str, Any] | None:
    """Return the attempt that counts for a section, None without one; a payload of the ledger.

    Only scored attempts count: a rejected one says what to mend and takes nothing away. Of these it
    is the last one, or that of the highest score and, among equals, of the best metric.
    """
    if counts == "last":
        return next((one for one in reversed(attempts) if one["verdict"] == "scored"), None)
    return best(section, attempts)


def best(section: Section, attempts: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the scored attempt of the highest score and, among equals, of the best metric."""
    better = -1 if section.metric.better == "lower" else 1
    scored = [payload for payload in attempts if payload["verdict"] == "scored"]
    return max(
        scored, key=lambda one: (one["score"], better * one["metric"]["value"]), default=None
    )


def passes(points: float, exam: Exam) -> bool:
    """Say whether points of 100 are a pass; what adding up fractions loses is no one's fault."""
    return points >= exam.pass_mark - 1e-9


def total(weighted: list[tuple[float, dict[str, Any] | None]]) -> float:
    """Return the result in points of 100: sum(weight * score / 5) / sum(weight) * 100.

    Args:
        weighted: a section's weight and the attempt that counts for it; None counts 0.
    """
    weights = sum(weight for weight, _ in weighted)
    points: float = sum(weight * one["score"] for weight, one in weighted if one is not None)
    return 100 * points / (FULL_SCORE * weights)
