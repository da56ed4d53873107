"""What was saved in time but not graded: `late: grade` in exam.yaml lets `exam submit` grade it.

What lay there when the time was up is what has not been changed since. The file system tells: it
notes when a file last changed in any way, its name and rights included (`st_ctime`, see inode(7)),
and nobody can set that but by setting the machine's clock. So where that clock was seen to be set
during the exam, nothing is shown and nothing late is graded.

It stays the candidate's machine: who sets its clock back, saves and sets it right again between two
commands, or writes to the disk itself, leaves no trace here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from exam_cli.config.section import Section
from exam_cli.engine.port import Engine
from exam_cli.errors import OurFault
from exam_cli.grading.intake import Submission, models_in, take
from exam_cli.grading.verdict import Rejection
from exam_cli.progress import Progress
from exam_cli.sections.catalog import sections_of
from exam_cli.session.clock import Clock
from exam_cli.session.ledger import Ledger
from exam_cli.session.session import Session
from exam_cli.sitting.clock import look
from exam_cli.sitting.grade import Manner, grade_section

_SET = (
    "This machine's clock was set during the exam, so the times of its files show nothing: models "
    "that were not graded in time do not count."
)


LATE = "late_model"  # the ledger's event that goes before the grade of one


@dataclass(frozen=True)
class Late:
    """A section whose directory holds an ungraded model; without `model`, `sentence` says why.

    `changed` is when the file system says that the model last changed, UTC.
    """

    section: Section
    model: Submission | None
    sentence: str
    changed: datetime | None = None


def late(session: Session) -> list[Late]:
    """Return what is graded because it was there in time, and what is not; none while time runs.

    A section without a model, or whose model is the one that was graded last, is not listed.
    Raises LedgerError, OSError.
    """
    rules = session.rules
    found = look(session)
    if rules.late != "grade" or found.submitted or found.clock.seconds_left != 0:
        return []
    return [one for section in sections_of(rules) for one in _late(section, session, found.clock)]


def grade_late(
    session: Session, connect: Callable[[], Engine], progress: Progress, manner: Manner
) -> None:
    """Grade what was there in time, as attempts like any other.

    Raises `OurFault` when one cannot be graded for a reason that is not its own.
    """
    models = late(session)
    if models:
        progress.step("Models saved in time", len(models))
    for done, one in enumerate(models, 1):
        progress.say(one.sentence)
        if one.model is not None and one.changed is not None:
            with Ledger(session.ledger_path) as ledger:
                changed = {"changed": one.changed.isoformat(), "sha256": one.model.record.sha256}
                ledger.append(LATE, {"section": one.section.section, **changed})
            chosen = replace(manner, late=one.model)
            graded = grade_section(one.section, session, connect, None, chosen).verdict
            if graded.status == "failed":
                raise OurFault(
                    f"Section {one.section.section} could not be graded, so nothing was "
                    f"submitted: {graded.message}",
                    reason=graded.reason,
                )
        progress.advance(done)


def _late(section: Section, session: Session, clock: Clock) -> Iterator[Late]:
    name = f"Section {section.section}"
    with Ledger(session.ledger_path) as ledger:
        attempts = ledger.attempts(section.section)
    try:
        model = take(section, session.workspace, session.snapshots)
        # After the copy was made: whatever it copied has not changed since then.
        changed = _changed(session.workspace / section.directory)
    except Rejection as rejection:
        if rejection.reason != "no_model":
            yield Late(section, None, f"{name}: {rejection}")
        return
    if attempts and attempts[-1].payload["model"]["sha256"] == model.record.sha256:
        return
    most = session.rules.attempts
    if most is not None and len(attempts) >= most:
        yield Late(
            section, None, f"{name} has had all {most} attempts: its newer model is not one."
        )
    elif clock.moves:
        yield Late(section, None, f"{name}: {_SET}")
    elif clock.deadline is None or changed > clock.deadline:
        when = changed.astimezone().strftime("%H:%M:%S")
        yield Late(
            section,
            None,
            f"{name}: {model.record.path} was changed at {when}, after the time was up, and does "
            "not count.",
        )
    else:
        sentence = f"{name}: {model.record.path} was saved in time and is graded now."
        yield Late(section, model, sentence, changed)


def _changed(directory: Path) -> datetime:
    """Return when the models in a directory last changed in any way. Raises Rejection."""
    try:
        tops = [directory / name for name in models_in(directory)]
        inside = [one for top in tops if not top.is_symlink() for one in top.rglob("*")]
        latest = max(path.lstat().st_ctime for path in tops + inside)
    except (OSError, ValueError) as error:
        raise Rejection("not_a_model", "The model went while it was read.") from error
    return datetime.fromtimestamp(latest, UTC)
