"""`exam grade N`: snapshot, verdict, one durable row; only then the answer."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from exam_cli.config.edition import Edition
from exam_cli.config.exam import Exam
from exam_cli.config.section import Section
from exam_cli.engine.port import Engine
from exam_cli.errors import ImageMissing, OurFault
from exam_cli.grading.environment import Environment
from exam_cli.grading.grade import check, grade
from exam_cli.grading.intake import PART, Submission, take
from exam_cli.grading.official import as_recorded, behind_walls
from exam_cli.grading.shapes import Other
from exam_cli.grading.silent import silenced
from exam_cli.grading.verdict import Rejection, Verdict
from exam_cli.images.build import architecture_of, references
from exam_cli.receipts import keys
from exam_cli.sections.catalog import sections_of
from exam_cli.sections.vault import SectionData, SetName, section_data
from exam_cli.session.session import Session
from exam_cli.sitting import leftovers
from exam_cli.sitting.circumstances import Circumstances
from exam_cli.sitting.editions import grading_edition
from exam_cli.sitting.keeping import keep_log, receipt_of, recorded
from exam_cli.sitting.rules import attempting


@dataclass(frozen=True)
class Manner:
    """How a grading is made, whatever the exam itself asks for.

    Args:
        supervised: whether nothing that the model says is shown or kept.
        official: whether it is made only behind walls that were seen to stand; it is supervised.
        late: what is graded instead of what lies there now, although the time may be up.
    """

    supervised: bool = False
    official: bool = False
    late: Submission | None = None

    def silences(self, rules: Exam) -> bool:
        """Say whether nothing that a model says may be shown or kept."""
        return self.supervised or self.official or rules.supervised


USUAL = Manner()


@dataclass(frozen=True)
class Graded:
    """A verdict that is in the ledger. `attempt` is None when the grade was no attempt.

    `receipt` is None where there is none. `notes` are sentences on what went wrong, or soon will,
    with what is kept of the grade; the grade itself counts as it is.
    """

    verdict: Verdict
    attempt: int | None
    log: Path | None
    receipt: Path | None = None
    notes: tuple[str, ...] = ()


def grade_section(
    section: Section,
    session: Session,
    connect: Callable[[], Engine],
    used: list[str] | None = None,
    manner: Manner = USUAL,
) -> Graded:
    """Grade the model in a section's directory and record the result.

    Args:
        section: what is graded.
        session: whose workspace, vault and ledger are used.
        connect: returns the engine; its failure becomes a verdict like any other of ours.
        used: takes the containers that are left to remove, see `Environment`; also when this
            raises.
        manner: beyond what the exam says.

    A rejection without a model to grade, and a failure of ours, are recorded but are no attempts.
    Raises `ExamError` when the exam's rules allow no attempt any more, or when official grading
    lacks a wall.
    """
    with attempting(section, session, late=manner.late is not None):
        leftovers.tidy(session)
        around = _around(section, session, manner)
        with keys.warming():
            verdict = _verdict(
                section, session, connect, "probe", session.snapshots, used, manner, around
            )
            log = keep_log(verdict, session)
        event = recorded(verdict, session, around.as_json(verdict))
        receipt, notes = receipt_of(verdict, event, session)
    attempt: int | None = event.payload["attempt"]
    return Graded(verdict, attempt, log, receipt, notes)


def check_section(
    section: Section,
    session: Session,
    connect: Callable[[], Engine],
    used: list[str] | None = None,
    manner: Manner = USUAL,
) -> Graded:
    """Check the model in a section's directory on public inputs; record nothing, keep no copy.

    Arguments as for `grade_section`.
    """
    leftovers.tidy(session)
    with (
        leftovers.grading(session),
        tempfile.TemporaryDirectory(prefix=PART, dir=session.directory) as snapshots,
    ):
        around = _around(section, session, manner)
        verdict = _verdict(
            section, session, connect, "sample", Path(snapshots), used, manner, around
        )
    return Graded(verdict, None, keep_log(verdict, session))


def _verdict(
    section: Section,
    session: Session,
    connect: Callable[[], Engine],
    which: SetName,
    snapshots: Path,
    used: list[str] | None,
    manner: Manner,
    around: Circumstances,
) -> Verdict:
    started = time.monotonic()
    edition = grading_edition(session)
    # Until the engine has answered, the edition's own words stand for what it would have said.
    verdict = Verdict(
        section=section.section,
        slug=section.slug,
        environment={
            "edition": edition.edition,
            "variant": edition.variant,
            "image": None,
            "digest": None,
            "lock_sha256": None,
            "tensorflow": edition.tensorflow,
            "python": edition.python,
        },
        isolation={"runtime": session.rules.runtime or "runc", "network": "none"},
    )
    try:
        with leftovers.grading(session):
            submission = manner.late or take(section, session.workspace, snapshots)
        verdict = replace(verdict, model=submission.record)
        engine = connect()
        leftovers.clear(session, engine)
        data, environment = data_and_environment(section, session, edition, engine, manner.official)
        around.found(environment)
        environment = replace(environment, used=used)
        judge = check if which == "sample" else grade
        others = _others(section, session)
        with leftovers.grading(session):
            verdict = judge(submission, section, data.sets[which], environment, others)
        if manner.silences(session.rules):
            verdict = replace(verdict, printed=b"")
            if which != "sample":  # public inputs may be told of
                verdict = silenced(verdict, section, environment)
    except Rejection as rejection:
        verdict = verdict.rejected(rejection)
    except OurFault as fault:
        verdict = verdict.failed(fault)
    return replace(verdict, seconds_total=time.monotonic() - started)


def _others(section: Section, session: Session) -> Iterator[Other]:
    """Yield the exam's other sections; their files are read only if somebody asks."""
    for one in sections_of(session.rules):
        if one.section != section.section:
            yield one.directory, one.contract


