"""One container for a candidate's several models: none has a say in the next one's grade."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from exam_cli.config.section import Section
from exam_cli.grading import pool
from exam_cli.grading.environment import Environment
from exam_cli.grading.grade import grade
from exam_cli.grading.predictor import predictor_needs
from exam_cli.grading.scorer import SCORER_NEEDS
from exam_cli.grading.served import Server, Serving
from exam_cli.grading.verdict import Verdict
from exam_cli.sections.vault import SectionData
from tests.engine.models import Models

pytestmark = pytest.mark.engine

QUICK = 5  # seconds for models that would take for ever
HONEST = [("good_keras", 1), ("good_tokens_savedmodel", 4), ("good_text_keras", 4), ("good_h5", 1)]


@dataclass
class Hall:
    """Where one candidate's models are graded, by one server."""

    environment: Environment
    judge: Callable[[str, int, Serving | None], Verdict]
    serving: Serving

    def servers(self) -> list[str]:
        """Return the ids of the predictors that run now."""
        found = self.environment.engine.find({"exam.role": "predictor", **self.environment.labels})
        return [state.id for state in found if state.running]


@pytest.fixture(scope="module")
def judge(
    grader: Environment, models: Models, sections: dict[int, Section], data: dict[int, SectionData]
) -> Callable[[str, int, Serving | None], Verdict]:
    def judged(name: str, number: int, serving: Serving | None) -> Verdict:
        seconds = 60 if name.startswith("good") else QUICK
        limits = replace(sections[number].limits, predict_seconds=seconds)
        section = replace(sections[number], limits=limits)
        submission = models.submission(name, section)
        hidden = data[number].sets["probe"]
        return grade(submission, section, hidden, grader, serving=serving)

    return judged


@pytest.fixture
def hall(
    grader: Environment, judge: Callable[[str, int, Serving | None], Verdict]
) -> Iterator[Hall]:
    with Server(grader, "predictor") as predictor, Server(grader, "scorer") as scorer:
        yield Hall(grader, judge, Serving(predictor, scorer, lambda: False))
    assert grader.engine.find(grader.labels) == []


@pytest.fixture(scope="module")
def alone(judge: Callable[[str, int, Serving | None], Verdict]) -> dict[str, Verdict]:
    """The honest models' verdicts, each in containers of its own."""
    return {name: judge(name, number, None) for name, number in HONEST}


def same(found: Verdict, expected: Verdict) -> None:
    assert found.status == "scored", found.message
    assert found.predictions_sha256 == expected.predictions_sha256, "the same to the bit"
    assert found.measured == expected.measured and found.score == expected.score


def test_served_or_alone_a_model_gets_the_same(hall: Hall, alone: dict[str, Verdict]) -> None:
    servers = set()
    for name, number in HONEST * 2:
        same(hall.judge(name, number, hall.serving), alone[name])
        servers.update(hall.servers())
    assert len(servers) == 1, "and all of them from one import"


@pytest.mark.parametrize(("name", "times"), [("good_keras", 50), ("dice", 10)])
def test_again_and_again_a_model_gets_the_same(
    name: str,
    times: int,
    hall: Hall,
    judge: Callable[[str, int, Serving | None], Verdict],
    grader: Environment,
    sections: dict[int, Section],
) -> None:
    """Cold, warm and served, also where it rolls dice: they are TensorFlow's, numpy's, Python's."""
    first = judge(name, 1, None)
    assert first.status == "scored" and not first.warm
    for _ in range(times):
        same(hall.judge(name, 1, hall.serving), first)
    pool.fill(grader, {"predictor": predictor_needs(sections[1]), "scorer": SCORER_NEEDS})
    same(judge(name, 1, None), first)


@pytest.mark.parametrize(
    "attack",
    [
        "leave_process_behind",
        "lie_in_wait",
        "reach_for_the_server",
        "patch_keras",
        "answer_ahead",
        "hamper_the_server",
        "interrupt_the_server",
        "litter",
        "fill_disk",
        "exit_quietly",
        "fork_bomb",
        "eat_memory",
        "hang_up",
        "talk",
    ],
)
def test_an_attack_does_not_reach_the_next_model(
    hall: Hall, alone: dict[str, Verdict], attack: str
) -> None:
    hostile = hall.judge(f"{attack}-keras", 1, hall.serving)
    assert hostile.status in ("scored", "rejected"), hostile.message
    assert hostile.score == 0
    for name, number in HONEST[:2]:
        same(hall.judge(name, number, hall.serving), alone[name])


@pytest.mark.parametrize("attack", ["leave_process_behind", "lie_in_wait", "patch_keras"])
def test_after_some_the_server_goes_on(hall: Hall, alone: dict[str, Verdict], attack: str) -> None:
    """So that it was its own doing, and not that of a new container, that they did no harm."""
    hall.judge(f"{attack}-keras", 1, hall.serving)
    (server,) = hall.servers()
    same(hall.judge(*HONEST[0], hall.serving), alone[HONEST[0][0]])
    assert hall.servers() == [server]


def test_the_server_is_out_of_reach(hall: Hall) -> None:
    printed = hall.judge("reach_for_the_server-keras", 1, hall.serving).printed.decode()
    _, _, told = printed.partition("REACHED ")
    assert json.loads(told.splitlines()[0]) == []
    assert len(hall.servers()) == 1, "it looked at the server, not at a process of its own"
