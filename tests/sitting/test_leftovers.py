"""A killed grade's containers go; those of a grade that runs stay."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from exam_cli.config.exam import Exam
from exam_cli.engine.fake import FakeEngine
from exam_cli.engine.port import ContainerSpec, Limits
from exam_cli.session.session import Session, start_session
from exam_cli.sitting import leftovers

GRADE = """
import sys, time
from exam_cli.session.session import all_sessions
from exam_cli.sitting.leftovers import grading
session = next(one for one in all_sessions() if one.id == sys.argv[1])
with grading(session):
    print("grading", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return start_session(tmp_path / "workspace", Exam(exam="practice"), "tf2.21", "cpu")


@pytest.fixture
def engine(session: Session) -> FakeEngine:
    """Containers of this session and another, in every role."""
    engine = FakeEngine()
    for owner in (session.id, "another"):
        for role in ("predictor", "scorer", "workspace"):
            labels = {"exam.session": owner, "exam.role": role}
            engine.create(
                ContainerSpec("test:base", ["true"], "0:0", Limits(1 << 20, 1, 9), labels=labels)
            )
    return engine


@pytest.fixture
def grade(session: Session) -> Iterator[subprocess.Popen[str]]:
    """A process in the middle of a grade of this session."""
    process = subprocess.Popen(
        [sys.executable, "-c", GRADE, session.id], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None and process.stdout.readline() == "grading\n"
        yield process
        process.kill()


def roles(engine: FakeEngine, session: str) -> list[str]:
    return [state.labels["exam.role"] for state in engine.find({"exam.session": session})]


def test_leftovers_of_this_session_alone_are_found_and_removed(
    session: Session, engine: FakeEngine
) -> None:
    found = leftovers.leftovers(session, engine)
    assert [state.labels["exam.role"] for state in found] == ["predictor", "scorer"]
    leftovers.clear(session, engine)
    assert roles(engine, session.id) == ["workspace"]
    assert roles(engine, "another") == ["predictor", "scorer", "workspace"]


def test_nothing_is_touched_while_a_grade_runs_and_all_goes_when_it_is_killed(
    session: Session, engine: FakeEngine, grade: subprocess.Popen[str]
) -> None:
    assert leftovers.leftovers(session, engine) == []
    leftovers.clear(session, engine)
    assert roles(engine, session.id) == ["predictor", "scorer", "workspace"]

    grade.send_signal(signal.SIGKILL)
    grade.wait()
    leftovers.clear(session, engine)
    assert roles(engine, session.id) == ["workspace"]


def test_grades_at_the_same_time_do_not_wait_for_each_other(
    session: Session, grade: subprocess.Popen[str]
) -> None:
    with leftovers.grading(session), leftovers.grading(session):
        pass


def parts(session: Session) -> list[Path]:
    """Make what a killed grade and a killed check leave; return it and what must stay."""
    session.snapshots.mkdir(exist_ok=True)
    made = [session.directory / ".part-check", session.snapshots / ".part-0815"]
    for directory in made:
        directory.mkdir()
        (directory / "model").write_bytes(b"half")
    (session.snapshots / "whole.keras").write_bytes(b"whole")
    return made


def test_half_copies_of_models_go(session: Session) -> None:
    made = parts(session)
    leftovers.tidy(session)
    assert not any(directory.exists() for directory in made)
    assert (session.snapshots / "whole.keras").exists()


def test_those_of_a_grade_that_runs_stay(session: Session, grade: subprocess.Popen[str]) -> None:
    made = parts(session)
    leftovers.tidy(session)
    assert all(directory.exists() for directory in made)
    grade.kill()
    grade.wait()
    leftovers.tidy(session)
    assert not any(directory.exists() for directory in made)
