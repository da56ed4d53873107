"""The whole road with the installed command: up, work, grade, be killed, go on, move, leave.

The tests of this file are one sitting, in order.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import docker
import pytest
import websocket

from exam_cli.config.exam import load_exam
from exam_cli.engine.port import Engine
from exam_cli.paths import resource
from exam_cli.sections.catalog import sections_of
from tests.engine.road import Road, http

pytestmark = pytest.mark.engine

DIRECTORIES = {one.section: one.directory for one in sections_of(load_exam("practice"))}
FIELDS = {
    "": "section slug verdict reason message score max_score metric set attempt model environment "
    "isolation seconds warm",
    "metric": "name value next_band noise borderline",
    "set": "name sha256",
    "model": "path sha256 bytes format",
    "environment": "edition variant image digest lock_sha256 tensorflow python",
    "isolation": "runtime network",
    "seconds": "total predict",
}


@pytest.fixture(scope="module")
def up(road: Road) -> dict[str, Any]:
    """What `exam up --json` says of the session that runs."""
    answer: dict[str, Any] = road.exam("up", "--json").json
    return answer


def base_of(up: dict[str, Any]) -> str:
    """Return Jupyter's address."""
    base: str = up["url"].split("/lab")[0]
    return base


def containers(engine: Engine, road: Road, *roles: str) -> list[str]:
    """Return ids of the session's containers in these roles that do not wait for a grade."""
    found = engine.find({"exam.session": road.session()})
    in_use = [state for state in found if not state.name.startswith("exam-warm-")]
    return [state.id for state in in_use if state.labels["exam.role"] in roles]


def nothing_is_left(engine: Engine, road: Road) -> bool:
    """Say whether a grade's containers have gone; they go once its answer is out."""
    return soon(lambda: not containers(engine, road, "predictor", "scorer"))


def waiting(engine: Engine, road: Road) -> dict[str, str]:
    """Return the ids of the session's warm containers by their roles."""
    found = engine.find({"exam.session": road.session(), "exam.warm": ""})
    return {one.labels["exam.role"]: one.id for one in found if one.name.startswith("exam-warm-")}


