"""What a workspace container does before Jupyter: an account, and the SSH server's settings."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from types import ModuleType

import pytest

from exam_cli.workspace import container
from tests.programs.conftest import load

PASSWD = "root:x:0:0:root:/root:/bin/bash\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n"
GROUP = "root:x:0:\nnogroup:x:65534:\n"


@pytest.fixture(scope="module")
def workspace() -> ModuleType:
    return load("workspace")


def lines(text: str) -> dict[str, list[str]]:
    return {line.split(":")[0]: line.split(":")[1:] for line in text.splitlines()}


def test_program_and_host_agree(workspace: ModuleType) -> None:
    assert workspace.SSH_PORT == container.SSH_PORT
    assert workspace.JUPYTER_PORT == container.JUPYTER_PORT
    assert (workspace.USER, workspace.HOME) == (container.USER, container.HOME)


@pytest.mark.parametrize(("uid", "gid"), [(1000, 1000), (1000, 65534), (0, 0), (100, 0)])
def test_there_is_an_account_for_whoever_runs_it(workspace: ModuleType, uid: int, gid: int) -> None:
    passwd, group = workspace.accounts(PASSWD, GROUP, uid, gid)
    found = lines(passwd)
    assert found["candidate"][1:3] == [str(uid), str(gid)]
    assert found["candidate"][4] == "/home/candidate"
    assert found["root"] == lines(PASSWD)["root"]
    assert [line.split(":")[2] for line in group.splitlines()].count(str(gid)) == 1
    # The server's own account is root's only where there is no other user at all.
    assert found["sshd"][1] == ("0" if uid == 0 else "100")
    assert workspace.accounts(passwd, group, uid, gid) == (passwd, group)


@pytest.mark.parametrize(("uid", "root"), [(1000, "no"), (0, "prohibit-password")])
def test_one_user_one_key_no_password(workspace: ModuleType, uid: int, root: str) -> None:
    settings = dict(line.split(" ", 1) for line in workspace.configuration({"PATH": "/a"}, uid))
    assert settings["AllowUsers"] == "candidate"
    assert settings["AuthenticationMethods"] == "publickey"
    assert settings["PasswordAuthentication"] == settings["KbdInteractiveAuthentication"] == "no"
    assert settings["PermitRootLogin"] == root
    assert settings["AllowTcpForwarding"] == "yes"


def test_sessions_get_the_container_s_variables(workspace: ModuleType) -> None:
    environment = {"PATH": "/a b:/c", "LANG": 'C"\\', "SECRET": "x", "TZ": ""}
    (line,) = [
        one for one in workspace.configuration(environment, 1000) if one.startswith("SetEnv")
    ]
    assert line == 'SetEnv "PATH=/a b:/c" "LANG=C\\"\\\\"'


@pytest.fixture
def server() -> Iterator[int]:
    """A port where somebody says SSH's greeting and nothing else."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"SSH-2.0-test\r\n")
                    connection.recv(64)

        threading.Thread(target=greet, daemon=True).start()
        yield listening.getsockname()[1]


def test_health_is_what_servers_say(workspace: ModuleType, server: int) -> None:
    assert workspace.answers(server, b"SSH-2.0-health\r\n", b"SSH-2.0-")
    assert not workspace.answers(server, b"x", b"HTTP/1.1 200")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        assert not workspace.answers(nobody.getsockname()[1], b"x", b"SSH-2.0-")
