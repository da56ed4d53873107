"""Grades under gVisor, where the engine has it: the same scores behind a second wall."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from exam_cli.config.section import Section
from exam_cli.engine.port import Engine
from exam_cli.grading import pool
from exam_cli.grading.environment import Environment
from exam_cli.grading.grade import grade
from exam_cli.grading.predictor import predictor_needs
from exam_cli.grading.scorer import SCORER_NEEDS
from exam_cli.grading.served import Server, Serving
from exam_cli.sections.vault import SectionData
from tests.engine.models import Models

pytestmark = pytest.mark.engine

MODELS = [("good_keras", 1), ("good_tokens_savedmodel", 4)]


@pytest.fixture(scope="module")
def gvisor(docker_engine: Engine, grader: Environment) -> Environment:
    """The grader under gVisor."""
    if "runsc" not in docker_engine.info().runtimes:
        pytest.skip("the engine has no gVisor: install runsc and name it in daemon.json")
    return replace(grader, runtime="runsc")


@pytest.fixture
def serving(gvisor: Environment) -> Iterator[Serving]:
    with Server(gvisor, "predictor") as predictor, Server(gvisor, "scorer") as scorer:
        yield Serving(predictor, scorer, lambda: False)
    assert gvisor.engine.find(gvisor.labels) == []


def test_scores_are_the_same(
    gvisor: Environment,
    grader: Environment,
    models: Models,
    sections: dict[int, Section],
    data: dict[int, SectionData],
    serving: Serving,
) -> None:
    for name, number in MODELS:
        submission = models.submission(name, sections[number])
        hidden = data[number].sets["probe"]
        plain = grade(submission, sections[number], hidden, grader)
        served = grade(submission, sections[number], hidden, gvisor, serving=serving)
        for walled in (grade(submission, sections[number], hidden, gvisor), served):
            assert walled.status == "scored", walled.message
            assert walled.isolation == {"runtime": "runsc", "network": "none"}
            assert walled.measured == plain.measured


def test_a_warm_grader_waits_under_gvisor_too(
    gvisor: Environment, models: Models, sections: dict[int, Section], data: dict[int, SectionData]
) -> None:
    pool.fill(gvisor, {"predictor": predictor_needs(sections[1]), "scorer": SCORER_NEEDS})
    time.sleep(40)  # gVisor imports five times as slowly
    verdict = grade(
        models.submission("good_keras", sections[1]), sections[1], data[1].sets["probe"], gvisor
    )
    assert verdict.status == "scored" and verdict.warm, verdict.message
    for state in gvisor.engine.find(gvisor.labels):
        gvisor.engine.remove(state.id)


@pytest.mark.parametrize("attack", ["lie_in_wait", "reach_for_the_server"])
def test_attacks_get_no_further(
    gvisor: Environment,
    models: Models,
    sections: dict[int, Section],
    data: dict[int, SectionData],
    serving: Serving,
    attack: str,
) -> None:
    def judged(name: str) -> str:
        submission = models.submission(name, sections[1])
        hidden = data[1].sets["probe"]
        verdict = grade(submission, sections[1], hidden, gvisor, serving=serving)
        assert verdict.score is not None, verdict.message
        if b"REACHED" in verdict.printed:
            assert b"REACHED []" in verdict.printed
        return verdict.status if verdict.score else "nothing"

    assert judged(f"{attack}-keras") == "nothing"
    assert judged("good_keras") == "scored"
