"""`exam down`: stop what runs; with a purge, forget the session."""

from __future__ import annotations

from contextlib import ExitStack, suppress

from exam_cli.engine.port import Engine
from exam_cli.session.session import Session, forget
from exam_cli.sitting.attach import detach
from exam_cli.sitting.opening import untell_jupyter
from exam_cli.sitting.pool import settled
from exam_cli.workspace.container import container_name, home_volume


def down(session: Session, engine: Engine) -> list[str]:
    """Stop and remove a session's containers; return their names. Work and record stay."""
    names = []
    with ExitStack() as stack:
        with suppress(OSError):  # of a record that cannot be written: stopping matters more
            stack.enter_context(settled(session))
        for state in engine.find({"exam.session": session.id}):
            if state.name == container_name(session):
                engine.stop(state.id)
            engine.remove(state.id)
            names.append(state.name)
    return names


def purge(session: Session, engine: Engine) -> list[str]:
    """Remove a session's home volume, its whole record, and what was written for editors.

    The workspace stays. Returns the files that were written for editors but changed since, which
    stay, too.
    """
    engine.remove_volume(home_volume(session))
    left = detach(session)
    forget(session)
    untell_jupyter(session)
    return left
