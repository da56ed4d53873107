"""Containers that wait: claimed once, fit or passed over, replaced when stale."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from exam_cli.engine.fake import FakeEngine
from exam_cli.engine.port import Listed
from exam_cli.errors import OurFault
from exam_cli.grading import pool
from exam_cli.grading.environment import Environment, Needs

NEEDS = Needs(memory_bytes=1 << 30, tmpfs_bytes=1 << 20)
BOTH = {"predictor": NEEDS, "scorer": NEEDS}


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    engine = FakeEngine(known={"image", "newer"}, program=lambda spec: ["sleep", "60"])
    yield engine
    for state in engine.find({}):
        engine.remove(state.id)


@pytest.fixture
def environment(engine: FakeEngine) -> Environment:
    labels = {"exam.session": "s"}
    return Environment(engine, "image", "tf2.21", "cpu", "2.21.0", "3.15.1", labels=labels)


def waiting(engine: FakeEngine, program: str = "predictor") -> list[Listed]:
    return [state for state in engine.find({"exam.role": program}) if pool.is_waiting(state)]


def test_one_of_each_waits_however_often_the_pool_is_filled(environment: Environment) -> None:
    engine = environment.engine
    assert isinstance(engine, FakeEngine)
    for _ in range(3):
        pool.fill(environment, BOTH)
    assert [len(waiting(engine, program)) for program in BOTH] == [1, 1]
    assert all(state.running for program in BOTH for state in waiting(engine, program))


def test_nothing_to_claim_in_an_empty_pool(environment: Environment) -> None:
    assert pool.claim(environment, "predictor", NEEDS) is None


def test_of_many_claimants_one_gets_it(environment: Environment, engine: FakeEngine) -> None:
    pool.fill(environment, BOTH)
    with ThreadPoolExecutor(16) as threads:
        claims = [threads.submit(pool.claim, environment, "predictor", NEEDS) for _ in range(16)]
    boxes = [box for claim in claims if (box := claim.result()) is not None]
    assert len(boxes) == 1
    assert waiting(engine) == []
    with boxes[0]:
        pass
    assert engine.find({"exam.role": "predictor"}) == []


def test_what_is_claimed_gets_the_memory_that_it_needs(
    environment: Environment, engine: FakeEngine
) -> None:
    pool.fill(environment, BOTH)
    more = replace(NEEDS, memory_bytes=5 << 30)
    box = pool.claim(environment, "predictor", more)
    assert box is not None
    with box:
        limits = engine._containers[box.container].spec.limits
        assert limits.memory_bytes == more.memory_bytes


def test_under_another_runtime_only_one_of_that_memory_will_do(environment: Environment) -> None:
    walled = replace(environment, runtime="runsc")
    pool.fill(walled, BOTH)
    assert pool.claim(walled, "predictor", replace(NEEDS, memory_bytes=5 << 30)) is None
    box = pool.claim(walled, "predictor", NEEDS)
    assert box is not None
    with box:
        pass


def test_one_whose_memory_cannot_be_changed_does_not_stay(
    environment: Environment, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(container: str, memory_bytes: int) -> None:
        raise OurFault("The engine could not change a container's limits.")

    pool.fill(environment, BOTH)
    monkeypatch.setattr(engine, "limit_memory", refuse)
    with pytest.raises(OurFault):
        pool.claim(environment, "predictor", replace(NEEDS, memory_bytes=5 << 30))
    assert engine.find({"exam.role": "predictor"}) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"image": "newer"},
        {"image_id": "sha256:newer"},  # which bears the name by now
        {"runtime": "runsc"},
    ],
)
def test_another_image_or_runtime_is_stale(
    environment: Environment, engine: FakeEngine, changed: dict[str, str]
) -> None:
    pool.fill(environment, BOTH)
    (old,) = waiting(engine)
    now = replace(environment, **changed)  # type: ignore[arg-type]
    assert pool.claim(now, "predictor", NEEDS) is None
    pool.fill(now, BOTH)
    (new,) = waiting(engine)
    assert new.id != old.id
    assert engine.state(old.id) is None


def test_another_session_does_not_take_it(environment: Environment) -> None:
    pool.fill(environment, BOTH)
    other = replace(environment, labels={"exam.session": "t"})
    assert pool.claim(other, "predictor", NEEDS) is None


def test_a_larger_disk_than_there_is_disqualifies(environment: Environment) -> None:
    pool.fill(environment, BOTH)
    assert pool.claim(environment, "predictor", replace(NEEDS, tmpfs_bytes=1 << 31)) is None
    box = pool.claim(environment, "predictor", replace(NEEDS, tmpfs_bytes=1 << 19))
    assert box is not None, "a smaller one than there is does not"
    with box:
        pass


@pytest.mark.parametrize("hours", [13, -1])
def test_too_old_or_from_a_clock_that_went_back(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, hours: float
) -> None:
    pool.fill(environment, BOTH)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + hours * 3600)
    assert pool.claim(environment, "predictor", NEEDS) is None


def test_one_that_has_died_is_passed_over_and_replaced(
    environment: Environment, engine: FakeEngine
) -> None:
    pool.fill(environment, BOTH)
    (dead,) = waiting(engine)
    engine.stop(dead.id)
    assert pool.claim(environment, "predictor", NEEDS) is None
    pool.fill(environment, BOTH)
    (alive,) = waiting(engine)
    assert alive.running and alive.id != dead.id
