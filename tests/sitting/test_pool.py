"""The pool of a session: filled while its workspace runs, empty after `exam down`."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exam_cli.config.edition import load_edition
from exam_cli.config.exam import Exam
from exam_cli.engine.fake import FakeEngine
from exam_cli.engine.port import ContainerSpec, Limits
from exam_cli.grading import pool
from exam_cli.grading.predictor import predictor_needs
from exam_cli.grading.scorer import SCORER_NEEDS
from exam_cli.images.build import references
from exam_cli.sections.catalog import shipped_section
from exam_cli.session.ledger import Ledger
from exam_cli.session.session import Session, start_session
from exam_cli.sitting import leftovers
from exam_cli.sitting.down import down
from exam_cli.sitting.grade import environment_of
from exam_cli.sitting.pool import fill, renew, renewed_behind
from exam_cli.workspace.container import container_name


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    images = references(load_edition("tf2.21"), "x86_64")
    engine = FakeEngine(
        known={images.grader, images.workspace}, program=lambda spec: ["sleep", "60"]
    )
    yield engine
    for state in engine.find({}):
        engine.remove(state.id)


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return start_session(tmp_path / "workspace", Exam(exam="practice"), "tf2.21", "cpu")


def open_workspace(engine: FakeEngine, session: Session) -> None:
    image = references(load_edition("tf2.21"), "x86_64").workspace
    spec = ContainerSpec(
        image,
        ["sleep", "60"],
        "0:0",
        Limits(1 << 30, 1, 10),
        name=container_name(session),
        labels={"exam.session": session.id, "exam.role": "workspace"},
    )
    engine.start(engine.create(spec))


def roles(engine: FakeEngine) -> list[str]:
    return sorted(state.labels["exam.role"] for state in engine.find({}))


def test_a_predictor_and_a_scorer_wait_beside_the_workspace(
    engine: FakeEngine, session: Session
) -> None:
    open_workspace(engine, session)
    fill(session, engine)
    fill(session, engine)
    assert roles(engine) == ["predictor", "scorer", "workspace"]


def test_none_waits_once_the_exam_is_over(engine: FakeEngine, session: Session) -> None:
    open_workspace(engine, session)
    fill(session, engine)
    with Ledger(session.ledger_path) as ledger:
        ledger.append("submitted", {"total": 80})
    fill(session, engine)
    assert roles(engine) == ["workspace"]


def test_none_waits_once_the_time_is_up(engine: FakeEngine, tmp_path: Path) -> None:
    short = Exam(exam="short", duration="1m")
    session = start_session(tmp_path / "workspace", short, "tf2.21", "cpu")
    open_workspace(engine, session)
    fill(session, engine)
    assert roles(engine) == ["predictor", "scorer", "workspace"]
    with Ledger(session.ledger_path, lambda: datetime.now(UTC) - timedelta(hours=1)) as ledger:
        ledger.append("started", {})
    fill(session, engine)
    assert roles(engine) == ["workspace"]


def test_down_leaves_nothing_and_a_late_fill_brings_nothing_back(
    engine: FakeEngine, session: Session
) -> None:
    open_workspace(engine, session)
    fill(session, engine)
    assert len(down(session, engine)) == 3
    fill(session, engine)
    assert roles(engine) == []


def claimed(engine: FakeEngine, session: Session) -> list[str]:
    """Use the session's warm containers as a grade does; return them, left to remove."""
    used: list[str] = []
    image = references(load_edition("tf2.21"), "x86_64").grader
    environment = replace(environment_of(session, load_edition("tf2.21"), image, engine), used=used)
    for program, needs in (
        ("predictor", predictor_needs(shipped_section(1))),
        ("scorer", SCORER_NEEDS),
    ):
        box = pool.claim(environment, program, needs)
        assert box is not None
        with box:
            pass
    return used


def test_what_a_grade_has_used_is_left_to_remove_and_nobody_can_take_it(
    engine: FakeEngine, session: Session
) -> None:
    open_workspace(engine, session)
    fill(session, engine)
    used = claimed(engine, session)
    assert len(used) == 2 and all(engine.state(one) is not None for one in used)
    with pytest.raises(AssertionError):
        claimed(engine, session)
    renew(session, engine, used)
    assert all(engine.state(one) is None for one in used)
    assert roles(engine) == ["predictor", "scorer", "workspace"]


def test_what_nobody_came_to_remove_is_a_leftover(engine: FakeEngine, session: Session) -> None:
    """As when the program is killed once its answer is out, before anything is removed."""
    open_workspace(engine, session)
    fill(session, engine)
    used = claimed(engine, session)
    assert sorted(one.id for one in leftovers.leftovers(session, engine)) == sorted(used)
    leftovers.clear(session, engine)
    assert roles(engine) == ["workspace"]


def test_down_removes_what_was_used_too(engine: FakeEngine, session: Session) -> None:
    open_workspace(engine, session)
    fill(session, engine)
    used = claimed(engine, session)
    fill(session, engine)
    assert len(down(session, engine)) == 5
    renew(session, engine, used)  # it comes too late
    assert roles(engine) == []


def test_without_a_process_to_leave_it_to_what_was_used_goes_at_once(
    engine: FakeEngine, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    open_workspace(engine, session)
    fill(session, engine)
    monkeypatch.setattr("os.fork", refuse)
    with renewed_behind(session, lambda: engine) as used:
        used += claimed(engine, session)
    assert all(engine.state(one) is None for one in used)
    assert roles(engine) == ["workspace"]
