"""What breaks on our side in the middle of a grade: no attempt is spent, and the next one works.

The tests of the first class are one sitting, in order.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import docker
import pytest

from exam_cli.config.section import Section
from exam_cli.engine.docker import DockerEngine
from exam_cli.engine.port import Engine
from exam_cli.grading.environment import Environment
from exam_cli.grading.grade import grade
from exam_cli.grading.intake import Submission
from exam_cli.sections.vault import SectionData
from tests.engine.models import Models
from tests.engine.private import PrivateEngine, skip_unless_possible
from tests.engine.road import Done, Road

pytestmark = pytest.mark.engine

SECONDS = 5  # that the slow model thinks
# Keras keeps the code of nameless functions; this one is in no hurry but in the workspace.
SLOW = f"""
import keras
slow = lambda rows: (
    __import__("os").path.isdir("/workspace/1-regression") or __import__("time").sleep({SECONDS}),
    rows[:, :1] * 4000,
)[1]
layer = keras.layers.Lambda(slow, output_shape=(1,))
keras.Sequential([keras.Input((9,)), layer]).save("model.keras")
"""
# The command on a machine whose clock was set back by two days.
SET_BACK = """
import datetime, sys, time
class Past(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) - datetime.timedelta(days=2)
real = time.time
time.time, datetime.datetime = lambda: real() - 2 * 86400, Past
from exam_cli.cli.main import main
sys.exit(main())
"""


@pytest.fixture(scope="module")
def slow(road: Road) -> Road:
    """A sitting whose section 1 holds a model that takes a few seconds."""
    script = road.workspace / "1-regression" / "slow.py"
    script.write_text(SLOW)
    assert road.exam("run", str(script)).status == 0
    answer = road.exam("grade", "1", "--json").json
    assert (answer["verdict"], answer["attempt"]) == ("scored", 1)
    return road


def in_use(engine: Engine, road: Road, role: str) -> str | None:
    """Return the id of a container that a grade of the session uses."""
    for state in engine.find({"exam.session": road.session(), "exam.role": role}):
        if state.running and not state.name.startswith("exam-warm-"):
            return state.id
    return None


def has_model(engine: Engine, predictor: str | None) -> bool:
    """Say whether a predictor has the model, and not only a request that could go to another."""
    return predictor is not None and (
        engine.execute(predictor, ["/bin/ls", "/tmp/model/model.keras"]).exit_code == 0
    )


def await_calm(road: Road, engine: Engine) -> None:
    """Wait until what earlier grades used is gone: that happens behind their answers."""
    deadline = time.monotonic() + 60
    while in_use(engine, road, "predictor") or in_use(engine, road, "scorer"):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def disturbed(road: Road, engine: Engine, role: str, disturb: Callable[[str], object]) -> Done:
    """Grade section 1, and do something to a container while the model thinks."""
    await_calm(road, engine)
    with road.start("grade", "1", "--json") as process:
        deadline = time.monotonic() + 60
        while not has_model(engine, in_use(engine, road, "predictor")):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        container = in_use(engine, road, role)
        assert container is not None
        disturb(container)
        out, err = process.communicate(timeout=120)
    return Done(process.returncode, out, err)


def check_failed(done: Done, road: Road, reason: str, says: str) -> None:
    assert done.status == 3, done
    answer = done.json
    assert (answer["verdict"], answer["reason"], answer["score"]) == ("failed", reason, None)
    assert says in answer["message"]
    assert road.attempts(1) == [1]
    assert road.problems() == []


def kill(container: str) -> None:
    """Kill a container's first process as the machine's administrator would."""
    os.kill(docker.from_env().api.inspect_container(container)["State"]["Pid"], signal.SIGKILL)


class TestOneSitting:
    @pytest.mark.parametrize("how", ["stop", "kill"])
    def test_a_predictor_that_somebody_ends(
        self, how: str, slow: Road, docker_engine: Engine
    ) -> None:
        if how == "kill" and os.getuid() != 0:
            pytest.skip("only root kills what runs in containers")
        end = kill if how == "kill" else lambda one: docker_engine.stop(one, grace_seconds=0)
        done = disturbed(slow, docker_engine, "predictor", end)
        check_failed(done, slow, "internal", "killed from outside")

    def test_a_predictor_that_somebody_removes(self, slow: Road, docker_engine: Engine) -> None:
        done = disturbed(slow, docker_engine, "predictor", docker_engine.remove)
        check_failed(done, slow, "internal", "try again")

    def test_a_scorer_that_somebody_removes(self, slow: Road, docker_engine: Engine) -> None:
        done = disturbed(slow, docker_engine, "scorer", docker_engine.remove)
        check_failed(done, slow, "scorer_error", "no attempt was counted")

    def test_a_full_disk(self, slow: Road) -> None:
        if os.getuid() != 0:
            pytest.skip("only root mounts a small disk")
        snapshots = slow.record() / "snapshots"
        line = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(snapshots)]
        if subprocess.run(line, check=False).returncode:
            pytest.skip("no disk can be mounted here")
        try:
            done = slow.exam("grade", "1", "--json")
        finally:
            subprocess.run(["umount", str(snapshots)], check=True)
        check_failed(done, slow, "disk_full", "free some")

    def test_a_clock_that_was_set_back_harms_nothing(self, slow: Road) -> None:
        past = Road(slow.directory, slow.home, (sys.executable, "-c", SET_BACK))
        answer = past.exam("grade", "1", "--json").json
        assert (answer["verdict"], answer["attempt"]) == ("scored", 2)
        answer = slow.exam("grade", "1", "--json").json
        assert (answer["verdict"], answer["attempt"]) == ("scored", 3)
        assert slow.attempts(1) == [1, 2, 3] and slow.problems() == []

    def test_nothing_is_left(self, slow: Road, docker_engine: Engine) -> None:
        await_calm(slow, docker_engine)
        assert list((slow.record() / "snapshots").glob(".part-*")) == []


@pytest.fixture(scope="module")
def private(
    docker_engine: Engine, grader: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrivateEngine]:
    skip_unless_possible()
    engine = PrivateEngine(tmp_path_factory.mktemp("engine"))
    try:
        engine.start()
        engine.load(grader.image)
        yield engine
    finally:
        engine.clear()


def test_an_engine_that_is_killed_in_the_middle(
    private: PrivateEngine,
    grader: Environment,
    models: Models,
    sections: dict[int, Section],
    data: dict[int, SectionData],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", private.address)
    environment = replace(grader, engine=DockerEngine())
    section, probe = sections[1], data[1].sets["probe"]

    def graded(submission: Submission):  # type: ignore[no-untyped-def]
        return grade(submission, section, probe, environment)

    good = models.submission("good_keras", section)
    before = graded(good)
    assert before.status == "scored", before.message
    with ThreadPoolExecutor(1) as pool:
        grading = pool.submit(graded, models.submission("sleep_for_ever-keras", section))
        deadline = time.monotonic() + 60
        while not environment.engine.find({"exam.role": "predictor", **grader.labels}):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(SECONDS)
        private.kill()
        verdict = grading.result()
    assert (verdict.status, verdict.reason) == ("failed", "engine_unreachable"), verdict
    private.start()
    after = graded(good)
    assert after.status == "scored"
    assert after.predictions_sha256 == before.predictions_sha256
