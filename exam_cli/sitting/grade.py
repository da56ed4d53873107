"""`exam grade N`: snapshot, verdict, one durable row; only then the answer."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from exam_cli.config.edition import Edition, load_edition
from exam_cli.config.section import Section
from exam_cli.engine.port import Engine
from exam_cli.errors import ImageMissing, OurFault
from exam_cli.grading.environment import Environment
from exam_cli.grading.grade import failed, grade, rejected
from exam_cli.grading.intake import take
from exam_cli.grading.verdict import Rejection, Verdict
from exam_cli.images.build import architecture_of, references
from exam_cli.sections.vault import section_data
from exam_cli.session.ledger import Ledger
from exam_cli.session.session import Session


@dataclass(frozen=True)
class Graded:
    """A verdict that is in the ledger. `attempt` is None when the grade was no attempt."""

    verdict: Verdict
    attempt: int | None
    log: Path | None


def grade_section(section: Section, session: Session, connect: Callable[[], Engine]) -> Graded:
    """Grade the model in a section's directory and record the result.

    Args:
        section: what is graded.
        session: whose workspace, vault and ledger are used.
        connect: returns the engine; its failure becomes a verdict like any other of ours.

    A rejection without a model to grade, and a failure of ours, are recorded but are no attempts.
    """
    started = time.monotonic()
    verdict = _verdict(section, session, connect)
    total = time.monotonic() - started
    verdict = replace(verdict, seconds_total=total)
    log = _keep_log(verdict, session)
    attempt = _record(verdict, session)
    return Graded(verdict, attempt, log)


def _verdict(section: Section, session: Session, connect: Callable[[], Engine]) -> Verdict:
    edition = load_edition(session.edition)
    verdict = _blank(section, session, edition)
    try:
        submission = take(section, session.workspace, session.snapshots)
        verdict = replace(verdict, model=submission.record)
        engine = connect()
        architecture = architecture_of(engine)
        images = references(edition, architecture)
        if engine.image(images.grader) is None:
            raise ImageMissing("The grader image is not on this engine: `exam up` builds it.")
        data = section_data(
            section, session.seed, session.vault, engine, images.workspace, architecture
        )
        environment = Environment(
            engine=engine,
            image=images.grader,
            edition=edition.edition,
            variant=session.variant,
            tensorflow=edition.tensorflow,
            keras=edition.keras,
            labels={"exam.session": session.id},
        )
        return grade(submission, section, data.sets["probe"], environment)
    except Rejection as rejection:
        return rejected(verdict, rejection)
    except OurFault as fault:
        return failed(verdict, fault)


def _blank(section: Section, session: Session, edition: Edition) -> Verdict:
    return Verdict(
        section=section.section,
        slug=section.slug,
        status="failed",
        reason="internal",
        message="",
        score=None,
        measured=None,
        set_name=None,
        set_sha256=None,
        model=None,
        environment={
            "edition": edition.edition,
            "variant": session.variant,
            "image": None,
            "tensorflow": edition.tensorflow,
            "python": edition.python,
        },
        isolation={"runtime": "runc", "network": "none"},
        seconds_total=0.0,
        seconds_predict=None,
    )


def _record(verdict: Verdict, session: Session) -> int | None:
    payload = verdict.as_json(None)
    with Ledger(session.ledger_path) as ledger:
        if verdict.model is None and verdict.status == "rejected":
            ledger.append("grade_rejected", payload)
            return None
        event = ledger.append_attempt(verdict.section, payload)
    attempt: int | None = event.payload["attempt"]
    return attempt


def _keep_log(verdict: Verdict, session: Session) -> Path | None:
    """Keep what the model printed, for practice; never shown, only pointed to."""
    if not verdict.printed.strip():
        return None
    directory = session.directory / "logs"
    directory.mkdir(exist_ok=True, mode=0o700)
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    path = directory / f"section-{verdict.section}-{stamp}-{os.getpid()}.log"
    path.write_bytes(verdict.printed)
    return path
