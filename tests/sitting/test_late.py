"""What was saved in time but not graded, and the examiner's extra time."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import pytest

from exam_cli.config.exam import Exam
from exam_cli.errors import EngineUnreachable, ExamError, OurFault
from exam_cli.progress import SILENT
from exam_cli.sections.catalog import shipped_section
from exam_cli.session import machine
from exam_cli.session.clock import start
from exam_cli.session.ledger import Ledger
from exam_cli.session.machine import Reading
from exam_cli.session.session import Session, start_session
from exam_cli.sitting.clock import extend, look
from exam_cli.sitting.grade import Manner
from exam_cli.sitting.late import Late, grade_late, late
from exam_cli.sitting.rules import attempting
from tests.session.machine import Machine, ago

SECTION = shipped_section(1)

Sitting = Callable[..., Session]


@pytest.fixture
def sitting(tmp_path: Path) -> Sitting:
    """Return a maker of a session of one hour, begun so many seconds ago or not yet."""

    def make(begun: float | None = None, **rules: Any) -> Session:
        exam = Exam(exam="test", **{"duration": "1h", "late": "grade", **rules})
        session = start_session(tmp_path / "workspace", exam, "tf2.21", "cpu")
        (session.workspace / SECTION.directory).mkdir()
        if begun is not None:
            begin(session, begun)
        return session

    return make


def save(session: Session, content: bytes = b"a model", name: str = "model.keras") -> Path:
    path = session.workspace / SECTION.directory / name
    path.write_bytes(content)
    return path


def grade(session: Session, sha256: str) -> None:
    with Ledger(session.ledger_path) as ledger:
        ledger.append_attempt(1, {"verdict": "scored", "score": 3, "model": {"sha256": sha256}})


def begin(session: Session, begun: float) -> None:
    with Ledger(session.ledger_path) as ledger:
        start(ledger, {}, lambda: ago(begun))


def the_time_runs_out(session: Session) -> None:
    """End the hour a moment from now: what was saved before was saved in time."""
    begin(session, 3600 - 0.05)
    while look(session).clock.seconds_left:
        time.sleep(0.02)


def only(found: list[Late]) -> Late:
    (one,) = found
    assert one.section.section == 1 and one.sentence.startswith("Section 1")
    return one


def test_what_lay_there_when_the_time_was_up(sitting: Sitting) -> None:
    session = sitting()
    save(session)
    the_time_runs_out(session)
    one = only(late(session))
    assert one.model is not None and one.model.record.path == "1-regression/model.keras"
    assert "saved in time" in one.sentence
    deadline = look(session).clock.deadline
    assert deadline is not None and one.changed is not None and one.changed < deadline


def test_while_time_runs_whoever_wants_a_grade_asks_for_one(sitting: Sitting) -> None:
    session = sitting(60)
    save(session)
    assert late(session) == []


@pytest.mark.parametrize("how", ["written", "renamed", "dated back", "made readable"])
def test_what_was_changed_since_does_not_count(sitting: Sitting, how: str) -> None:
    session = sitting()
    path = save(session, name="model.keras" if how != "renamed" else "draft.txt")
    the_time_runs_out(session)
    time.sleep(0.02)  # the file system's clock ticks in steps of some milliseconds
    if how == "renamed":
        path.rename(path.with_name("model.keras"))
    elif how == "made readable":
        path.chmod(0o600)
    else:
        path.write_bytes(b"a better model")
    if how == "dated back":
        os.utime(path, (1e9, 1e9))
    one = only(late(session))
    assert one.model is None and "after the time was up" in one.sentence


def test_a_saved_model_is_as_new_as_its_newest_file(sitting: Sitting, tmp_path: Path) -> None:
    session = sitting()
    model = session.workspace / SECTION.directory / "model"
    (model / "variables").mkdir(parents=True)
    (model / "saved_model.pb").write_bytes(b"graph")
    the_time_runs_out(session)
    assert only(late(session)).model is not None
    time.sleep(0.02)
    (model / "variables" / "variables.index").write_bytes(b"weights")
    assert only(late(session)).model is None


def test_what_was_graded_last_is_no_newer_model(sitting: Sitting) -> None:
    session = sitting()
    save(session)
    the_time_runs_out(session)
    model = only(late(session)).model
    assert model is not None
    grade(session, model.record.sha256)
    assert late(session) == []
    grade(session, "f" * 64)
    assert only(late(session)).model is not None, "put back in time, to be graded last"


def test_only_if_the_exam_says_so(sitting: Sitting) -> None:
    session = sitting(late="ignore")
    save(session)
    the_time_runs_out(session)
    assert late(session) == []


def test_no_more_attempts_than_there_are(sitting: Sitting) -> None:
    session = sitting(attempts=1)
    save(session)
    grade(session, "f" * 64)
    the_time_runs_out(session)
    one = only(late(session))
    assert one.model is None and "all 1 attempts" in one.sentence


def test_two_models_are_none(sitting: Sitting) -> None:
    session = sitting()
    save(session)
    save(session, name="other.keras")
    the_time_runs_out(session)
    one = only(late(session))
    assert one.model is None and "leave exactly one" in one.sentence


def test_where_the_clock_was_set_file_times_show_nothing(sitting: Sitting) -> None:
    session = sitting()
    save(session)
    the_time_runs_out(session)

    def set_back() -> Reading:
        now = machine.read()
        return Reading(now.wall.replace(year=2020), now.boot, now.up)

    assert look(session, set_back).moved is not None
    one = only(late(session))
    assert one.model is None and "clock was set" in one.sentence


def no_engine() -> NoReturn:
    raise EngineUnreachable("No container engine answers.")


def test_without_an_engine_it_is_not_counted_as_an_attempt(sitting: Sitting) -> None:
    session = sitting()
    save(session)
    the_time_runs_out(session)
    with pytest.raises(OurFault, match="nothing was submitted"):
        grade_late(session, no_engine, SILENT, Manner())
    with Ledger(session.ledger_path) as ledger:
        assert ledger.attempts(1) == []
        assert len(ledger.events("grade_failed")) == 1
        (noted,) = ledger.events("late_model")
    changed = datetime.fromisoformat(noted.payload["changed"])
    assert (datetime.now(UTC) - changed).total_seconds() < 60


def test_extra_time_lets_one_go_on(sitting: Sitting) -> None:
    session = sitting(3700)
    with pytest.raises(ExamError, match=r"is up.*exam submit"), attempting(SECTION, session):
        raise AssertionError("let through")
    clock = extend(session, 900, "fire alarm", "examiner")
    assert clock.seconds_left == pytest.approx(800, abs=5)
    with attempting(SECTION, session):
        pass
    with pytest.raises(ExamError, match="no more than that"):
        extend(session, -1000, "oops", "examiner")
    assert extend(session, -900, "oops", "examiner").seconds_left == 0


def test_no_extra_time_where_it_means_nothing(sitting: Sitting, tmp_path: Path) -> None:
    session = sitting(60)
    with Ledger(session.ledger_path) as ledger:
        ledger.append("submitted", {"total": 80})
    with pytest.raises(ExamError, match="has submitted"):
        extend(session, 900, "why", "examiner")
    practice = start_session(tmp_path / "other", Exam(exam="p", duration=None), "tf2.21", "cpu")
    with pytest.raises(ExamError, match="no time limit"):
        extend(practice, 900, "why", "examiner")


def test_jupyter_is_told_the_end_by_both_clocks(sitting: Sitting) -> None:
    session, here = sitting(0), Machine()
    path = session.workspace / ".exam" / "clock.json"
    now = machine.read()
    look(session, lambda: now)
    told = json.loads(path.read_text())
    assert told["limit"] and not told["submitted"] and told["boot"] == now.boot
    assert told["end_up"] == pytest.approx(now.up + 3600, abs=5)
    assert told["end_wall"] == pytest.approx(now.wall.timestamp() + 3600, abs=5)
    before = path.stat().st_ino
    look(session)
    assert path.stat().st_ino == before, "written only when it says something new"
    extend(session, 600, "late start", "examiner")
    assert json.loads(path.read_text())["end_up"] == pytest.approx(told["end_up"] + 600, abs=1)
    look(session, here)  # a machine of another start
    assert json.loads(path.read_text())["boot"] == here().boot
    with Ledger(session.ledger_path) as ledger:
        ledger.append("submitted", {"total": 80})
    look(session)
    assert json.loads(path.read_text()) == {"limit": False, "submitted": True}


def test_a_display_that_cannot_be_written_stops_nothing(sitting: Sitting, tmp_path: Path) -> None:
    session = sitting(0)
    directory = session.workspace / ".exam"
    directory.rename(tmp_path / "elsewhere")
    look(session)
    directory.symlink_to(tmp_path / "elsewhere")
    look(session)
    assert not (tmp_path / "elsewhere" / "clock.json").exists()
