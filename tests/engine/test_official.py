"""Official and supervised grading: behind walls that were seen to stand, and without a word."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from exam_cli.config.edition import Edition
from exam_cli.engine.port import ContainerSpec, Engine
from exam_cli.grading.environment import Environment, Needs
from exam_cli.grading.official import ALWAYS, NotAsRecorded, WallsMissing, as_recorded, behind_walls
from exam_cli.images.build import architecture_of
from tests.engine.models import Models
from tests.engine.road import Road, candidate

pytestmark = pytest.mark.engine


@dataclass(frozen=True)
class Weakened(Environment):
    """An environment on an engine that ignores some of what is asked of it."""

    weaken: Callable[[ContainerSpec], ContainerSpec] = lambda spec: spec

    def container(self, program: str, needs: Needs, *arguments: str) -> ContainerSpec:
        return self.weaken(super().container(program, needs, *arguments))


def test_the_walls_that_always_must_stand_do(grader: Environment) -> None:
    assert behind_walls(grader, ()).walls == ALWAYS
    assert grader.engine.find(grader.labels) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"seccomp": '{"defaultAction": "SCMP_ACT_ALLOW"}', "network": "bridge"}, "a network"),
        ({"read_only": False, "user": "0:0"}, "write to /, /etc"),
        ({"user": "0:0"}, "administrator's rights"),  # root without capabilities is still root
    ],
)
def test_a_wall_that_the_engine_forgets_is_missed(
    change: dict[str, Any], says: str, grader: Environment
) -> None:
    fields = {name: getattr(grader, name) for name in grader.__dataclass_fields__}
    weak = Weakened(**fields, weaken=lambda spec: replace(spec, **change))
    with pytest.raises(WallsMissing, match=says):
        behind_walls(weak, ())


def test_a_cap_that_the_engine_forgets_is_missed(grader: Environment) -> None:
    fields = {name: getattr(grader, name) for name in grader.__dataclass_fields__}

    def without_cap(spec: ContainerSpec) -> ContainerSpec:
        return replace(spec, limits=replace(spec.limits, memory_bytes=1 << 40))

    with pytest.raises(WallsMissing, match="cap on memory"):
        behind_walls(Weakened(**fields, weaken=without_cap), ())


def test_a_required_wall_that_is_not_there_is_told_with_what_to_do(grader: Environment) -> None:
    with pytest.raises(WallsMissing, match="runtime: runsc"):
        behind_walls(grader, ("gvisor",))
    if "userns" not in grader.engine.info().security:
        with pytest.raises(WallsMissing, match="userns-remap"):
            behind_walls(grader, ("user_namespaces",))


EXAM = "exam: strict\nsections: [{section: 1}]\nwalls: [access_control, user_namespaces]\n"


@pytest.fixture(scope="module")
def strict(docker_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A candidate of an exam that requires walls which few engines have."""
    directory = tmp_path_factory.mktemp("strict")
    (directory / "exam.yaml").write_text(EXAM)
    home = tmp_path_factory.mktemp("home")
    with candidate(docker_engine, directory, home, "--exam", "exam.yaml") as road:
        yield road


@pytest.fixture
def as_locked(grader: Environment, edition: Edition) -> None:
    """Skip where Debian's archive has moved on, for then official grading rightly refuses."""
    found = grader.engine.image(grader.image)
    assert found is not None
    try:
        as_recorded(grader.of_image(found), edition, architecture_of(grader.engine))
    except NotAsRecorded as refusal:
        pytest.skip(str(refusal))


def hand_in(road: Road, models: Models, name: str) -> None:
    model = models.directory / name / "1-regression" / "model.keras"
    (road.workspace / "1-regression" / "model.keras").write_bytes(model.read_bytes())


@pytest.mark.usefixtures("as_locked")
def test_official_grading_refuses_without_them_and_counts_nothing(
    strict: Road, models: Models, docker_engine: Engine
) -> None:
    if {"userns", "rootless"} & set(docker_engine.info().security):
        pytest.skip("this engine has them")
    hand_in(strict, models, "good_keras")
    done = strict.exam("grade", "1", "--official", "--json")
    assert (done.status, done.json["reason"]) == (1, "walls_missing")
    assert "user_namespaces" in done.json["message"]
    assert strict.attempts(1) == []
    answer = strict.exam("grade", "1", "--json").json
    assert (answer["verdict"], answer["attempt"]) == ("scored", 1)
    assert "walls" not in answer["isolation"]
    done = strict.exam("submit", "--yes", "--official", "--json")
    assert (done.status, done.json["reason"]) == (1, "walls_missing")


@pytest.mark.usefixtures("as_locked")
def test_official_grading_says_which_walls_stood(road: Road, models: Models) -> None:
    hand_in(road, models, "good_keras")
    answer = road.exam("grade", "1", "--official", "--json").json
    assert (answer["verdict"], answer["isolation"]["walls"]) == ("scored", list(ALWAYS))


@pytest.mark.usefixtures("as_locked")
@pytest.mark.parametrize("option", ["--supervised", "--official"])
def test_nothing_that_a_model_says_is_shown_or_kept(
    option: str, road: Road, models: Models
) -> None:
    logs = road.record() / "logs"
    before = sorted(logs.glob("*")) if logs.exists() else []
    for name, reason in (
        ("raise_inputs-keras", "crashed"),
        ("carry_inputs_out_at_load-keras", "wrong_input"),
    ):
        hand_in(road, models, name)
        told, shown = road.exam("grade", "1", option, "--json"), road.exam("grade", "1", option)
        assert told.json["reason"] == reason
        assert "`exam check 1` says more" in told.json["message"]
        for said in (json.dumps(told.json["message"]), shown.out, shown.err, told.err):
            assert "stolen" not in said and "printed" not in said
    assert (sorted(logs.glob("*")) if logs.exists() else []) == before


def test_in_practice_it_is_kept_and_pointed_to(road: Road, models: Models) -> None:
    hand_in(road, models, "raise_inputs-keras")
    shown = road.exam("grade", "1").out
    (line,) = [line for line in shown.splitlines() if line.startswith("What the model printed: ")]
    log = Path(line.removeprefix("What the model printed: "))
    assert b"stolen" in log.read_bytes() and log.parent.stat().st_mode & 0o77 == 0
