"""Keep a session's warm containers ready: after `exam up`, and after each grade.

What a grade has used is removed then, too. Should that be cut short, the used containers are
leftovers like those of a killed grade (see `leftovers.py`): claimed, so that nobody takes them
again, and removed by the next command that looks.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from exam_cli.engine.port import Engine
from exam_cli.files import locked
from exam_cli.grading import pool
from exam_cli.grading.environment import Needs
from exam_cli.grading.predictor import predictor_needs
from exam_cli.grading.scorer import SCORER_NEEDS
from exam_cli.images.build import architecture_of, references
from exam_cli.sections.catalog import sections_of
from exam_cli.session.session import Session
from exam_cli.sitting import leftovers
from exam_cli.sitting.editions import grading_edition
from exam_cli.sitting.grade import environment_of
from exam_cli.sitting.rules import is_over
from exam_cli.workspace.container import container_name


def settled(session: Session) -> AbstractContextManager[None]:
    """Keep the session's pool from being filled meanwhile. Raises OSError, ExamError."""
    return locked(session.directory / "pool.lock")


def fill(session: Session, engine: Engine) -> None:
    """See that a predictor and a scorer wait for the session's next grade; none once it is over.

    Where grades are made on a GPU, a scorer alone.

    Only while its workspace runs: whatever fills the pool late, `exam down` leaves nothing behind.
    Raises OSError, `ExamError`, `OurFault`.
    """
    each = [predictor_needs(one) for one in sections_of(session.rules)]
    most = Needs(max(one.memory_bytes for one in each), max(one.tmpfs_bytes for one in each))
    with settled(session):
        workspace = engine.state(container_name(session))
        if workspace is not None and workspace.running:
            edition = grading_edition(session)
            image = references(edition, architecture_of(engine)).grader
            environment = environment_of(session, edition, image, engine)
            if is_over(session):
                pool.drain(environment)
            else:
                # A predictor that waits would hold memory of the GPU that candidates train on.
                warm = {} if environment.variant == "gpu" else {"predictor": most}
                pool.fill(environment, {**warm, "scorer": SCORER_NEEDS})


def renew(session: Session, engine: Engine, used: Iterable[str] = ()) -> None:
    """Remove the containers that a grade has used, and fill the pool. Raises what `fill` does."""
    with leftovers.grading(session):  # or the next grade would take them for its own to clear away
        for container in used:
            engine.remove(container)
    leftovers.clear(session, engine)  # what an interrupt came too early for to be among the used
    fill(session, engine)


@contextmanager
def renewed_behind(session: Session, connect: Callable[[], Engine]) -> Iterator[list[str]]:
    """Yield a list for the containers that are used, and renew the pool behind what follows."""
    with suppress(ChildProcessError):  # in a command that grades on and on: the one before
        os.waitpid(-1, os.WNOHANG)
    used: list[str] = []
    try:
        yield used
    finally:
        sys.stdout.flush()  # the answer is out before anything else is done
        renew_behind(session, connect, used)


def _fork() -> int:
    """Fork as `os.fork` does; a Ctrl-C meanwhile waits until it is over.

    Python calls back into itself after a fork, and an interrupt that is raised there is lost.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        return os.fork()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def renew_behind(session: Session, connect: Callable[[], Engine], used: Iterable[str] = ()) -> None:
    """Renew the pool in a process of its own, which nobody waits for and which soon ends.

    What fails there costs the next grade its seconds and nothing else.
    """
    try:
        if _fork():
            return
    except OSError:  # no more processes: warmth can wait, what was used cannot
        leftovers.clear(session, connect())
        return
    try:
        os.setsid()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):  # whoever reads our output must not wait for this process
            os.dup2(nowhere, stream)
        renew(session, connect(), used)
    finally:
        os._exit(0)
