"""The workspace container: what it is made of, starting it, finding it, stopping it."""

from __future__ import annotations

import io
import os
import socket
import tarfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass

from exam_cli.engine.port import (
    GPU_ENVIRONMENT,
    ContainerSpec,
    ContainerState,
    Engine,
    EngineInfo,
    Limits,
    Mount,
)
from exam_cli.errors import ExamError, OurFault
from exam_cli.session.session import Session
from exam_cli.workspace.keys import ensure_keys, keys_of, note_port, noted_port
from exam_cli.workspace.ports import free_port, some_port

JUPYTER_PORT = 8888
SSH_PORT = 2222
USER = "candidate"
WORKDIR = "/workspace"
HOME = "/home/candidate"
INTERPRETER = "/opt/exam/bin/python"
ROLE = {"exam.role": "workspace"}

_MOUNTED = "exam.workspace"
_VARIANT = "exam.variant"
_KEYS = "/etc/exam"
_TOKEN_FILE = f"{_KEYS}/jupyter-token"
_PROGRAM = (INTERPRETER, "-IS", "/opt/exam/programs/workspace.py")
# A notebook that is left open does not keep the GPU's memory from the next one, or from a grade.
_ON_GPU = {**GPU_ENVIRONMENT, "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
_MEMORY_SHARE = 0.75  # of the engine's memory: the rest is for grading and the host
_PROCESSES = 4096
_JUPYTER_SECONDS = 90.0
_SSH_SECONDS = 10.0
_TAKEN = ("already allocated", "already in use")  # the engine's words for a port

COMMAND = (
    *_PROGRAM,  # an SSH server beside what follows
    "jupyter",
    "lab",
    "--no-browser",
    "--allow-root",
    "--ip=0.0.0.0",
    f"--port={JUPYTER_PORT}",
    f"--ServerApp.root_dir={WORKDIR}",
    # Published on 127.0.0.1 only; without this the server would drop its check of the Host header,
    # which keeps foreign pages from reaching it by DNS rebinding.
    "--ServerApp.allow_remote_access=False",
    "--ServerApp.terminado_settings=shell_command=['/bin/bash']",
)


@dataclass(frozen=True)
class Jupyter:
    """Where the session's Jupyter answers."""

    port: int
    token: str

    @property
    def url(self) -> str:
        """The address to open in a browser, token included."""
        return f"http://127.0.0.1:{self.port}/lab?token={self.token}"


def container_name(session: Session) -> str:
    """Return the name of a session's workspace container."""
    return f"exam-{session.id}-workspace"


def home_volume(session: Session) -> str:
    """Return the volume that keeps the candidate's home over restarts."""
    return f"exam-{session.id}-home"


def caller() -> str:
    """Return "uid:gid" of whoever runs this program: files must stay theirs."""
    return f"{os.getuid()}:{os.getgid()}"


def _identity(session: Session) -> str:
    """Return what changes when a workspace is moved, or deleted and made anew."""
    about = session.workspace.stat()
    return f"{about.st_dev}:{about.st_ino}:{session.workspace}"


def project(session: Session) -> str:
    """Return the Compose project that a session's container belongs to."""
    return f"exam-{session.id}"


def _editor_labels(session: Session) -> dict[str, str]:
    """Return what Compose and Dev Containers know their containers by.

    So they enter the container that `exam up` has started instead of making another beside it.
    """
    return {
        "devcontainer.local_folder": str(session.workspace),
        "devcontainer.config_file": str(session.workspace / ".devcontainer/devcontainer.json"),
        "com.docker.compose.project": project(session),
        "com.docker.compose.service": "workspace",
        "com.docker.compose.container-number": "1",
        "com.docker.compose.oneoff": "False",
        "com.docker.compose.config-hash": "exam",
    }


def workspace_spec(
    session: Session, image: str, engine: EngineInfo, port: int, ssh_port: int
) -> ContainerSpec:
    """Describe a session's workspace container. A port 0 lets the engine choose."""
    return ContainerSpec(
        image=image,
        command=COMMAND,
        name=container_name(session),
        user=caller(),
        labels={
            **ROLE,
            "exam.session": session.id,
            _MOUNTED: _identity(session),
            _VARIANT: session.variant,
            **_editor_labels(session),
        },
        environment={
            "HOME": HOME,
            "JUPYTER_TOKEN_FILE": _TOKEN_FILE,
            "SHELL": "/bin/bash",
            **(_ON_GPU if session.variant == "gpu" else {}),
        },
        working_dir=WORKDIR,
        network="bridge",
        read_only=False,
        init=True,
        keep_log=True,
        mounts=(
            Mount("bind", str(session.workspace), WORKDIR),
            Mount("bind", str(keys_of(session).inside), _KEYS, read_only=True),
            Mount("volume", home_volume(session), HOME),
        ),
        ports={JUPYTER_PORT: port, SSH_PORT: ssh_port},
        health=(*_PROGRAM, "--healthy"),
        gpus=session.variant == "gpu",
        limits=Limits(
            memory_bytes=int(engine.memory_bytes * _MEMORY_SHARE),
            cpus=float(engine.cpus),
            processes=_PROCESSES,
        ),
    )


def ensure_container(
    engine: Engine, session: Session, image: str, wanted_port: int
) -> ContainerState:
    """Return the session's running workspace container, starting it if it is not there.

    The port of SSH is the one that the session had last, if it is free.
    """
    state = engine.state(container_name(session))
    if state is not None:
        if state.running and _is_current(state, session):
            return state
        engine.stop(state.id)
        engine.remove(state.id)
    ensure_keys(session)
    info = engine.info()
    ssh = noted_port(session) or (SSH_PORT if wanted_port else 0)
    while True:
        ports = some_port(wanted_port), some_port(ssh if ssh != wanted_port else 0)
        try:
            return _start(engine, session, workspace_spec(session, image, info, *ports))
        except OurFault as fault:
            # Somebody was faster: then they listen there now, and others are chosen.
            if not any(word in str(fault) for word in _TAKEN) or all(map(free_port, ports)):
                raise


def _is_current(state: ContainerState, session: Session) -> bool:
    """Say whether a container is such as is made today, for this directory and variant.

    A container keeps the directory that it was given, even one that has been deleted.
    """
    return (
        state.labels.get(_MOUNTED) == _identity(session)
        and state.labels.get(_VARIANT, "cpu") == session.variant
        and SSH_PORT in state.ports
    )


def _start(engine: Engine, session: Session, spec: ContainerSpec) -> ContainerState:
    container = engine.create(spec)
    try:
        _give_home(engine, container)
        engine.start(container)
        started = engine.state(container)
        if started is None:
            raise OurFault("The workspace container vanished while it started: try again.")
        note_port(session, published(engine, started, SSH_PORT))
    except BaseException:
        engine.remove(container)
        raise
    return started


def _give_home(engine: Engine, container: str) -> None:
    """Make the home volume the candidate's own; what is in it stays."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        member = tarfile.TarInfo(HOME.rpartition("/")[2])
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        member.uid, member.gid = os.getuid(), os.getgid()
        archive.addfile(member)
    engine.put(container, HOME.rpartition("/")[0], tar.getvalue())


def await_jupyter(engine: Engine, state: ContainerState, session: Session) -> Jupyter:
    """Wait until Jupyter answers with the session's token.

    Raises `OurFault` with the container's name when it ends or stays silent.
    """
    jupyter = Jupyter(published(engine, state, JUPYTER_PORT), session.token)
    request = urllib.request.Request(
        f"http://127.0.0.1:{jupyter.port}/api/status",
        headers={"Authorization": f"token {session.token}"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + _JUPYTER_SECONDS
    while time.monotonic() < deadline:
        try:
            with opener.open(request, timeout=5) as answer:
                if answer.status == 200:
                    return jupyter
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            now = engine.state(state.id)
            if now is None or not now.running:
                break
            time.sleep(0.02)
    raise OurFault(
        f"Jupyter did not start in the container {state.name}: `docker logs {state.name}` shows "
        "why; `exam down` and `exam up` start it afresh."
    )


def ssh_answers(engine: Engine, state: ContainerState, seconds: float = _SSH_SECONDS) -> bool:
    """Say whether the container's SSH server greets, waiting for it so many seconds."""
    port = published(engine, state, SSH_PORT)
    deadline = time.monotonic() + seconds
    while True:
        # The engine listens, too, and hangs up when nobody answers inside.
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
                connection.sendall(b"SSH-2.0-exam\r\n")  # or its log has a line of complaint
                if connection.recv(64).startswith(b"SSH-"):
                    return True
        except OSError:
            pass
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)


