"""`exam shell` and `exam run`: work in the container from a terminal."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

from exam_cli.engine.port import Engine
from exam_cli.errors import ExamError
from exam_cli.session.session import Session
from exam_cli.workspace.container import INTERPRETER, WORKDIR, caller, need_running

_NOTE_AND_RUN = 'echo $$ >"$0"; exec "$@"'
_END = 'kill -INT "$(cat "$0")"'


def in_container(session: Session, engine: Engine, command: Sequence[str], directory: str) -> int:
    """Run a command in the workspace container with the caller's terminal; return its status.

    Args:
        session: whose container.
        engine: where it runs.
        command: what to run.
        directory: relative to the workspace.

    Raises `ExamError` when the container is not running.
    """
    state = need_running(engine, session)
    where = f"{WORKDIR}/{directory}" if directory != "." else WORKDIR
    note = f"/tmp/.exam-{secrets.token_hex(4)}"
    noted = ["/bin/sh", "-c", _NOTE_AND_RUN, note, *command]
    try:
        return engine.interact(state.id, noted, user=caller(), working_dir=where)
    except KeyboardInterrupt:
        # Without a terminal nobody tells the program inside that it should end.
        engine.execute(state.id, ["/bin/sh", "-c", _END, note], user=caller())
        raise
    finally:
        engine.execute(state.id, ["rm", "-f", note], user=caller())


def run_script(session: Session, engine: Engine, script: Path, arguments: Sequence[str]) -> int:
    """Run a Python script of the workspace, in the script's own directory.

    The script may be named from the current directory or from the workspace. Raises `ExamError`
    when it is not there, or outside the workspace.
    """
    root = session.workspace.resolve()
    places = [Path.cwd() / script, root / script]
    found = next((place.resolve() for place in places if place.is_file()), None)
    if found is None:
        raise ExamError(f"There is no script {script}, neither here nor in {root}.")
    if not found.is_relative_to(root):
        raise ExamError(f"{found} is outside the workspace {root}: copy it there first.")
    inner = found.relative_to(root)
    command = [INTERPRETER, inner.name, *arguments]
    return in_container(session, engine, command, inner.parent.as_posix())
