"""Errors are one sentence, an exit status, and with --json one object; never a traceback."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from exam_cli.config.edition import DEFAULT_EDITION
from exam_cli.config.exam import load_exam
from exam_cli.session.ledger import Ledger
from exam_cli.session.session import Session, start_session
from tests.cli.conftest import Exam
from tests.grading.conftest import keras_bytes

PRACTICE = load_exam("practice")
IN_A_SESSION = [
    ["status"],
    ["grade", "1"],
    ["check", "1"],
    ["down"],
    ["attach", "jupyter"],
    ["shell"],
]


def with_json(arguments: list[str]) -> Iterator[list[str]]:
    """Yield a command as it is and, if it can, with --json."""
    yield arguments
    if arguments[0] in ("status", "grade", "check", "up", "attach", "doctor"):
        yield [*arguments, "--json"]


# --- the command line itself is wrong


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["grade", "99"], "no section 99: choose one of 1, "),
        (["grade", "0"], "no section 0"),
        (["grade", "nlp"], "'nlp' is no section: give its number, or `all`"),
        (["grade", "4.5"], "'4.5' is no section"),
        (["grade", "1" * 5000], "is no section"),
        (["grade", "\u0663"], "is no section"),
        (["grade", ""], "'' is no section"),
        (["check", "99"], "no section 99"),
        (["check", "all"], "'all' is not a valid integer"),
        (["check", "1" * 5000], "not a valid integer"),
        (["grade"], "Missing argument"),
        (["grade", "1", "2"], "unexpected extra argument"),
        (["grade", "1", "--nonsense"], "No such option"),
        (["nonsense"], "No such command"),
        (["attach", "emacs"], "'emacs' is not"),
        (["up", "--port", "http"], "not a valid integer"),
        (["up", "--edition", "tf1.0"], "no edition 'tf1.0': choose one of cert-2022, "),
        (["images", "build", "--edition", "../../etc"], "no edition"),
        (["images", "nonsense"], "No such command"),
    ],
    ids=lambda value: str(value)[:40],
)
@pytest.mark.usefixtures("no_engine", "session")
def test_wrong_usage(exam: Exam, arguments: list[str], said: str) -> None:
    for line in with_json(arguments):
        done = exam(*line)
        assert done.status == 2, done.err
        assert said in done.sentence
        assert len(done.sentence) < 300 + len(" ".join(line))
        if "--json" in line:
            assert done.json == {"verdict": None, "reason": "usage", "message": done.sentence}


def test_a_wrong_edition_leaves_no_session_behind(
    exam: Exam, exam_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert exam("up", "--edition", "nonsense").status == 2
    assert not (tmp_path / "workspace").exists()
    assert not (exam_home / "sessions").exists()


# --- no session


@pytest.mark.parametrize("arguments", IN_A_SESSION, ids=" ".join)
def test_no_session(
    exam: Exam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for line in with_json(arguments):
        done = exam(*line)
        assert done.status == 1
        assert "There is no session" in done.sentence and "`exam up`" in done.sentence
        if "--json" in line:
            assert done.json["reason"] == "no_session" and done.json["verdict"] is None


@pytest.mark.parametrize("arguments", IN_A_SESSION, ids=" ".join)
def test_a_workspace_that_was_moved(
    exam: Exam, session: Session, tmp_path: Path, arguments: list[str]
) -> None:
    moved = tmp_path / "elsewhere"
    session.workspace.rename(moved)
    for line in with_json(arguments):
        done = exam(*line, "--workspace", str(moved))
        assert done.status == 1
        assert f"was moved from {session.workspace} to {moved}" in done.sentence
        assert f"`exam up --workspace {moved}`" in done.sentence


@pytest.mark.parametrize("arguments", IN_A_SESSION, ids=" ".join)
def test_a_workspace_that_was_deleted(
    exam: Exam, session: Session, arguments: list[str]
) -> None:  # fmt: skip
    shutil.rmtree(session.workspace)
    for line in with_json(arguments):
        done = exam(*line)
        assert done.status == 1
        assert "was deleted" in done.sentence and "the record is kept" in done.sentence


def test_a_session_is_found_from_inside_its_workspace(
    exam: Exam, session: Session, monkeypatch: pytest.MonkeyPatch, no_engine: None
) -> None:
    inside = session.workspace / "1-regression" / "deeper"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    assert exam("status", "--json").json["session"] == session.id
    monkeypatch.chdir("/")
    monkeypatch.setenv("EXAM_WORKSPACE", str(session.workspace))
    assert exam("status", "--json").json["session"] == session.id


# --- no engine


@pytest.fixture
def model(session: Session) -> Path:
    """A model in section 1's directory."""
    path = session.workspace / "1-regression" / "model.keras"
    path.parent.mkdir()
    path.write_bytes(keras_bytes())
    return path


