"""The pool of a session: filled while its workspace runs, empty after `exam down`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from exam_cli.config.edition import load_edition
from exam_cli.config.exam import Exam
from exam_cli.engine.fake import FakeEngine
from exam_cli.engine.port import ContainerSpec, Limits
from exam_cli.images.build import references
from exam_cli.session.session import Session, start_session
from exam_cli.sitting.down import down
from exam_cli.sitting.pool import fill
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


def test_down_leaves_nothing_and_a_late_fill_brings_nothing_back(
    engine: FakeEngine, session: Session
) -> None:
    open_workspace(engine, session)
    fill(session, engine)
    assert len(down(session, engine)) == 3
    fill(session, engine)
    assert roles(engine) == []
