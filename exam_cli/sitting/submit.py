"""`exam submit`: end the exam. The models that count are graded once more, on the final set.

One predictor serves all of them, as it does in a class: TensorFlow is imported once.
What a report is made of (predictions) is on the disk before the row that ends the exam.
"""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from exam_cli.config.exam import Exam
from exam_cli.config.section import Section
from exam_cli.engine.port import Engine
from exam_cli.errors import ExamError, OurFault, UsageError
from exam_cli.files import locked
from exam_cli.grading import predictions
from exam_cli.grading.environment import Environment
from exam_cli.grading.grade import grade
from exam_cli.grading.kept import kept
from exam_cli.grading.served import Server, Serving
from exam_cli.grading.silent import silenced
from exam_cli.progress import Progress
from exam_cli.receipts.badge import Recipient
from exam_cli.receipts.issue import tried
from exam_cli.sections.catalog import sections_of
from exam_cli.sections.vault import DataSet
from exam_cli.session.ledger import Event, Ledger
from exam_cli.session.session import Session
from exam_cli.sitting import leftovers
from exam_cli.sitting.circumstances import Circumstances, sealed
from exam_cli.sitting.editions import grading_edition
from exam_cli.sitting.grade import Manner, data_and_environment
from exam_cli.sitting.late import grade_late
from exam_cli.sitting.rules import SUBMITTED, counting, passes, total

_LONGEST_NAME = 100


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
    """How an exam ended; `event` is the ledger's row of it."""

    rules: Exam
    event: Event
    fresh: bool

    @property
    def content(self) -> dict[str, Any]:
        """What the ledger has of it."""
        return self.event.payload


def proper_name(said: str | None) -> str | None:
    """Return a name as it is printed: no blanks around it, no characters that nobody sees.

    None for none. Raises `UsageError` for one that is too long for any certificate.
    """
    visible = "".join(
        " " if one.isspace() else one
        for one in unicodedata.normalize("NFC", said or "")
        if one.isspace() or one.isprintable()
    )
    name = " ".join(visible.split())
    if len(name) > _LONGEST_NAME:
        raise UsageError(f"A name may have {_LONGEST_NAME} characters: shorten it.")
    return name or None


def result(session: Session) -> Result | None:
    """Return how a session's exam ended, None while it has not.

    Raises LedgerError, naming rows, rather than show a result that was changed since.
    """
    with Ledger(session.ledger_path) as ledger:
        events = ledger.events(SUBMITTED)
        if events:
            ledger.require_sound()
    return Result(session.rules, events[0], fresh=False) if events else None


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
    `recipient` is whose name report, certificate and badge bear.
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
        finals = _graded(standings, session, connect(), progress, official)
        points = total([(one.section.weight, {"score": one.score}) for one in finals])
        rules = session.rules
        content = {
            "exam": rules.exam,
            "counts": rules.counts,
            "official": official,
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
    return Result(rules, event, fresh=True)


def _graded(
    standings: list[Final], session: Session, engine: Engine, progress: Progress, official: bool
) -> list[Final]:
    """Return the sections with their final grades. Raises `ExamError`, `OurFault`."""
    edition = grading_edition(session)
    leftovers.clear(session, engine)
    finals: list[Final] = []
    place: Environment | None = None
    progress.step("Final grades", len(standings))
    with leftovers.grading(session), ExitStack() as servers:
        serving = None
        for one in standings:
            if one.attempt is not None:
                data, found = data_and_environment(
                    one.section, session, edition, engine, official and place is None
                )
                if place is None or serving is None:  # walls are looked at once for all
                    place = found
                    predictor, scorer = (
                        servers.enter_context(Server(place, name))
                        for name in ("predictor", "scorer")
                    )
                    serving = Serving(predictor, scorer, lambda: False)
                final = _final_grade(one, session, data.sets["final"], place, serving, official)
                one = replace(one, grade=final)
            finals.append(one)
            progress.advance(len(finals))
    return finals


def _final_grade(
    standing: Final,
    session: Session,
    data: DataSet,
    environment: Environment,
    serving: Serving,
    official: bool,
) -> dict[str, Any]:
    """Return the verdict on a section's model as JSON; its predictions are kept."""
    attempt, section = standing.attempt, standing.section
    assert attempt is not None, "only what was scored is graded again"
    started = time.monotonic()
    manner = Manner(official=official)
    around = Circumstances(section, manner.silences(session.rules))
    around.found(environment)
    submission = kept(attempt["model"], session.snapshots)
    verdict = grade(submission, section, data, environment, serving=serving)
    if manner.silences(session.rules):
        verdict = silenced(verdict, section, environment)
    verdict = replace(verdict, seconds_total=time.monotonic() - started)
    if verdict.status == "failed":
        raise OurFault(
            f"Section {section.section} could not be graded, so nothing was submitted: "
            f"{verdict.message}",
            reason=verdict.reason,
        )
    if verdict.predictions_sha256 is not None:
        predictions.keep(session.directory, verdict.predictions_sha256, verdict.predictions)
    return {
        **verdict.as_json(None),
        "told": verdict.told(session.rules.feedback),  # the message as far as the exam allows
        "predictions_sha256": verdict.predictions_sha256,
        "circumstances": around.as_json(verdict),
    }


def _payloads(ledger: Ledger, section: Section) -> list[dict[str, Any]]:
    return [event.payload for event in ledger.attempts(section.section)]
