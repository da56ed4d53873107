"""`exam submit`: end the exam. The models that count are graded once more, on the final set."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from exam_cli.config.edition import load_edition
from exam_cli.config.exam import Exam
from exam_cli.config.section import Section
from exam_cli.engine.port import Engine
from exam_cli.errors import ExamError, OurFault
from exam_cli.files import locked
from exam_cli.grading.grade import grade
from exam_cli.grading.kept import kept
from exam_cli.grading.silent import silenced
from exam_cli.grading.verdict import Verdict
from exam_cli.progress import Progress
from exam_cli.receipts.badge import Recipient
from exam_cli.receipts.issue import tried
from exam_cli.sections.catalog import sections_of
from exam_cli.session.ledger import Ledger
from exam_cli.session.session import Session
from exam_cli.sitting import leftovers
from exam_cli.sitting.circumstances import Circumstances, sealed
from exam_cli.sitting.grade import Manner, data_and_environment
from exam_cli.sitting.late import grade_late
from exam_cli.sitting.rules import SUBMITTED, counting, passes, total


@dataclass(frozen=True)
class Final:
    """What a section comes to: the attempt that counts, and its model's grade on the final set.

    `attempt` is None when no model of the section was scored, and then there is no `grade`.
    """

    section: Section
    attempt: dict[str, Any] | None
    grade: dict[str, Any] | None

    @property
    def score(self) -> int:
        """0 to 5."""
        return self.grade["score"] if self.grade else 0

    def as_json(self) -> dict[str, Any]:
        """Return what the ledger keeps."""
        return {
            "section": self.section.section,
            "slug": self.section.slug,
            "title": self.section.title,
            "form": self.section.form,
            "weight": self.section.weight,
            "attempt": self.attempt["attempt"] if self.attempt else None,
            "score": self.score,
            "grade": self.grade,
        }


@dataclass(frozen=True)
class Result:
    """How an exam ended; `content` is what the ledger has of it."""

    rules: Exam
    content: dict[str, Any]
    fresh: bool


def result(session: Session) -> Result | None:
    """Return how a session's exam ended, None while it has not."""
    with Ledger(session.ledger_path) as ledger:
        events = ledger.events(SUBMITTED)
    return Result(session.rules, events[0].payload, fresh=False) if events else None


def standing(session: Session) -> list[Final]:
    """Return the attempts that count so far, section by section; nothing is graded."""
    rules = session.rules
    with Ledger(session.ledger_path) as ledger:
        return [
            Final(section, counting(section, _payloads(ledger, section), rules.counts), None)
            for section in sections_of(rules)
        ]


def submit(
    session: Session,
    connect: Callable[[], Engine],
    progress: Progress,
    official: bool = False,
    recipient: Recipient | None = None,
) -> Result:
    """Grade what counts on the final set, and end the exam with one durable row.

    All sections are graded before anything is written: killed in between, nothing is submitted, and
    the next `exam submit` begins again. An exam that has ended stays as it is.
    `recipient` is whose name the badge for a pass bears.
    Raises `ExamError`, also when `official` grading lacks a wall or the ledger was changed, and
    `OurFault` when a model cannot be graded for a reason that is not its own: then nothing is
    submitted.
    """
    with locked(session.directory / "submit.lock"):
        if (done := result(session)) is not None:
            return done
        with Ledger(session.ledger_path) as ledger:
            ledger.require_sound()
        grade_late(session, connect, progress, Manner(official=official))
        standings = standing(session)
        if not any(one.attempt for one in standings):
            raise ExamError(
                "No model has been scored yet, so there is nothing to submit: `exam grade all`.",
                reason="nothing_graded",
            )
        progress.step("Final grades", len(standings))
        finals = []
        for one in standings:
            finals.append(replace(one, grade=_final_grade(one, session, connect, official)))
            progress.advance(len(finals))
        points = total([(one.section.weight, {"score": one.score}) for one in finals])
        rules = session.rules
        content = {
            "exam": rules.exam,
            "counts": rules.counts,
            "total": round(points, 4),
            "pass_mark": rules.pass_mark,
            "passed": passes(points, rules),
            "sections": [one.as_json() for one in finals],
            "recipient": (recipient or Recipient()).as_json(),
            "seal": sealed(session),
        }
        with Ledger(session.ledger_path) as ledger:
            event = ledger.append(SUBMITTED, content)
        tried(session)
    return Result(rules, event.payload, fresh=True)


def _final_grade(
    standing: Final, session: Session, connect: Callable[[], Engine], official: bool
) -> dict[str, Any] | None:
    """Return the verdict on a section's model as JSON, None when no model of it was scored."""
    attempt, section = standing.attempt, standing.section
    if attempt is None:
        return None
    started = time.monotonic()
    edition, manner = load_edition(session.edition), Manner(official=official)
    around = Circumstances(section, edition, manner.silences(session.rules))
    submission = kept(attempt["model"], session.snapshots)
    data, environment = data_and_environment(section, session, edition, connect(), official)
    around.found(environment)
    with leftovers.grading(session):
        verdict: Verdict = grade(submission, section, data.sets["final"], environment)
    if manner.silences(session.rules):
        verdict = silenced(verdict, section, environment)
    verdict = replace(verdict, seconds_total=time.monotonic() - started)
    if verdict.status == "failed":
        raise OurFault(
            f"Section {section.section} could not be graded, so nothing was submitted: "
            f"{verdict.message}",
            reason=verdict.reason,
        )
    return {
        **verdict.as_json(None),
        "told": verdict.told(session.rules.feedback),  # the message as far as the exam allows
        "predictions_sha256": verdict.predictions_sha256,
        "circumstances": around.as_json(verdict),
    }


def _payloads(ledger: Ledger, section: Section) -> list[dict[str, Any]]:
    return [event.payload for event in ledger.attempts(section.section)]
