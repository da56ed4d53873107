"""`exam attach pycharm` and `exam attach vscode`: what the editor needs, told and written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from exam_cli.engine.port import ContainerSpec, Engine
from exam_cli.errors import OurFault
from exam_cli.images.build import architecture_of, references
from exam_cli.session.session import Session
from exam_cli.sitting.editions import grading_edition, workspace_edition
from exam_cli.workspace import compose, pycharm, ssh_config, vscode, written
from exam_cli.workspace.container import (
    INTERPRETER,
    JUPYTER_PORT,
    SSH_PORT,
    need_running,
    workspace_spec,
)
from exam_cli.workspace.door import Door, door, last_door
from exam_cli.workspace.keys import keys_of

Editor = Literal["pycharm", "vscode"]
_VERSION = "import platform; print(platform.python_version())"


@dataclass(frozen=True)
class Attached:
    """How an editor comes in, and what was written for it; None when that was not asked for."""

    door: Door
    files: written.Outcome | None


def attach(session: Session, engine: Engine, editor: Editor, *, write: bool) -> Attached:
    """Return what an editor needs to come in; write it where the editor looks, if asked.

    Raises `ExamError` when the container is not running, `OurFault` when it does not answer,
    what writing raises.
    """
    found = door(engine, session)
    if not write:
        return Attached(found, None)
    spec = _spec(session, engine)
    parts = [*ssh_config.parts(found)]
    if editor == "pycharm":
        parts += pycharm.parts(found, _python(session, engine))
        parts.append(vscode.compose_part(found, spec))
    else:
        parts += vscode.parts(found, spec)
    return Attached(found, written.write(session, parts))


def compose_variables(session: Session, engine: Engine) -> dict[str, str]:
    """Return the values of compose.yaml's variables. Raises `ExamError` when nothing runs."""
    door(engine, session)
    spec = _spec(session, engine)
    grader = references(grading_edition(session), architecture_of(engine)).grader
    return compose.variables(spec, grader, session.id, keys_of(session).inside)


def detach(session: Session) -> list[str]:
    """Take back all that was written for editors; return the files that were left, as changed."""
    found = last_door(session)
    parts = [*ssh_config.parts(found), *pycharm.parts(found, "")]
    return [str(path) for path in written.take_back(session, parts)]


def _spec(session: Session, engine: Engine) -> ContainerSpec:
    """Describe the session's container as it runs."""
    state = need_running(engine, session)
    image = references(workspace_edition(session), architecture_of(engine)).workspace
    ports = state.ports[JUPYTER_PORT], state.ports[SSH_PORT]
    return workspace_spec(session, image, engine.info(), *ports)


def _python(session: Session, engine: Engine) -> str:
    """Return the whole version of the interpreter in the container."""
    state = need_running(engine, session)
    told = engine.execute(state.id, [INTERPRETER, "-ISc", _VERSION])
    if told.exit_code:
        raise OurFault(
            f"Python does not start in the container {state.name}: `exam down` and `exam up` start "
            "it afresh."
        )
    return told.stdout.decode().strip()