@pytest.mark.usefixtures("no_engine")
def test_grading_without_an_engine_fails_and_counts_nothing(
    exam: Exam, session: Session, model: Path
) -> None:
    done = exam("grade", "1", "--json")
    assert done.status == 3
    told = done.json
    assert (told["verdict"], told["reason"]) == ("failed", "engine_unreachable")
    assert told["score"] is None and told["metric"] is None and told["attempt"] is None
    assert told["section"] == 1 and told["max_score"] == 5
    assert "No container engine answers" in told["message"]
    assert "Traceback" not in done.err

    plain = exam("grade", "1")
    assert plain.status == 3
    assert "failed (engine_unreachable)" in plain.out and "no attempt counted" in plain.out

    status = exam("status", "--json").json
    assert status["sections"][0]["attempts"] == 0 and status["sections"][0]["best"] is None
    with Ledger(session.ledger_path) as ledger:
        kinds = [event.kind for event in ledger.events()]
        assert kinds == ["grade_failed", "grade_failed"] and ledger.problems() == []


@pytest.mark.usefixtures("no_engine")
def test_what_is_wrong_with_the_directory_is_told_without_an_engine(
    exam: Exam, session: Session
) -> None:
    done = exam("grade", "1", "--json")
    assert done.status == 1
    told = done.json
    assert (told["verdict"], told["reason"], told["score"]) == ("rejected", "no_model", 0)
    assert told["attempt"] is None and told["model"] is None


@pytest.mark.usefixtures("no_engine")
def test_grading_all_tells_every_section_and_the_worst_status(
    exam: Exam, session: Session, model: Path
) -> None:
    done = exam("grade", "all", "--json")
    assert done.status == 3
    verdicts = {one["section"]: one["verdict"] for one in done.json}
    assert list(verdicts) == sorted(verdicts) and {1, 4} <= set(verdicts)
    assert verdicts.pop(1) == "failed"
    assert set(verdicts.values()) == {"rejected"}


@pytest.mark.usefixtures("no_engine")
def test_status_works_without_an_engine(exam: Exam, session: Session) -> None:
    told = exam("status", "--json")
    assert told.status == 0
    contract = {"session", "exam", "edition", "clock", "containers", "sections"}
    assert set(told.json) == {*contract, "variant"}
    assert told.json["session"] == session.id and told.json["containers"] == []
    assert {"started", "deadline", "seconds_left"} <= set(told.json["clock"])
    assert set(told.json["sections"][0]) == {
        "section", "slug", "title", "weight", "directory", "attempts", "last", "best",
    }  # fmt: skip
    plain = exam("status")
    assert plain.status == 0 and plain.err == ""
    assert "no engine answers" in plain.out and session.id in plain.out


@pytest.mark.usefixtures("no_engine", "session")
@pytest.mark.parametrize(
    "arguments",
    [["up"], ["down"], ["attach", "jupyter"], ["shell"], ["images", "list"], ["images", "build"]],
    ids=" ".join,
)
def test_other_commands_say_that_no_engine_answers(exam: Exam, arguments: list[str]) -> None:
    for line in with_json(arguments):
        done = exam(*line)
        assert done.status == 3 and "No container engine answers" in done.sentence
        if "--json" in line:
            assert done.json["verdict"] == "failed"
            assert done.json["reason"] == "engine_unreachable"


@pytest.mark.usefixtures("no_engine")
def test_the_doctor_tells_instead_of_failing(exam: Exam) -> None:
    done = exam("doctor", "--json")
    assert done.status == 1
    findings = {finding["topic"]: finding for finding in done.json}
    assert findings["engine"]["ok"] is False
    assert "No container engine answers" in findings["engine"]["text"]
    assert exam("doctor").status == 1


# --- this program is wrong