def data_and_environment(
    section: Section, session: Session, edition: Edition, engine: Engine, official: bool = False
) -> tuple[SectionData, Environment]:
    """Return a section's data and where it is graded.

    Raises what `environment_of` raises, and where grading is `official`, `WallsMissing` and
    `NotAsRecorded`.
    """
    architecture = architecture_of(engine)
    images = references(edition, architecture)
    environment = environment_of(session, edition, images.grader, engine)
    environment = replace(environment, lock_sha256=images.lock_sha256)
    if official:
        as_recorded(environment, edition, architecture)
        environment = behind_walls(environment, session.rules.walls)
    data = section_data(
        section,
        session.seed,
        session.vault,
        engine,
        images.workspace,
        architecture,
        shared=session.rules.seed is not None,
    )
    return data, environment


def environment_of(session: Session, edition: Edition, image: str, engine: Engine) -> Environment:
    """Return where a session's grades are made.

    Raises `ImageMissing`, `EngineUnreachable`, and `OurFault` when the engine lacks the runtime
    that the exam asks for: no model is loaded behind a weaker wall than was agreed.
    """
    found = engine.image(image)
    if found is None:
        raise ImageMissing("The grader image is not on this engine: `exam up` builds it.")
    rules = session.rules
    if rules.runtime is not None and rules.runtime not in engine.info().runtimes:
        raise OurFault(
            f"The exam {rules.exam} is graded under {rules.runtime} and the engine has no such "
            "runtime: install it and name it in the engine's daemon.json."
        )
    return Environment(
        engine=engine,
        image=image,
        edition=edition.edition,
        variant=edition.variant,
        tensorflow=edition.tensorflow,
        keras=edition.keras,
        runtime=rules.runtime,
        labels={"exam.session": session.id},
    ).of_image(found)


def _around(section: Section, session: Session, manner: Manner) -> Circumstances:
    return Circumstances(section, manner.silences(session.rules))
