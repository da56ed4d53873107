"""A model that stands behind others is always let go on again, whatever the engine does."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from exam_cli.engine.fake import FakeEngine
from exam_cli.engine.port import ContainerSpec, Limits
from exam_cli.errors import EngineUnreachable
from exam_cli.grading.announce import announce, seconds_since
from exam_cli.grading.courtesy import BRISK_SECONDS, Courtesy


class Failing(FakeEngine):
    """Fails to change caps as often as it is told, as a busy engine does."""

    failures = 0

    def put_behind(self, container: str, cpus: float) -> None:
        """Fail, or do it."""
        if self.failures:
            self.failures -= 1
            raise EngineUnreachable("No container engine answers.")
        super().put_behind(container, cpus)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EXAM_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def engine(home: Path) -> Iterator[Failing]:
    engine = Failing(known={"image"}, program=lambda spec: ["sleep", "60"])
    yield engine
    for state in engine.find({}):
        engine.remove(state.id)


@pytest.fixture
def container(engine: Failing) -> str:
    found = engine.create(ContainerSpec("image", ["x"], "1:1", Limits(1 << 30, 2.0, 64)))
    engine.start(found)
    return found


def cores(engine: Failing, container: str) -> float:
    return engine._containers[container].spec.limits.cpus


def test_a_release_that_fails_is_tried_again(engine: Failing, container: str) -> None:
    courtesy = Courtesy(engine, container)
    whole = cores(engine, container)
    courtesy._hold(True, time.monotonic())
    assert cores(engine, container) < 0.1
    engine.failures = 1
    courtesy._hold(False, time.monotonic())
    assert cores(engine, container) < 0.1, "the engine failed"
    courtesy.attend()
    assert cores(engine, container) == whole
    courtesy.close()


def test_what_was_announced_holds_for_a_while_and_the_future_does_not(home: Path) -> None:
    assert seconds_since() == float("inf")
    announce()
    assert seconds_since() < BRISK_SECONDS
    (mark,) = home.iterdir()
    os.utime(mark, (time.time() + 3600,) * 2)
    assert seconds_since() == float("inf")
