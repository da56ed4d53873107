"""How an editor comes in over SSH: where, as whom, with which key, and what it finds there."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from exam_cli.engine.port import Engine
from exam_cli.errors import OurFault
from exam_cli.session.session import Session
from exam_cli.workspace.container import (
    INTERPRETER,
    SSH_PORT,
    USER,
    WORKDIR,
    need_running,
    project,
    published,
    ssh_answers,
)
from exam_cli.workspace.keys import ensure_keys, keys_of, note_port, noted_port

HOST = "127.0.0.1"
_PATIENCE = 5.0  # seconds; a server that runs greets at once


@dataclass(frozen=True)
class Door:
    """The SSH server of a session.

    Args:
        session: its id.
        port: on this machine, on `HOST` alone.
        key: the private key that it lets in.
        known_hosts: a file that knows the server by `alias`.
        local: the workspace on this machine, which the container has at `WORKDIR`.
    """

    session: str
    port: int
    key: Path
    known_hosts: Path
    alias: str
    local: Path

    def as_json(self) -> dict[str, object]:
        """Return the object that `exam attach pycharm --json` prints."""
        return {
            "host": HOST,
            "port": self.port,
            "user": USER,
            "key": str(self.key),
            "interpreter": INTERPRETER,
            "workspace": WORKDIR,
            "mapping": {str(self.local): WORKDIR},
            "known_hosts": str(self.known_hosts),
            "ssh": self.line(),
        }

    def line(self) -> list[str]:
        """Return the command line that logs in, whatever ~/.ssh/config says."""
        options = {
            "IdentityFile": _quoted(self.key),
            "IdentitiesOnly": "yes",
            "HostKeyAlias": self.alias,
            "UserKnownHostsFile": _quoted(self.known_hosts),
            "StrictHostKeyChecking": "yes",
        }
        named = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        return ["ssh", "-F", "none", "-p", str(self.port), *named, f"{USER}@{HOST}"]

    def typed(self) -> str:
        """Return that line as one types it in a shell."""
        return shlex.join(self.line())

    def entry(self) -> str:
        """Return what ssh_config(5) reads of this server."""
        return f"""\
# Written by `exam attach` for the session {self.session}; `exam down --purge` removes it.
Host {self.alias}
    HostName {HOST}
    Port {self.port}
    User {USER}
    IdentityFile {_quoted(self.key)}
    IdentitiesOnly yes
    HostKeyAlias {self.alias}
    UserKnownHostsFile {_quoted(self.known_hosts)}
    StrictHostKeyChecking yes
    ForwardAgent no
    ServerAliveInterval 30
"""


def _quoted(path: Path) -> str:
    """Return a path as ssh_config(5) wants it: it expands %, and ends words at blanks."""
    return '"' + str(path).replace("%", "%%") + '"'


def door(engine: Engine, session: Session) -> Door:
    """Return how to come in to a session's container.

    Raises `ExamError` when it is not running, `OurFault` when its SSH server is silent.
    """
    state = need_running(engine, session)
    port = published(engine, state, SSH_PORT)
    ensure_keys(session)
    note_port(session, port)  # of a container that Compose has started, say
    if not ssh_answers(engine, state, _PATIENCE):
        raise OurFault(
            f"The SSH server in the container {state.name} does not answer: `docker logs "
            f"{state.name}` shows why; `exam down` and `exam up` start it afresh."
        )
    return last_door(session, port)


def last_door(session: Session, port: int | None = None) -> Door:
    """Return how to come in at `port`, or where one came in last, whether anything runs or not."""
    keys = keys_of(session)
    at = port or noted_port(session) or SSH_PORT
    return Door(session.id, at, keys.user, keys.known_hosts, project(session), session.workspace)