def soon(true: Callable[[], bool], seconds: float = 60) -> bool:
    """Say whether something becomes true while one waits for it."""
    deadline = time.monotonic() + seconds
    while not (now := true()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return now


def place_baseline(road: Road, section: int, workspace: Path | None = None) -> None:
    """Give a section a model, made by its baseline in the container."""
    directory = (workspace or road.workspace) / DIRECTORIES[section]
    shutil.copy(resource("sections", DIRECTORIES[section], "baseline.py"), directory)
    done = road.exam("run", str(directory / "baseline.py"))
    assert done.status == 0 and (directory / "model.keras").is_file(), done


def test_up_lays_out_a_workspace_that_is_the_caller_s(road: Road, up: dict[str, Any]) -> None:
    assert up["workspace"] == str(road.workspace)
    assert sorted(up["sections"]) == sorted(DIRECTORIES.values())
    for name in ("1-regression/train.csv", "4-nlp/train.jsonl", "4-nlp/vocabulary.txt"):
        assert (road.workspace / name).stat().st_size > 1000
    given = [path.stat().st_size for path in road.workspace.rglob("*") if path.is_file()]
    assert sum(given) < 60e6
    for directory in DIRECTORIES.values():
        inside = {path.name for path in (road.workspace / directory).iterdir()}
        assert {"task.md", "starter.py", "starter.ipynb"} <= inside
        assert inside.isdisjoint({"reference.py", "baseline.py", "dataset.py", "section.yaml"})
    for path in [road.workspace, *road.workspace.rglob("*")]:
        assert (path.stat().st_uid, path.stat().st_gid) == (os.getuid(), os.getgid()), path


def test_a_second_up_changes_nothing(road: Road, up: dict[str, Any], docker_engine: Engine) -> None:
    (road.workspace / "4-nlp" / "task.md").write_text("my notes")
    (road.workspace / "1-regression" / "starter.py").unlink()
    before = containers(docker_engine, road, "workspace")
    assert road.exam("up", "--json").json == up
    assert containers(docker_engine, road, "workspace") == before and len(before) == 1
    assert (road.workspace / "4-nlp" / "task.md").read_text() == "my notes"
    assert (road.workspace / "1-regression" / "starter.py").is_file()


def test_up_says_how_to_get_in(road: Road, up: dict[str, Any]) -> None:
    said = road.exam("up")
    assert said.status == 0 and said.err == ""
    assert up["url"] in said.out and str(road.workspace) in said.out
    assert "no time limit" in said.out


class TestJupyter:
    def test_only_the_token_opens_it(self, up: dict[str, Any]) -> None:
        base = base_of(up)
        assert http(f"{base}/api/contents").status == 403
        assert http(f"{base}/api/contents", token="wrong").status == 403
        lab = http(f"{base}/lab")
        assert lab.status == 302 and "/login" in lab.headers["Location"]
        assert http(f"{base}/api/contents", token=up["token"]).status == 200
        assert http(up["url"]).status == 200

    def test_it_answers_on_this_machine_only(
        self, road: Road, up: dict[str, Any], docker_engine: Engine
    ) -> None:
        (container,) = containers(docker_engine, road, "workspace")
        ports = docker.from_env().api.inspect_container(container)["NetworkSettings"]["Ports"]
        published = [host for hosts in ports.values() for host in hosts or ()]
        assert {host["HostIp"] for host in published} == {"127.0.0.1"}
        port = int(published[0]["HostPort"])
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
            probe.connect(("192.0.2.1", 9))  # sends nothing; tells the address we would send from
            address = probe.getsockname()[0]
        if not address.startswith("127."):
            with closing(socket.socket()) as other:
                other.settimeout(2)
                assert other.connect_ex((address, port)) != 0

    def test_a_foreign_page_cannot_reach_it_by_another_name(self, up: dict[str, Any]) -> None:
        answer = http(
            f"{base_of(up)}/api/contents",
            token=up["token"],
            headers={"Host": "evil.example", "Origin": "http://evil.example"},
        )
        assert answer.status == 403

    def test_the_token_is_in_no_command_line_and_no_environment(
        self, road: Road, up: dict[str, Any], docker_engine: Engine
    ) -> None:
        (container,) = containers(docker_engine, road, "workspace")
        config = json.dumps(docker.from_env().api.inspect_container(container)["Config"])
        assert up["token"] not in config

    def test_a_notebook_trains_and_saves_a_model(self, road: Road, up: dict[str, Any]) -> None:
        base, token = base_of(up), up["token"]
        path = "4-nlp/starter.ipynb"
        opened = http(f"{base}/api/contents/{path}", token=token)
        assert opened.status == 200, opened
        cells = opened.json["content"]["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        session = http(
            f"{base}/api/sessions",
            method="POST",
            token=token,
            content={
                "path": path,
                "type": "notebook",
                "name": "starter",
                "kernel": {"name": "python3"},
            },
        )
        assert session.status == 201, session
        kernel = session.json["kernel"]["id"]
        said = run_cells(base, token, kernel, code)
        assert "accuracy" in said
        ended = http(f"{base}/api/sessions/{session.json['id']}", method="DELETE", token=token)
        assert ended.status == 204
        for name in ("model.keras", "starter.ipynb"):
            about = (road.workspace / "4-nlp" / name).stat()
            assert (about.st_uid, about.st_gid) == (os.getuid(), os.getgid())


def run_cells(base: str, token: str, kernel: str, cells: list[str]) -> str:
    """Run cells in a kernel over its websocket; return what they printed."""
    address = f"{base.replace('http', 'ws')}/api/kernels/{kernel}/channels"
    said = ""
    connection = websocket.create_connection(
        address, header=[f"Authorization: token {token}"], timeout=120, http_no_proxy=["*"]
    )
    with closing(connection):
        for source in cells:
            asked = uuid.uuid4().hex
            content = {"code": source, "silent": False, "store_history": True}
            header = {
                "msg_id": asked,
                "msg_type": "execute_request",
                "username": "",
                "session": "t",
            }
            message = {"header": {**header, "version": "5.3"}, "parent_header": {}, "metadata": {}}
            connection.send(json.dumps({**message, "content": content, "channel": "shell"}))
            while True:
                got = json.loads(connection.recv())
                if got["parent_header"].get("msg_id") != asked:
                    continue
                if got["msg_type"] == "stream" and got["content"]["name"] == "stdout":
                    said += got["content"]["text"]
                if got["msg_type"] == "execute_reply":
                    assert got["content"]["status"] == "ok", got["content"]
                if got["msg_type"] == "status" and got["content"]["execution_state"] == "idle":
                    break
    return said


def test_the_grade_of_that_model_has_the_contract_s_fields(road: Road) -> None:
    done = road.exam("grade", "4", "--json")
    assert (done.status, done.err) == (0, "")
    answer = done.json
    for name, fields in FIELDS.items():
        assert sorted(answer[name] if name else answer) == sorted(fields.split()), name
    assert (answer["section"], answer["slug"], answer["attempt"]) == (4, "nlp", 1)
    assert (answer["verdict"], answer["reason"], answer["max_score"]) == ("scored", None, 5)
    assert answer["score"] in range(6) and answer["metric"]["name"] == "accuracy"
    assert answer["set"]["name"] == "probe" and len(answer["set"]["sha256"]) == 64
    assert answer["model"]["path"] == "4-nlp/model.keras" and answer["model"]["format"] == "keras"
    assert answer["environment"]["image"].startswith("sha256:")
    assert answer["isolation"] == {"runtime": "runc", "network": "none"}
    assert 0 < answer["seconds"]["predict"] < answer["seconds"]["total"]


def test_run_passes_on_what_a_script_prints_and_how_it_ends(road: Road) -> None:
    directory = road.workspace / "1-regression"
    (directory / "hello.py").write_text(
        "import os, sys\nprint(sys.argv[1:], os.getcwd())\n"
        "print('oh', file=sys.stderr)\nsys.exit(7)\n"
    )
    done = road.exam("run", "1-regression/hello.py", "--epochs", "2")
    assert (done.status, done.out) == (7, "['--epochs', '2'] /workspace/1-regression\n")
    assert done.err == "oh\n"
    assert road.exam("run", "1-regression/none.py").status == 1
    outside = road.directory / "outside.py"
    outside.write_text("")
    assert "outside the workspace" in road.exam("run", str(outside)).err


def test_a_script_ends_with_the_run_that_was_asked_to_end(road: Road) -> None:
    (road.workspace / "sleeper.py").write_text(
        "import time\nprint('awake', flush=True)\ntime.sleep(600)\n"
    )
    with road.start("run", "sleeper.py") as process:
        assert process.stdout is not None and process.stdout.readline() == "awake\n"
        process.terminate()
        assert process.wait(timeout=30) == 130
    look = "import pathlib\nfor p in pathlib.Path('/proc').glob('[0-9]*/cmdline'):\n"
    look += "    print(p.read_bytes())\n"
    (road.workspace / "look.py").write_text(look)
    inside = road.exam("run", "look.py").out
    assert "look.py" in inside and "sleeper.py" not in inside


def test_two_grades_at_once_are_two_attempts(road: Road) -> None:
    place_baseline(road, 1)
    both = [road.start("grade", "1", "--json") for _ in range(2)]
    answers = [json.loads(process.communicate(timeout=120)[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(answer["attempt"] for answer in answers) == [1, 2]
    assert answers[0]["metric"] == answers[1]["metric"]
    assert road.attempts(1) == [1, 2]


def test_a_grade_takes_what_waits_and_has_it_replaced(road: Road, docker_engine: Engine) -> None:
    assert road.exam("up").status == 0
    assert soon(lambda: len(waiting(docker_engine, road)) == 2)
    time.sleep(15)  # it says nothing when its imports are done
    before = waiting(docker_engine, road)
    assert road.exam("grade", "1", "--json").json["warm"] is True
    assert nothing_is_left(docker_engine, road)
    assert all(docker_engine.state(container) is None for container in before.values())
    assert soon(lambda: len(waiting(docker_engine, road)) == 2)


def test_a_grade_that_finds_none_ready_says_so(road: Road, docker_engine: Engine) -> None:
    for container in waiting(docker_engine, road).values():
        docker_engine.remove(container)
    assert "No warm grader was ready" in road.exam("grade", "1").out
    assert soon(lambda: len(waiting(docker_engine, road)) == 2)
    for container in waiting(docker_engine, road).values():
        docker_engine.remove(container)
    assert road.exam("grade", "1", "--json").json["warm"] is False


def test_grades_that_are_killed_lose_and_leave_nothing(road: Road, docker_engine: Engine) -> None:
    moments = [0.1, 0.3, 0.5, 0.7, 0.9, 1.2, 1.5, 1.9, 2.3, 2.8, 3.4, 4.0]
    for moment in moments:
        with road.start("grade", "1", "--json") as process:
            time.sleep(moment)
            process.kill()
    after = road.attempts(1)
    assert after == list(range(1, len(after) + 1)) and 2 <= len(after) <= 2 + len(moments)
    assert road.problems() == []

    answer = road.exam("grade", "1", "--json").json
    assert (answer["verdict"], answer["attempt"]) == ("scored", len(after) + 1)
    assert road.attempts(1) == list(range(1, len(after) + 2))
    assert road.problems() == []
    assert nothing_is_left(docker_engine, road)


def test_the_doctor_finds_and_removes_what_a_kill_left(road: Road, docker_engine: Engine) -> None:
    kill_amid_grade(road, docker_engine)
    topics = {one["topic"]: one["text"] for one in road.exam("doctor", "--json").json}
    assert "left over" in topics
    road.exam("doctor", "--fix")
    assert nothing_is_left(docker_engine, road)
    topics = {one["topic"]: one["text"] for one in road.exam("doctor", "--json").json}
    assert "left over" not in topics


def kill_amid_grade(road: Road, engine: Engine) -> None:
    """Kill a grade while its containers are there."""
    assert nothing_is_left(engine, road)
    with road.start("grade", "1") as process:
        soon(lambda: bool(containers(engine, road, "predictor")))
        process.kill()
    assert containers(engine, road, "predictor", "scorer")


def test_an_interrupted_grade_cleans_up_itself(road: Road, docker_engine: Engine) -> None:
    for _ in range(10):
        assert nothing_is_left(docker_engine, road)  # or what is seen below is of a grade before
        before = road.attempts(1)
        with road.start("grade", "1", "--json") as process:
            soon(
                lambda: (
                    process.poll() is not None or bool(containers(docker_engine, road, "predictor"))
                )
            )
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        if process.returncode != 0:  # else the grade was quicker than we were
            break
    assert process.returncode == 130, (out, err)
    assert json.loads(out)["reason"] == "interrupted"
    assert nothing_is_left(docker_engine, road)
    assert road.attempts(1) == before


def test_status_tells_it_all(road: Road, docker_engine: Engine) -> None:
    status = road.exam("status", "--json").json
    keys = "session exam edition variant clock containers sections"
    assert set(status) == set(keys.split())
    assert status["session"] == road.session()
    assert set(status["clock"]) >= {"started", "deadline", "seconds_left"}
    assert status["clock"]["started"] is not None
    (container,) = [one for one in status["containers"] if one["role"] == "workspace"]
    assert set(container) == {"name", "role", "running", "image"} and container["running"] is True
    sections = {one["section"]: one for one in status["sections"]}
    keys = "section slug title weight directory attempts last best"
    assert all(set(one) == set(keys.split()) for one in sections.values())
    assert sections[1]["attempts"] == len(road.attempts(1))
    assert sections[4]["last"] == sections[4]["best"]
    assert sections[4]["best"]["verdict"] == "scored"
    shown = road.exam("status")
    assert shown.status == 0 and "Diamond prices" in shown.out


class TestOurFaults:
    """Cost no attempt and end with 3."""

    def check(self, road: Road, used: Road, reason: str) -> None:
        before = road.attempts(1)
        done = used.exam("grade", "1", "--json")
        assert done.status == 3
        assert (done.json["verdict"], done.json["reason"]) == ("failed", reason)
        assert (done.json["score"], done.json["attempt"]) == (None, None)
        assert done.json["model"]["sha256"]
        assert road.attempts(1) == before

    def test_no_image(self, road: Road, tmp_path: Path) -> None:
        # A program whose Dockerfile differs wants images that nobody has built.
        clone = tmp_path / "clone"
        for part in ("exam_cli", "images", "sections"):
            shutil.copytree(resource(part), clone / part)
        with (clone / "images" / "Dockerfile").open("a") as file:
            file.write("# changed\n")
        command = (sys.executable, "-m", "exam_cli.cli.main")
        environment = {"PYTHONPATH": str(clone)}
        self.check(road, Road(road.directory, road.home, command, environment), "image_missing")

    def test_no_engine(self, road: Road, tmp_path: Path) -> None:
        environment = {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
        used = Road(road.directory, road.home, environment=environment)
        self.check(road, used, "engine_unreachable")


def test_rejections_end_with_1(road: Road) -> None:
    model = road.workspace / "4-nlp" / "model.keras"
    before = road.attempts(4)
    good = model.read_bytes()
    model.unlink()
    done = road.exam("grade", "4", "--json")
    assert (done.status, done.json["reason"], done.json["attempt"]) == (1, "no_model", None)
    model.write_bytes(b"PK no model")
    done = road.exam("grade", "4", "--json")
    assert (done.status, done.json["reason"], done.json["score"]) == (1, "not_a_model", 0)
    assert road.attempts(4) == [*before, before[-1] + 1]
    model.write_bytes(good)


def test_down_stops_everything_and_keeps_the_work(road: Road, docker_engine: Engine) -> None:
    kill_amid_grade(road, docker_engine)
    done = road.exam("down")
    assert done.status == 0 and str(road.workspace) in done.out
    assert docker_engine.find({"exam.session": road.session()}) == []
    assert (road.workspace / "4-nlp" / "model.keras").is_file()
    assert road.exam("status", "--json").json["containers"] == []
    assert road.exam("run", "1-regression/hello.py").status == 1
    assert "Nothing was running" in road.exam("down").out


def test_a_deleted_workspace_is_laid_out_again_with_the_record_kept(road: Road) -> None:
    before = {section: road.attempts(section) for section in DIRECTORIES}
    shutil.rmtree(road.workspace)
    lost = road.exam("status")
    assert lost.status == 1 and "exam up" in lost.err
    again = road.exam("up", "--port", "0", "--json")
    assert again.status == 0, again
    assert again.json["session"] == road.session()
    assert (road.workspace / "4-nlp" / "train.jsonl").is_file()
    assert {section: road.attempts(section) for section in DIRECTORIES} == before


def test_a_moved_workspace_is_adopted_with_the_record_kept(road: Road) -> None:
    before = road.attempts(1)
    moved = road.directory / "moved"
    road.workspace.rename(moved)
    there = Road(moved, road.home)
    lost = there.exam("grade", "1", "--json")
    assert lost.status == 1
    assert str(moved) in lost.err and str(road.workspace) in lost.err
    up = road.exam("up", "--workspace", str(moved), "--port", "0", "--json")
    assert up.status == 0 and up.json["workspace"] == str(moved), up
    place_baseline(there, 1, moved)  # in the container: it must see the directory where it is now
    answer = there.exam("grade", "1", "--json").json
    assert answer["attempt"] == len(before) + 1


def test_a_purge_leaves_nothing_but_the_workspace(road: Road, docker_engine: Engine) -> None:
    moved = road.directory / "moved"
    there = Road(moved, road.home)
    session = road.session()
    assert there.exam("down", "--purge").status != 0  # nobody is there to say yes
    assert road.session() == session
    done = there.exam("down", "--purge", "--yes")
    assert done.status == 0, done
    assert docker_engine.find({"exam.session": session}) == []
    assert list((road.home / "sessions").glob("[!.]*")) == []
    volumes = subprocess.run(
        ["docker", "volume", "ls", "-q"], capture_output=True, text=True, check=True
    )
    assert session not in volumes.stdout
    assert (moved / "1-regression" / "model.keras").is_file()
    assert not (moved / ".exam" / "session").exists()
