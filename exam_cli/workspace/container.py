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

from exam_cli.engine.port import ContainerSpec, ContainerState, Engine, EngineInfo, Limits, Mount
from exam_cli.errors import OurFault
from exam_cli.session.session import Session

JUPYTER_PORT = 8888
WORKDIR = "/workspace"
HOME = "/home/candidate"
INTERPRETER = "/opt/exam/bin/python"
ROLE = {"exam.role": "workspace"}

_MOUNTED = "exam.workspace"
_TOKEN_FILE = "/etc/exam/jupyter-token"
_MEMORY_SHARE = 0.75  # of the engine's memory: the rest is for grading and the host
_PROCESSES = 4096
_JUPYTER_SECONDS = 90.0

COMMAND = (
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


def workspace_spec(session: Session, image: str, engine: EngineInfo, port: int) -> ContainerSpec:
    """Describe a session's workspace container. `port` 0 lets the engine choose."""
    return ContainerSpec(
        image=image,
        command=COMMAND,
        name=container_name(session),
        user=caller(),
        labels={**ROLE, "exam.session": session.id, _MOUNTED: _identity(session)},
        environment={"HOME": HOME, "JUPYTER_TOKEN_FILE": _TOKEN_FILE, "SHELL": "/bin/bash"},
        working_dir=WORKDIR,
        network="bridge",
        read_only=False,
        init=True,
        keep_log=True,
        mounts=(
            Mount("bind", str(session.workspace), WORKDIR),
            Mount("volume", home_volume(session), HOME),
        ),
        ports={JUPYTER_PORT: port},
        limits=Limits(
            memory_bytes=int(engine.memory_bytes * _MEMORY_SHARE),
            cpus=float(engine.cpus),
            processes=_PROCESSES,
        ),
    )


def free_port(wanted: int) -> int:
    """Return `wanted` if nothing listens there on 127.0.0.1, else 0: let the engine choose."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return 0
    return wanted


def ensure_container(
    engine: Engine, session: Session, image: str, wanted_port: int
) -> ContainerState:
    """Return the session's running workspace container, starting it if it is not there."""
    state = engine.state(container_name(session))
    if state is not None:
        # A container keeps the directory that it was given, even one that has been deleted.
        if state.running and state.labels.get(_MOUNTED) == _identity(session):
            return state
        engine.stop(state.id)
        engine.remove(state.id)
    spec = workspace_spec(session, image, engine.info(), free_port(wanted_port))
    container = engine.create(spec)
    try:
        _introduce(engine, container, session)
        engine.start(container)
    except BaseException:
        engine.remove(container)
        raise
    started = engine.state(container)
    if started is None:
        raise OurFault("The workspace container vanished while it started: try again.")
    return started


def _introduce(engine: Engine, container: str, session: Session) -> None:
    """Give the container the candidate's user name and the Jupyter token, before it starts."""
    uid, gid = os.getuid(), os.getgid()
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        _add(archive, "etc/exam/jupyter-token", session.token.encode(), 0o400, uid, gid)
        accounts = _read(engine, container, "/etc/passwd")
        if accounts and not any(line.split(b":")[2:3] == [b"%d" % uid] for line in accounts):
            line = f"candidate:x:{uid}:{gid}:Candidate:{HOME}:/bin/bash".encode()
            text = b"\n".join([*accounts, line, b""])
            _add(archive, "etc/passwd", text, 0o644, 0, 0)
    engine.put(container, "/", tar.getvalue())


def _add(
    archive: tarfile.TarFile, name: str, content: bytes, mode: int, uid: int, gid: int
) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.uid, member.gid = len(content), mode, uid, gid
    archive.addfile(member, io.BytesIO(content))


def _read(engine: Engine, container: str, path: str) -> list[bytes]:
    """Return the lines of a text file in a container; none if there is no such file."""
    packed = b"".join(engine.get(container, path))
    if not packed:
        return []
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        stream = archive.extractfile(archive.getmembers()[0])
        return stream.read().rstrip(b"\n").split(b"\n") if stream else []


def await_jupyter(engine: Engine, state: ContainerState, session: Session) -> Jupyter:
    """Wait until Jupyter answers with the session's token.

    Raises `OurFault` with the container's name when it ends or stays silent.
    """
    jupyter = Jupyter(_port(engine, state), session.token)
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


def _port(engine: Engine, state: ContainerState) -> int:
    current = engine.state(state.id) or state
    if JUPYTER_PORT not in current.ports:
        raise OurFault(f"The container {state.name} publishes no port: `exam down`, `exam up`.")
    return current.ports[JUPYTER_PORT]


def running_jupyter(engine: Engine, session: Session) -> Jupyter | None:
    """Return where a session's Jupyter should answer, or None when its container is not running."""
    state = engine.state(container_name(session))
    if state is None or not state.running:
        return None
    return Jupyter(_port(engine, state), session.token)