def break_status(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr("exam_cli.sitting.status.status", broken)


@pytest.mark.parametrize("option", [[], ["--json"]], ids=["plain", "json"])
def test_the_unexpected(
    exam: Exam, exam_home: Path, session: Session, monkeypatch: pytest.MonkeyPatch,
    option: list[str],
) -> None:  # fmt: skip
    break_status(monkeypatch, RuntimeError("a very secret detail"))
    done = exam("status", *option)
    assert done.status == 3
    assert "Something in this program broke (RuntimeError)" in done.sentence
    assert "secret" not in done.out + done.err
    (log,) = (exam_home / "logs").iterdir()
    assert f"(details: {log})" in done.sentence
    text = log.read_text(encoding="utf-8")
    assert "a very secret detail" in text and "Traceback" in text and "Python 3." in text
    if option:
        assert (done.json["verdict"], done.json["reason"]) == ("failed", "internal")
        assert done.json["score"] is None


def test_the_unexpected_where_no_log_can_be_written(
    exam: Exam, exam_home: Path, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_status(monkeypatch, RuntimeError("detail"))
    (exam_home / "logs").write_text("in the way")
    done = exam("status")
    assert done.status == 3 and "details" not in done.sentence


def test_a_full_disk(exam: Exam, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    break_status(monkeypatch, OSError(28, "No space left on device", "/somewhere/full"))
    done = exam("status", "--json")
    assert done.status == 3 and done.json["reason"] == "disk_full"
    assert "/somewhere/full" in done.sentence


def test_a_mistyped_workspace_is_not_the_one_above_it(exam: Exam, session: Session) -> None:
    done = exam("status", "--workspace", str(session.workspace / "typo"), "--json")
    assert done.status == 1 and done.json["reason"] == "no_session"
    assert str(session.workspace) in done.err and "Traceback" not in done.err
    assert exam("status", "--workspace", str(session.workspace)).status == 0


@pytest.mark.parametrize("port", ["-1", "65536", "x"])
def test_a_port_that_is_none(exam: Exam, port: str) -> None:
    assert exam("up", f"--port={port}").status == 2


def test_an_interrupt(exam: Exam, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    break_status(monkeypatch, KeyboardInterrupt())
    done = exam("status", "--json")
    assert done.status == 130
    assert done.json["verdict"] is None and done.json["reason"] == "interrupted"


def test_a_purge_that_is_not_confirmed(
    exam: Exam, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", open(os.devnull))  # noqa: SIM115, PTH123
    done = exam("down", "--purge")
    assert done.status == 1 and "nothing was done; `--yes`" in done.err
    assert session.directory.is_dir()


# --- as a program of its own


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "exam_cli.cli.main", *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_program_s_streams_are_kept_apart(tmp_path: Path, exam_home: Path) -> None:
    done = run("grade", "1", "--json", cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.startswith("exam: There is no session")
    assert json.loads(done.stdout)["reason"] == "no_session"
    assert run(cwd=tmp_path).returncode == 2
    assert run("grade", "ninety", cwd=tmp_path).returncode == 2


def test_the_program_works_where_there_is_no_utf_8(tmp_path: Path) -> None:
    start_session(tmp_path / "wörkspace", PRACTICE, DEFAULT_EDITION, "cpu")
    done = run(
        "status",
        "--workspace",
        str(tmp_path / "wörkspace"),
        cwd=tmp_path,
        PYTHONIOENCODING="ascii",
        DOCKER_HOST="unix:///nowhere",
    )
    assert "Traceback" not in done.stderr and done.returncode == 0, done.stderr


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    line = f"{sys.executable} -m exam_cli.cli.main --help | true"
    done = subprocess.run(
        line, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""


def test_an_interrupt_from_the_keyboard(tmp_path: Path) -> None:
    start_session(tmp_path / "workspace", PRACTICE, DEFAULT_EDITION, "cpu")
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as engine:
        engine.bind(f"{folder}/engine.sock")
        engine.listen()
        process = subprocess.Popen(
            [sys.executable, "-m", "exam_cli.cli.main", "status", "--json"],
            cwd=tmp_path,
            env={**os.environ, "DOCKER_HOST": f"unix://{folder}/engine.sock"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        engine.settimeout(60)
        connection, _ = engine.accept()  # it waits for an answer now
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        connection.close()
    assert process.returncode == 130
    assert err.strip() == "exam: Interrupted; nothing is lost."  # on a line of its own, after ^C
    assert json.loads(out)["reason"] == "interrupted"
