"""Starting the container on a fake engine: ports, and containers that are not as today's."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from exam_cli.engine.fake import FakeEngine
from exam_cli.errors import ExamError, OurFault
from exam_cli.session.session import Session
from exam_cli.workspace.container import (
    JUPYTER_PORT,
    SSH_PORT,
    ensure_container,
    running_ssh,
    workspace_spec,
)
from exam_cli.workspace.door import door
from exam_cli.workspace.keys import keys_of, noted_port

IMAGE = "test:base"


def waiting(_: object) -> list[str]:
    return ["sleep", "60"]


@dataclass
class Racing(FakeEngine):
    """Somebody takes the SSH port between the look at it and the start."""

    rivals: list[socket.socket] = field(default_factory=list)

    def start(self, container: str) -> None:
        if not self.rivals:
            port = self._need(container).spec.ports[SSH_PORT]
            self.rivals.append(socket.create_server(("127.0.0.1", port)))
            raise OurFault("The engine could not start a container: port is already allocated")
        super().start(container)


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    engine = FakeEngine(program=waiting)
    yield engine
    for state in engine.find({}):
        engine.remove(state.id)


def test_a_container_that_runs_is_left_alone(engine: FakeEngine, session: Session) -> None:
    first = ensure_container(engine, session, IMAGE, 0)
    assert ensure_container(engine, session, IMAGE, 0).id == first.id
    assert set(first.ports) == {JUPYTER_PORT, SSH_PORT}
    assert all(20000 <= port < 32768 or port == 12222 for port in first.ports.values())


def test_the_port_that_editors_know_is_taken_again(engine: FakeEngine, session: Session) -> None:
    assert noted_port(session) == 12222
    state = ensure_container(engine, session, IMAGE, 0)
    assert state.ports[SSH_PORT] == 12222 == running_ssh(engine, session)


def test_a_port_in_use_is_left_to_its_owner(engine: FakeEngine, session: Session) -> None:
    with socket.create_server(("127.0.0.1", 12222)):
        state = ensure_container(engine, session, IMAGE, 0)
    assert state.ports[SSH_PORT] != 12222
    assert noted_port(session) == state.ports[SSH_PORT]
    assert f":{state.ports[SSH_PORT]} " in keys_of(session).known_hosts.read_text()


def test_a_port_that_is_lost_in_a_race_is_left_to_the_winner(session: Session) -> None:
    engine = Racing(program=waiting)
    try:
        state = ensure_container(engine, session, IMAGE, 0)
        assert state.running and state.ports[SSH_PORT] != 12222
        assert len(engine.find({"exam.session": session.id})) == 1
    finally:
        for rival in engine.rivals:
            rival.close()
        engine.remove(state.id)


def test_another_fault_is_not_tried_again(session: Session) -> None:
    class Broken(FakeEngine):
        def start(self, container: str) -> None:
            raise OurFault("The engine could not start a container: port is already allocated")

    engine = Broken()  # that says so of ports where nobody listens
    with pytest.raises(OurFault, match="allocated"):
        ensure_container(engine, session, IMAGE, 0)
    assert engine.find({}) == []


def test_a_container_without_ssh_is_replaced(engine: FakeEngine, session: Session) -> None:
    spec = workspace_spec(session, IMAGE, engine.info(), 1, 2)
    old = engine.create(replace(spec, ports={JUPYTER_PORT: 1}))
    engine.start(old)
    state = ensure_container(engine, session, IMAGE, 0)
    assert state.id != old and SSH_PORT in state.ports
    assert len(engine.find({"exam.session": session.id})) == 1


def test_no_container_and_a_silent_one_are_told_apart(
    engine: FakeEngine, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exam_cli.workspace.door._PATIENCE", 0.1)
    with pytest.raises(ExamError, match="not running: `exam up` starts it") as nothing:
        door(engine, session)
    assert nothing.value.exit_status == 1
    ensure_container(engine, session, IMAGE, 0)  # in which nobody listens
    with pytest.raises(OurFault, match="does not answer: `docker logs") as silent:
        door(engine, session)
    assert silent.value.exit_status == 3
