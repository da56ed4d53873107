"""`exam up`: from whatever is there to a running exam. Every step is harmless when done already."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from exam_cli.config.edition import load_edition
from exam_cli.config.section import Section
from exam_cli.engine.port import Engine
from exam_cli.errors import ExamError
from exam_cli.images.build import architecture_of, ensure_images
from exam_cli.progress import Progress
from exam_cli.sections.catalog import all_sections
from exam_cli.sections.vault import section_data
from exam_cli.session.clock import Clock, clock
from exam_cli.session.ledger import Ledger
from exam_cli.session.session import Session, WorkspaceMoved, adopt, start_session
from exam_cli.sitting import leftovers
from exam_cli.workspace.container import (
    Jupyter,
    await_jupyter,
    ensure_container,
    running_jupyter,
)
from exam_cli.workspace.layout import lay_out

PRACTICE = "practice"
PRACTICE_SECONDS: int | None = None  # practice has no time limit


@dataclass(frozen=True)
class Started:
    """A running exam."""

    session: Session
    jupyter: Jupyter
    clock: Clock
    sections: tuple[Section, ...]
    fresh: bool


def up(
    workspace: Path, edition_name: str, port: int, engine: Engine, progress: Progress
) -> Started:
    """Bring a session to life: images, directory, data, container, clock.

    Args:
        workspace: the candidate's directory; made if it does not exist.
        edition_name: used for a new session; one that exists keeps its own.
        port: wanted for Jupyter; another is taken, and said, when it is in use.
        engine: runs everything.
        progress: told what takes time.

    Raises `ExamError` and its kin. Nothing that the candidate made is ever overwritten.
    """
    load_edition(edition_name)  # a wrong name must not leave a session behind
    session = _session(workspace, edition_name)
    leftovers.clear(session, engine)
    edition = load_edition(session.edition)
    images = ensure_images(engine, edition, progress)
    sections = all_sections()
    architecture = architecture_of(engine)
    progress.step("Sections", len(sections))
    for done, section in enumerate(sections, 1):
        data = section_data(
            section, session.seed, session.vault, engine, images.workspace, architecture
        )
        lay_out(session.workspace, section, data)
        progress.advance(done)
    progress.step("Jupyter")
    before = running_jupyter(engine, session)
    state = ensure_container(engine, session, images.workspace, port)
    jupyter = await_jupyter(engine, state, session)
    if port not in (0, jupyter.port) and jupyter != before:
        progress.say(f"Port {port} is taken, so Jupyter answers on {jupyter.port}.")
    with Ledger(session.ledger_path) as ledger:
        fresh = not ledger.events("started")
        if fresh:
            ledger.append("started", {"exam": session.exam, "edition": session.edition})
        now = clock(ledger, PRACTICE_SECONDS, datetime.now(UTC))
    return Started(session, jupyter, now, tuple(sections), fresh)


def _session(workspace: Path, edition: str) -> Session:
    if workspace.exists() and not workspace.is_dir():
        raise ExamError(f"{workspace} is a file; the workspace must be a directory: name another.")
    try:
        return start_session(workspace, PRACTICE, edition, "cpu")
    except WorkspaceMoved as moved:
        return adopt(moved.session, moved.workspace)
