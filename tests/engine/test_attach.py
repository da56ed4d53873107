"""An editor comes in: OpenSSH's own client, PyCharm's own debugger, Compose itself.

The tests of this file are one sitting, in order.
"""

from __future__ import annotations

import http.server
import json
import os
import shlex
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest

from exam_cli.config.edition import Edition
from exam_cli.config.exam import load_exam
from exam_cli.engine import docker as adapter
from exam_cli.engine.port import ContainerSpec, Engine, Limits
from exam_cli.images.build import Images
from exam_cli.paths import resource
from exam_cli.session.session import Session, start_session
from exam_cli.workspace.container import (
    HOME,
    INTERPRETER,
    JUPYTER_PORT,
    ROLE,
    SSH_PORT,
    ssh_answers,
    workspace_spec,
)
from exam_cli.workspace.door import last_door
from exam_cli.workspace.keys import ensure_keys, keys_of, note_port
from tests.conftest import unavailable
from tests.engine import debugger
from tests.engine.debugger import Debugger
from tests.engine.road import Road
from tests.engine.road import http as ask

pytestmark = pytest.mark.engine

STOPPED = 4  # the line in the program below where the debugger stops it
PROGRAM = """\
import sys
def double(number):
    result = number * 2
    return result
print(double(21))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where ~ is for whoever attaches."""
    return tmp_path_factory.mktemp("candidate")


@pytest.fixture(scope="module")
def there(road: Road, home: Path) -> Road:
    """The candidate of `road`, with a ~ of their own."""
    return Road(road.directory, road.home, environment={"HOME": str(home)})


def door(there: Road) -> dict[str, Any]:
    """What `exam attach` tells now."""
    told = there.exam("attach", "pycharm", "--json")
    assert told.status == 0, told
    answer: dict[str, Any] = told.json
    return answer


