"""What commands say of the time, and the examiner's command that gives more of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from exam_cli.cli.common import Warner
from exam_cli.config.exam import Exam as Rules
from exam_cli.session.clock import start
from exam_cli.session.ledger import Ledger
from exam_cli.session.session import Session, start_session
from exam_cli.sitting.clock import extend
from tests.cli.conftest import Exam
from tests.session.machine import ago

pytestmark = pytest.mark.usefixtures("no_engine")


def sit(place: Path, left: float, **rules: str) -> Session:
    """Begin a mock exam of which so many seconds are left."""
    session = start_session(place, Rules(**{"exam": "mock", **rules}), "tf2.21", "cpu")
    with Ledger(session.ledger_path) as ledger:
        start(ledger, {}, lambda: ago(5 * 3600 - left))
    return session


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "workspace"


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (3600, None),
        (1799, "Less than 30 minutes left (0:29:5"),
        (599, "Less than 10 minutes left (0:09:5"),
        (299, "Less than 5 minutes left (0:04:5"),
        (-60, "The time is up"),
    ],
)
def test_every_command_warns(exam: Exam, here: Path, left: float, said: str | None) -> None:
    sit(here, left)
    for command in (["restore", "1", "9"], ["grade", "1"], ["check", "1"]):
        told = exam(*command)
        assert (said in told.err) if said else "left" not in told.err, told
        assert "left" not in told.out
    assert (said or "left") in exam("status").out


def test_programs_that_read_json_are_left_alone(exam: Exam, here: Path) -> None:
    sit(here, 200)
    done = exam("check", "1", "--json")
    assert done.err == "" and done.json["reason"] == "no_model"
    clock = exam("status", "--json").json["clock"]
    assert 100 < clock["seconds_left"] <= 200 and clock["moved"] == []


def test_practice_says_nothing(exam: Exam, here: Path) -> None:
    session = start_session(here, Rules(exam="p", duration=None), "tf2.21", "cpu")
    with Ledger(session.ledger_path) as ledger:
        start(ledger, {})
    assert exam("check", "1").err == ""
    assert "no time limit" in exam("status").out


def test_after_submitting_nobody_needs_the_time(exam: Exam, here: Path) -> None:
    session = sit(here, 200)
    with Ledger(session.ledger_path) as ledger:
        ledger.append("submitted", {"total": 80})
    assert "minutes" not in exam("check", "1").err
    assert "the exam was submitted" in exam("status").out


def test_a_clock_that_was_set_is_told_once_and_stands_in_the_status(exam: Exam, here: Path) -> None:
    session = start_session(here, Rules(exam="mock"), "tf2.21", "cpu")
    with Ledger(session.ledger_path) as ledger:
        # As if this machine's clock had said two hours more when the exam began.
        later, now = ago(-7200), ago(0)
        start(ledger, {}, lambda: type(now)(later.wall, now.boot, now.up))
    told = exam("check", "1").err
    assert "clock was set 2:00:00 back" in told and "record" in told
    assert "clock was set" not in exam("check", "1").err
    status = exam("status").out
    assert "clock was set 2:00:00 back" in status and "4:59:5" in status
    (moved,) = exam("status", "--json").json["clock"]["moved"]
    assert moved["seconds"] == pytest.approx(-7200, abs=5)


def test_extra_time(exam: Exam, here: Path) -> None:
    session = sit(here, -60)
    assert "time is up" in exam("status").out
    done = exam("extra", "15m", "--reason", "fire alarm")
    assert done.status == 0 and session.id in done.out and "0:13:5" in done.out
    status = exam("status").out
    assert "15 minutes given: fire alarm" in status and "0:15:00 of it extra" in status
    assert exam("extra", "15m", "--reason", "wrong room", "--take-back").status == 0
    assert "time is up" in exam("status").out
    with Ledger(session.ledger_path) as ledger:
        assert [event.payload["seconds"] for event in ledger.events("extra_time")] == [900, -900]
        assert all(event.payload["by"] for event in ledger.events("extra_time"))
        assert ledger.problems() == []


def test_extra_time_for_one_of_a_class_and_for_all(exam: Exam, tmp_path: Path) -> None:
    one, other, done = (sit(tmp_path / name, 60) for name in ("one", "other", "done"))
    elsewhere = sit(tmp_path / "elsewhere", 60, exam="another")
    with Ledger(done.ledger_path) as ledger:
        ledger.append("submitted", {"total": 80})

    def minutes(session: Session) -> int:
        with Ledger(session.ledger_path) as ledger:
            return sum(event.payload["seconds"] for event in ledger.events("extra_time")) // 60

    assert exam("extra", "20m", "--reason", "doctor's note", "--session", one.id).status == 0
    answer = exam("extra", "1h", "--reason", "power cut", "--exam", "mock", "--json")
    assert {entry["session"] for entry in answer.json} == {one.id, other.id}
    assert [minutes(each) for each in (one, other, done, elsewhere)] == [80, 60, 0, 0]
    both = ["--session", done.id, "--session", other.id]
    mixed = exam("extra", "5m", "--reason", "noise", *both)
    assert mixed.status == 0 and "has submitted" in mixed.err and minutes(other) == 65


def test_whoever_runs_on_warns_once_of_each(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = sit(here, 1700)
    warner = Warner(session, quiet=False)

    def heard() -> str:
        assert not warner.over()
        return capsys.readouterr().err

    assert "Less than 30" in heard() and heard() == ""
    extend(session, 1200, "power cut", "examiner")
    assert heard() == ""
    extend(session, -1200, "it was back at once", "examiner")
    assert "Less than 30" in heard() and heard() == ""
    assert not Warner(session, quiet=True).over() and capsys.readouterr().err == ""
    over = sit(here.with_name("over"), -5)
    assert Warner(over, quiet=False).over() and capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["soon", "--reason", "x"], "is no time: write 15m"),
        (["0m", "--reason", "x"], "is no time"),
        (["15m", "--reason", " "], "Say why"),
        (["15m"], "--reason"),
        (["15m", "--reason", "x", "--exam", "mock", "--session", "a"], "by one of"),
        (["15m", "--reason", "x", "--session", "nobody"], "no session nobody"),
        (["15m", "--reason", "x", "--exam", "nothing"], "Nobody on this machine"),
        (["15m", "--reason", "x", "--take-back"], "no more than that can be taken back"),
    ],
)
def test_wrong_extra_time(exam: Exam, here: Path, arguments: list[str], said: str) -> None:
    session = sit(here, 60)
    done = exam("extra", *arguments)
    assert done.status in (1, 2) and said in done.sentence
    with Ledger(session.ledger_path) as ledger:
        assert ledger.events("extra_time") == []