def published(engine: Engine, state: ContainerState, inside: int) -> int:
    """Return where on 127.0.0.1 a container's port is. Raises `OurFault` when it is nowhere."""
    current = engine.state(state.id) or state
    if inside not in current.ports:
        raise OurFault(
            f"The container {state.name} publishes no port {inside}: `exam down`, `exam up`."
        )
    return current.ports[inside]


def running(engine: Engine, session: Session) -> ContainerState | None:
    """Return a session's workspace container, or None when it is not running."""
    state = engine.state(container_name(session))
    return state if state is not None and state.running else None


def need_running(engine: Engine, session: Session) -> ContainerState:
    """Return a session's workspace container. Raises `ExamError` when it is not running."""
    state = running(engine, session)
    if state is None:
        raise ExamError("The workspace container is not running: `exam up` starts it.")
    return state


def runs_variant(engine: Engine, session: Session) -> str | None:
    """Return the variant whose image a session's workspace runs; None when it is not running."""
    state = running(engine, session)
    return None if state is None else state.labels.get(_VARIANT, "cpu")


def running_jupyter(engine: Engine, session: Session) -> Jupyter | None:
    """Return where a session's Jupyter should answer, or None when its container is not running."""
    state = running(engine, session)
    if state is None:
        return None
    return Jupyter(published(engine, state, JUPYTER_PORT), session.token)


def running_ssh(engine: Engine, session: Session) -> int | None:
    """Return the port of a session's SSH server, or None when its container is not running."""
    state = running(engine, session)
    return None if state is None else published(engine, state, SSH_PORT)
