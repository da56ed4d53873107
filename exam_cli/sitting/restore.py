"""`exam restore N ATTEMPT`: bring the model of an attempt back into its section's directory."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exam_cli.config.section import Section
from exam_cli.errors import ExamError
from exam_cli.files import writing
from exam_cli.grading.intake import models_in
from exam_cli.grading.kept import NotKept, kept
from exam_cli.session.ledger import Ledger
from exam_cli.session.session import Session
from exam_cli.sitting import leftovers
from exam_cli.sitting.storage import dropped


@dataclass(frozen=True)
class Restored:
    """Where the model is now, and where what lay there before was put, if anything did."""

    model: Path
    replaced: Path | None


def restore(session: Session, section: Section, attempt: int) -> Restored:
    """Put a copy of an attempt's model into the section's directory.

    Models that are there are moved into a directory beside it, for exactly one may stay.
    Raises `ExamError` when there is no such attempt, its model was dropped for want of room, or the
    directory cannot be written; `NotKept` when the kept copy is not what was graded.
    """
    with Ledger(session.ledger_path) as ledger:
        attempts = {one.payload["attempt"]: one.payload for one in ledger.attempts(section.section)}
    if attempt not in attempts:
        known = f"it has 1 to {max(attempts)}" if attempts else "nothing of it was graded yet"
        raise ExamError(
            f"Section {section.section} has no attempt {attempt}: {known}.", reason="no_attempt"
        )
    with leftovers.grading(session):  # nothing is dropped meanwhile
        return _put_back(session, section, attempts[attempt]["model"], attempt)


def _put_back(session: Session, section: Section, model: dict[str, Any], attempt: int) -> Restored:
    try:
        submission = kept(model, session.snapshots)
    except NotKept:
        event = dropped(session, model["sha256"])
        if event is None:
            raise
        raise ExamError(
            f"The model of section {section.section} attempt {attempt} was dropped on "
            f"{event.time[:16].replace('T', ' ')} UTC (row {event.seq} of the ledger): kept models "
            f"took more than the {session.rules.keep_gigabytes:g} GB that the exam allows.",
            reason="dropped",
        ) from None
    directory = session.workspace / section.directory
    target = directory / submission.root
    with writing(directory):
        directory.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=directory) as scratch:
            for file in submission.files:
                path = Path(scratch, file.name)
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.path, path)
            replaced = _put_aside(directory, target)
            Path(scratch, submission.root).rename(target)
    return Restored(target, replaced)


def _put_aside(directory: Path, target: Path) -> Path | None:
    """Move every model of a directory, and whatever has the target's name, out of the way."""
    names = set(models_in(directory))
    if target.exists() or target.is_symlink():
        names.add(target.name)
    if not names:
        return None
    stamp = time.strftime("%Y%m%d-%H%M%S")
    aside = Path(tempfile.mkdtemp(prefix=f"replaced-{stamp}-", dir=directory))
    aside.chmod(0o755)
    for name in sorted(names):
        (directory / name).rename(aside / name)
    return aside