def ssh(
    there: Road, *command: str, options: tuple[str, ...] = (), check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a command over SSH as the line that `exam attach` shows does it."""
    program, *line = door(there)["ssh"]
    return subprocess.run(
        [program, *options, *line, *command],
        capture_output=True,
        text=True,
        timeout=120,
        check=check,
        stdin=subprocess.DEVNULL,
    )


def sftp(there: Road, *commands: str) -> str:
    """Run commands in sftp; return what it prints."""
    line = ["-P" if word == "-p" else word for word in door(there)["ssh"][1:]]
    done = subprocess.run(
        ["sftp", "-q", "-b", "-", *line],
        input="\n".join(commands),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


def container(engine: Engine, road: Road) -> str:
    """Return the id of the workspace container."""
    (found,) = engine.find({"exam.session": road.session(), **ROLE})
    return found.id


def inspected(container: str) -> Any:
    return docker.from_env().api.inspect_container(container)


def test_it_tells_what_an_editor_needs(there: Road) -> None:
    told = door(there)
    assert (told["host"], told["user"]) == ("127.0.0.1", "candidate")
    assert (told["interpreter"], told["workspace"]) == (INTERPRETER, "/workspace")
    assert told["mapping"] == {str(there.workspace): "/workspace"}
    key = Path(told["key"])
    assert key.stat().st_mode & 0o777 == 0o600 and key.is_relative_to(there.record())
    assert there.exam("attach", "vscode", "--json").json == told
    shown = there.exam("attach", "vscode")
    assert shown.status == 0
    for value in (told["host"], told["port"], told["user"], told["key"], told["interpreter"]):
        assert str(value) in shown.out


def test_it_is_published_on_this_machine_only(there: Road, docker_engine: Engine) -> None:
    ports = inspected(container(docker_engine, there))["NetworkSettings"]["Ports"]
    hosts = [host for hosts in ports.values() for host in hosts or ()]
    assert len(hosts) == 2 and {host["HostIp"] for host in hosts} == {"127.0.0.1"}


def test_a_login_runs_the_pinned_python_with_its_variables(there: Road, edition: Edition) -> None:
    script = (
        "import json, os, sys, tensorflow as tf;"
        "print(json.dumps([sys.executable, tf.__version__, os.getuid(), os.getgid(),"
        "dict(os.environ)]))"
    )
    # Python is found by PATH alone.
    told = json.loads(ssh(there, shlex.join(["python", "-c", script])).stdout)
    assert told[:4] == [INTERPRETER, edition.tensorflow, os.getuid(), os.getgid()]
    variables = told[4]
    assert variables["PATH"].split(":")[0] == "/opt/exam/bin"
    assert variables["HOME"] == HOME and variables["LANG"] == "C.UTF-8"
    assert variables["PYTHONUNBUFFERED"] == "1" and variables["TF_CPP_MIN_LOG_LEVEL"] == "2"


@pytest.mark.parametrize("shell", ["bash -c", "bash -lc", "bash -ic", "sh -c", "sh -lc"])
def test_every_shell_finds_python_and_says_nothing_of_its_own(there: Road, shell: str) -> None:
    done = ssh(there, f"{shell} 'printf . && command -v python'")
    assert done.stdout == f".{INTERPRETER}\n"
    if "-ic" not in shell:  # which complains that there is no terminal
        assert done.stderr == ""


def test_not_a_byte_comes_before_the_command_s_own(there: Road) -> None:
    done = ssh(there, "true")
    assert (done.stdout, done.stderr) == ("", "")


def test_a_terminal_is_a_terminal(there: Road) -> None:
    done = ssh(there, "tty", options=("-tt",))
    assert done.stdout.strip().startswith("/dev/pts/")


def test_nobody_in_there_has_any_rights(there: Road) -> None:
    status = dict(
        line.split(":\t") for line in ssh(there, "cat /proc/self/status").stdout.splitlines()
    )
    assert {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"


def test_files_land_as_the_owner_s(there: Road, tmp_path: Path) -> None:
    (tmp_path / "sent").write_bytes(bytes(range(256)) * 1000)
    place = "/workspace/1-regression/sent"
    sftp(there, f"put {tmp_path}/sent {place}", f"get {place} {tmp_path}/back")
    landed = there.workspace / "1-regression" / "sent"
    assert landed.read_bytes() == (tmp_path / "back").read_bytes() == bytes(range(256)) * 1000
    assert (landed.stat().st_uid, landed.stat().st_gid) == (os.getuid(), os.getgid())


@pytest.mark.parametrize(
    ("user", "key", "methods"),
    [
        ("candidate", "other", "publickey"),
        ("candidate", None, "password,keyboard-interactive"),
        ("root", "ours", "publickey"),
        ("nobody", "ours", "publickey"),
    ],
    ids=["another key", "a password", "root", "another user"],
)
def test_nobody_else_comes_in(
    there: Road, tmp_path: Path, user: str, key: str | None, methods: str
) -> None:
    told = door(there)
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    keys = {"ours": told["key"], "other": other}
    options = {
        "BatchMode": "yes",
        "HostKeyAlias": f"exam-{there.session()}",
        "IdentitiesOnly": "yes",
        "IdentityFile": keys[key] if key else "none",
        "PreferredAuthentications": methods,
        "UserKnownHostsFile": told["known_hosts"],
    }
    named = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    done = subprocess.run(
        ["ssh", "-F", "none", *named, "-p", str(told["port"]), f"{user}@127.0.0.1", "true"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    # The one way that is offered is by key.
    assert done.returncode == 255 and "Permission denied (publickey)" in done.stderr


@pytest.fixture
def page() -> Iterator[tuple[int, bytes]]:
    """A server on this machine: its port, and what it says."""
    said = os.urandom(8).hex().encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, said
        server.shutdown()


def test_a_port_out_there_is_reached_from_inside(there: Road, page: tuple[int, bytes]) -> None:
    forward = ("-o", "ExitOnForwardFailure=yes", "-R", f"18123:127.0.0.1:{page[0]}")
    done = ssh(there, "curl -s http://127.0.0.1:18123/", options=forward)
    assert done.stdout.encode() == page[1]


def test_a_port_inside_is_reached_from_out_there(there: Road) -> None:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program, *line = door(there)["ssh"]
    forward = ["-N", "-o", "ExitOnForwardFailure=yes", "-L", f"127.0.0.1:{port}:127.0.0.1:8888"]
    with subprocess.Popen([program, *forward, *line]) as tunnel:
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    assert b"version" in ask(f"http://127.0.0.1:{port}/api").body
                    break
                except OSError:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
        finally:
            tunnel.terminate()


def test_pycharm_s_debugger_stops_where_it_is_told(there: Road, tmp_path: Path) -> None:
    helpers = debugger.helpers(tmp_path / "pydev")
    ssh(there, "mkdir -p .pycharm_helpers")
    sftp(there, f"put -r {helpers} .pycharm_helpers/")
    script = there.workspace / "1-regression" / "bug.py"
    script.write_text(PROGRAM)
    mapping = json.dumps([[str(there.workspace), "/workspace"]])
    with Debugger() as ide:
        remote = 18124
        command = [
            *("env", f"PATHS_FROM_ECLIPSE_TO_PYTHON={mapping}", "PYDEVD_USE_CYTHON=NO"),
            *("python", f"{HOME}/.pycharm_helpers/pydev/pydevd.py"),
            *("--client", "127.0.0.1", "--port", str(remote)),
            *("--file", "/workspace/1-regression/bug.py"),
        ]
        program, *line = door(there)["ssh"]
        tunnel = ["-o", "ExitOnForwardFailure=yes", "-R", f"{remote}:127.0.0.1:{ide.port}"]
        with subprocess.Popen(
            [program, *tunnel, *line, shlex.join(command)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as running:
            try:
                ide.accept()
                ide.send(debugger.VERSION, "1.0", "UNIX", "ID")
                ide.expect(debugger.VERSION)
                place = (0, "python-line", script, STOPPED, "double", "None", "None")
                ide.send(debugger.BREAK, *place)
                ide.send(debugger.RUN)
                stop = ide.stopped()
                assert (stop.file, stop.line) == (str(script), STOPPED)
                assert stop.function == "double"
                variables = ide.variables(stop)
                assert variables == {"number": ("int", "21"), "result": ("int", "42")}
                ide.send(debugger.CONTINUE, stop.thread)
                ide.finish()
                out, err = running.communicate(timeout=60)
            finally:
                running.kill()
        assert running.returncode == 0, err
        assert out.splitlines()[-1] == "42"


def test_it_writes_what_editors_read(there: Road, home: Path) -> None:
    done = there.exam("attach", "pycharm", "--write", "--json")
    assert done.status == 0 and done.json["left_alone"] == {}
    done = there.exam("attach", "vscode", "--write", "--json")
    assert done.status == 0 and done.json["left_alone"] == {}
    (entry,) = (home / ".ssh" / "config.d").iterdir()
    name = entry.stem
    assert name == f"exam-{there.session()}"
    ran = subprocess.run(
        ["ssh", "-F", entry, name, "python -c 'print(6 * 7)'"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (ran.stdout, ran.stderr) == ("42\n", "")
    named = (there.workspace / ".idea" / "misc.xml").read_text()
    version = ssh(there, "python -V").stdout.split()[1]
    assert f"Remote Python {version} (sftp://candidate@127.0.0.1:" in named


def composes() -> dict[str, list[str]]:
    """The versions of Compose that are here."""
    found = {}
    if shutil.which("docker-compose"):
        found["docker-compose"] = ["docker-compose"]
    plugin = ["docker", "compose"]
    if subprocess.run([*plugin, "version"], capture_output=True).returncode == 0:
        found["docker compose"] = plugin
    return found


COMPOSES = composes()


@pytest.fixture(params=COMPOSES or ["none"])
def compose(request: pytest.FixtureRequest) -> list[str]:
    if not COMPOSES:
        unavailable("no Compose is here: run `sh tests/tools.sh`")
    return COMPOSES[request.param]


class TestCompose:
    def test_it_knows_the_container_that_runs(
        self, there: Road, compose: list[str], docker_engine: Engine
    ) -> None:
        (file,) = (there.workspace / ".devcontainer").glob("*/compose.yaml")
        listed = subprocess.run(
            [*compose, "-f", file, "ps", "-q"], capture_output=True, text=True, check=True
        )
        assert listed.stdout.split() == [container(docker_engine, there)]

    def test_what_it_starts_is_the_exam_s(
        self, there: Road, compose: list[str], docker_engine: Engine, tmp_path: Path
    ) -> None:
        values = there.exam("attach", "compose")
        assert values.status == 0
        shutil.copy(resource("compose.yaml"), tmp_path)
        (tmp_path / "images").mkdir()
        shutil.copy(resource("images", "seccomp.json"), tmp_path / "images")  # the grader's
        (tmp_path / ".env").write_text(values.out)
        before = inspected(container(docker_engine, there))
        there.exam("down")
        # As one types it, in the file's own directory.
        line = [*compose, "up", "-d", "workspace"]
        subprocess.run(line, cwd=tmp_path, capture_output=True, check=True, timeout=120)
        after = inspected(container(docker_engine, there))
        assert after["Id"] != before["Id"] and after["Name"] == before["Name"]
        for part, names in SAME.items():
            for name in names:
                assert after[part][name] == before[part][name], name
        assert mounts(after) == mounts(before)
        cpus = [one["HostConfig"] for one in (before, after)]
        assert cpus[0]["CpuQuota"] / cpus[0]["CpuPeriod"] == cpus[1]["NanoCpus"] / 1e9
        assert wait_for_ssh(there)
        assert ssh(there, "python -c 'print(6 * 7)'").stdout == "42\n"
        # It is the session's own: `exam up` takes it as it is.
        assert there.exam("up", "--json").status == 0
        assert container(docker_engine, there) == after["Id"]
        there.exam("down")
        assert there.exam("up", "--json").status == 0


SAME = {
    "Config": ["User", "Cmd", "WorkingDir", "Image"],
    "HostConfig": ["CapDrop", "Init", "Memory", "MemorySwap", "NetworkMode", "PidsLimit",
                   "PortBindings", "ReadonlyRootfs", "SecurityOpt"],
}  # fmt: skip


def mounts(inspected: Any) -> set[tuple[str, str, bool]]:
    return {
        (one["Destination"], one.get("Name") or one["Source"], one["RW"])
        for one in inspected["Mounts"]
    }


def wait_for_ssh(there: Road) -> bool:
    deadline = time.monotonic() + 30
    while there.exam("attach", "pycharm").status != 0:
        if time.monotonic() > deadline:
            return False
    return True


class TestRestart:
    def test_an_ssh_server_that_ends_is_started_again_and_that_is_said(
        self, there: Road, docker_engine: Engine
    ) -> None:
        id = container(docker_engine, there)
        ssh(there, "pkill -o -x sshd", check=False)
        assert wait_for_ssh(there)
        assert ssh(there, "echo back").stdout == "back\n"
        said = docker.from_env().api.logs(id).decode()
        assert "sshd ended" in said and container(docker_engine, there) == id

    def test_a_silent_server_is_unhealthy_and_said(
        self, there: Road, docker_engine: Engine
    ) -> None:
        id = container(docker_engine, there)
        ask_health = list(workspace_health(id))
        assert docker_engine.execute(id, ask_health).exit_code == 0
        assert docker_engine.execute(id, ["pkill", "-STOP", "-o", "-x", "sshd"]).exit_code == 0
        try:
            told = docker_engine.execute(id, ask_health)
            assert told.exit_code == 1 and b"sshd does not answer" in told.stdout
            done = there.exam("attach", "pycharm")
            assert done.status == 3 and "does not answer" in done.err
        finally:
            docker_engine.execute(id, ["pkill", "-CONT", "-o", "-x", "sshd"])

    @pytest.mark.parametrize("how", ["docker restart", "down and up"])
    def test_keys_ports_and_helpers_outlive_it(
        self, there: Road, docker_engine: Engine, how: str
    ) -> None:
        before = door(there)
        keys = [path.read_bytes() for path in sorted((there.record() / "ssh").glob("k*"))]
        if how == "docker restart":
            docker.from_env().api.restart(container(docker_engine, there), timeout=2)
        else:
            assert there.exam("down").status == 0
            told = there.exam("attach", "pycharm")
            assert told.status == 1 and "`exam up` starts it" in told.err
            assert there.exam("up", "--json").status == 0
        assert wait_for_ssh(there)
        assert door(there) == before
        assert [path.read_bytes() for path in sorted((there.record() / "ssh").glob("k*"))] == keys
        listed = ssh(there, "ls .pycharm_helpers/pydev; mkdir -p .vscode-server && echo writable")
        assert "pydevd.py" in listed.stdout and "writable" in listed.stdout

    def test_home_is_the_candidate_s_own(self, there: Road) -> None:
        told = ssh(there, "stat -c '%u %g %a' ~").stdout.split()
        assert told == [str(os.getuid()), str(os.getgid()), "755"]

    def test_a_container_from_before_gets_a_new_one(
        self, there: Road, docker_engine: Engine
    ) -> None:
        now = inspected(container(docker_engine, there))
        docker_engine.remove(now["Id"])
        old = ContainerSpec(
            image=now["Config"]["Image"],
            command=["sleep", "1000"],
            user=now["Config"]["User"],
            limits=Limits(1 << 30, 1, 100),
            name=now["Name"].lstrip("/"),
            labels=now["Config"]["Labels"],
            network="bridge",
            ports={JUPYTER_PORT: 0},
        )
        made = docker_engine.create(old)
        docker_engine.start(made)
        assert there.exam("attach", "pycharm").status == 3
        assert there.exam("up", "--json").status == 0
        assert container(docker_engine, there) != made
        assert ssh(there, "echo in").stdout == "in\n"

    def test_a_port_that_is_taken_is_said(self, there: Road, docker_engine: Engine) -> None:
        port = door(there)["port"]
        there.exam("down")
        with socket.create_server(("127.0.0.1", port)):
            up = there.exam("up")
            assert up.status == 0
            other = door(there)["port"]
            assert other != port
            assert f"Port {port} is taken, so SSH answers on {other}" in up.err
        assert ssh(there, "echo in").stdout == "in\n"


def workspace_health(id: str) -> list[str]:
    """Return the command by which the engine asks for a container's health."""
    test: list[str] = inspected(id)["Config"]["Healthcheck"]["Test"]
    assert test[0] == "CMD"
    return test[1:]


def test_a_purge_takes_back_what_was_written(there: Road, home: Path) -> None:
    assert list((home / ".ssh" / "config.d").iterdir())
    done = there.exam("down", "--purge", "--yes")
    assert done.status == 0, done
    assert "Left" not in done.out
    assert list(home.iterdir()) == []
    assert not (there.workspace / ".idea").exists()
    assert not (there.workspace / ".devcontainer").exists()
    assert (there.workspace / "1-regression" / "bug.py").is_file()


@pytest.fixture
def somebody(
    docker_engine: Engine, edition_images: Images, edition: Edition, tmp_path: Path
) -> Iterator[Session]:
    """The session of a user who is not the one that runs the tests, with their container."""
    if os.getuid() != 0:
        pytest.skip("only root can be somebody else; the other tests run as a plain user here")
    uid, gid = 4242, 4243
    session = start_session(tmp_path / "work", load_exam("practice"), edition.edition, "cpu")
    ensure_keys(session)
    for path in (session.workspace, *keys_of(session).inside.rglob("*"), keys_of(session).inside):
        os.chown(path, uid, gid)
    spec = workspace_spec(session, edition_images.workspace, docker_engine.info(), 0, 0)
    made = docker_engine.create(replace(spec, user=f"{uid}:{gid}"))
    try:
        docker_engine.start(made)
        state = docker_engine.state(made)
        assert state is not None and ssh_answers(docker_engine, state)
        note_port(session, state.ports[SSH_PORT])
        yield session
    finally:
        docker_engine.remove(made)
        docker_engine.remove_volume(f"exam-{session.id}-home")


def test_a_plain_user_comes_in_as_themselves(somebody: Session) -> None:
    line = last_door(somebody).line()
    script = "id -u; id -g; id -un; touch ~/mine /workspace/mine; grep CapEff /proc/self/status"
    done = subprocess.run(
        [*line[:1], "-tt", *line[1:], script],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    assert done.returncode == 0, done
    told = done.stdout.split()
    assert told == ["4242", "4243", "candidate", "CapEff:", "0" * 16]
    about = (somebody.workspace / "mine").stat()
    assert (about.st_uid, about.st_gid) == (4242, 4243)


def test_the_engine_tells_of_ill_health(
    docker_engine: Engine, edition_images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "HEALTH_SECONDS", 1)
    label = {"exam.test": f"health-{os.getpid()}"}
    spec = ContainerSpec(
        image=edition_images.workspace,
        command=["sleep", "60"],
        user="65534:65534",
        limits=Limits(1 << 28, 1, 50),
        labels=label,
        health=["false"],
    )
    made = docker_engine.create(spec)
    try:
        docker_engine.start(made)
        deadline = time.monotonic() + 30
        while not docker_engine.find(label)[0].unhealthy:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        docker_engine.remove(made)
