"""`exam up`: from whatever is there to a running exam. Every step is harmless when done already."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from exam_cli.config.edition import Variant, load_edition
from exam_cli.config.exam import Exam, load_exam
from exam_cli.config.section import Section
from exam_cli.engine.port import Engine
from exam_cli.errors import ExamError
from exam_cli.images.build import architecture_of, ensure_images
from exam_cli.images.gpu import Gpu
from exam_cli.progress import Progress
from exam_cli.sections.catalog import sections_of
from exam_cli.sections.vault import SectionData, section_data
from exam_cli.session.clock import Clock, Move, start
from exam_cli.session.ledger import Ledger
from exam_cli.session.session import (
    Session,
    WorkspaceMoved,
    adopt,
    known_session,
    start_session,
)
from exam_cli.sitting import leftovers
from exam_cli.sitting.clock import look
from exam_cli.sitting.editions import grading_edition
from exam_cli.sitting.opening import tell_jupyter
from exam_cli.sitting.variant import go_on_in, gpus_for, wanted
from exam_cli.workspace.container import (
    SSH_PORT,
    Jupyter,
    await_jupyter,
    ensure_container,
    running_jupyter,
    running_ssh,
    ssh_answers,
)
from exam_cli.workspace.keys import noted_port
from exam_cli.workspace.layout import lay_out

PRACTICE = "practice"
_BUILDERS = 2  # containers that build data at a time: they compute on one core each


@dataclass(frozen=True)
class Started:
    """A running exam.

    Args:
        session: its session.
        jupyter: where it answers.
        clock: what is left.
        moved: what was noticed just now of the machine's clock being set.
        sections: the exam's.
        fresh: whether the clock has just begun.
        gpus: those that were looked at just now; none where none are used, or they were before.
    """

    session: Session
    jupyter: Jupyter
    clock: Clock
    moved: Move | None
    sections: tuple[Section, ...]
    fresh: bool
    gpus: tuple[Gpu, ...] = ()


def up(
    workspace: Path,
    exam: Exam | None,
    edition_name: str,
    port: int,
    engine: Engine,
    progress: Progress,
    asked: Variant | None = None,
) -> Started:
    """Bring a session to life: images, directory, data, container, clock.

    Args:
        workspace: the candidate's directory; made if it does not exist.
        exam: what is sat; None for practice, or for what the workspace's session sits already.
        edition_name: used for a new session; one that exists keeps its own.
        port: wanted for Jupyter; another is taken, and said, when it is in use.
        engine: runs everything.
        progress: told what takes time.
        asked: with a GPU or without; None for as before, without one at first.

    Raises `ExamError` and its kin. Nothing that the candidate made is ever overwritten.
    """
    load_edition(edition_name)  # a wrong name must not leave a session behind
    sections_of(exam or load_exam(PRACTICE))  # and neither must a wrong exam
    known = _known(workspace)
    variant = wanted(asked, known)
    name = known.edition if known else edition_name
    rules = known.rules if known else exam or load_exam(PRACTICE)
    # And neither must a machine without a GPU; nor are minutes spent on an image for nothing.
    gpus = gpus_for(variant, name, rules, known, engine)
    session = _session(workspace, exam, edition_name, variant)
    leftovers.clear(session, engine)
    graded_in, worked_in = grading_edition(session), load_edition(session.edition, variant)
    graders = ensure_images(engine, graded_in, progress)
    images = graders if worked_in == graded_in else ensure_images(engine, worked_in, progress)
    gpus = gpus or gpus_for(variant, name, rules, session, engine)  # there is an image now, to ask
    session = go_on_in(variant, session, engine, progress)
    sections = sections_of(session.rules)
    _data_and_directories(sections, session, engine, graders.workspace, progress)
    tell_jupyter(session, sections)
    progress.step("Jupyter")
    before = running_jupyter(engine, session)
    ssh_before = noted_port(session) or SSH_PORT
    state = ensure_container(engine, session, images.workspace, port)
    jupyter = await_jupyter(engine, state, session)
    if port not in (0, jupyter.port) and jupyter != before:
        progress.say(f"Port {port} is taken, so Jupyter answers on {jupyter.port}.")
    ssh = running_ssh(engine, session)
    if port != 0 and ssh != ssh_before:
        progress.say(f"Port {ssh_before} is taken, so SSH answers on {ssh}: attach editors anew.")
    if not ssh_answers(engine, state):
        progress.say(
            "SSH does not answer, so PyCharm and VS Code cannot come in: `docker logs "
            f"{state.name}` shows why; `exam down` and `exam up` start it afresh."
        )
    with Ledger(session.ledger_path) as ledger:
        fresh = not ledger.events("started")
        if fresh:
            about = {"exam": session.exam, "edition": session.edition, "variant": session.variant}
            start(ledger, about)
    now = look(session)
    return Started(session, jupyter, now.clock, now.moved, tuple(sections), fresh, gpus)


def _data_and_directories(
    sections: list[Section], session: Session, engine: Engine, image: str, progress: Progress
) -> None:
    architecture = architecture_of(engine)
    # An exam with a seed has the same data for everyone: on an examiner's machine it is built once.
    shared = session.rules.seed is not None

    def build(section: Section) -> SectionData:
        return section_data(
            section, session.seed, session.vault, engine, image, architecture, shared=shared
        )

    progress.step("Sections", len(sections))
    with ThreadPoolExecutor(_BUILDERS) as builders:
        built = builders.map(build, sections)
        for done, (section, data) in enumerate(zip(sections, built, strict=True), 1):
            lay_out(session.workspace, section, data)
            progress.advance(done)


def _refuse_if_foreign(workspace: Path) -> None:
    """Raise `ExamError` for another user's directory: files in it must stay its owner's."""
    if workspace.exists() and (owner := workspace.stat().st_uid) != os.getuid():
        raise ExamError(
            f"{workspace} belongs to another user (uid {owner}, you are {os.getuid()}): name a "
            "--workspace of your own, or run this as its owner.",
            reason="not_yours",
        )


def _known(workspace: Path) -> Session | None:
    """Return the session that a workspace has already, wherever it was before."""
    try:
        return known_session(workspace)
    except WorkspaceMoved as moved:
        return moved.session


def _session(workspace: Path, exam: Exam | None, edition: str, variant: Variant) -> Session:
    if workspace.exists() and not workspace.is_dir():
        raise ExamError(f"{workspace} is a file; the workspace must be a directory: name another.")
    _refuse_if_foreign(workspace)
    try:
        session = start_session(workspace, exam or load_exam(PRACTICE), edition, variant)
    except WorkspaceMoved as moved:
        session = adopt(moved.session, moved.workspace)
    if exam is not None and session.rules != exam:
        raise ExamError(
            f"{session.workspace} already sits the exam {session.exam}, by the rules that its file "
            "had then: name another --workspace for another exam, or leave out --exam to go on."
        )
    return session
