"""Which verdict each model gets on the real engine: the honest, and the mistaken.

Two are graded at a time, honest ones first, among the others, and last. For the hostile ones see
tests/attacks.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

import pytest

from exam_cli.config.edition import Edition
from exam_cli.config.section import Section
from exam_cli.engine.port import Engine
from exam_cli.grading.environment import Environment
from exam_cli.grading.grade import grade
from exam_cli.grading.verdict import Verdict
from exam_cli.sections.vault import DataSet, SectionData
from tests.engine.models import Models
from tests.sentence import check_sentence

pytestmark = pytest.mark.engine

QUICK = 6  # seconds to load and predict, for models that would take for ever
OVERHEAD = 25  # seconds that a grade may take beside loading and predicting, on a busy machine


@dataclass(frozen=True)
class Case:
    """A model and what must come of it.

    Args:
        score: the lowest score that will do.
        says: what the sentence for the candidate must hold.
        prints: what must be in the practice log.
        limits: changes of the section's limits.
        task: how the section is changed, one of TASKS.
    """

    name: str
    section: int
    reason: str | None
    score: int = 0
    says: str = ""
    prints: bytes = b""
    limits: dict[str, int] = field(default_factory=dict)
    task: str = "as it is"

    @property
    def status(self) -> str:
        return "rejected" if self.reason else "scored"


def scored(
    name: str,
    section: int = 1,
    score: int = 0,
    prints: bytes = b"",
    says: str = "",
    task: str = "as it is",
) -> Case:
    return Case(name, section, None, score=score, prints=prints, says=says, task=task)


def rejected(
    reason: str,
    name: str,
    section: int = 1,
    says: str = "",
    prints: bytes = b"",
    task: str = "as it is",
    **limits: int,
) -> Case:
    return Case(name, section, reason, says=says, prints=prints, limits=limits, task=task)


def with_metric(section: Section, name: str, better: str, *bands: float) -> Section:
    metric = replace(section.metric, name=name, better=better)
    return replace(section, metric=metric, bands=bands)


def in_squares(section: Section) -> Section:
    form = replace(section.contract.inputs[0], shape=(3, 3))
    contract = replace(section.contract, inputs=(form,))
    return replace(section, contract=contract)


# The models here are weak, and the sections' own bands move when they are calibrated anew.
MILD = {1: (1500.0, 1000.0, 750.0, 550.0, 400.0), 4: (0.2, 0.4, 0.55, 0.7, 0.85)}

# The same data, asked for otherwise.
TASKS: dict[str, Callable[[Section], Section]] = {
    "as it is": lambda section: replace(section, bands=MILD[section.section]),
    "probabilities": lambda section: with_metric(
        section, "log_loss", "lower", 2.8, 2.2, 1.6, 1.2, 0.8
    ),
    "every class alike": lambda section: with_metric(section, "macro_f1", "higher", *MILD[4]),
    "squares": in_squares,
}


def data_for(section: Section, data: DataSet) -> DataSet:
    """Return the inputs in the section's own shape."""
    form, tensor = section.contract.inputs[0], data.inputs[0]
    shape = [data.rows, *form.shape]
    first = replace(tensor, description={**tensor.description, "shape": shape})
    return replace(data, inputs=(first, *data.inputs[1:]))


CASES = [
    scored("good_keras", score=2),
    scored("good_h5", score=2),
    scored("good_savedmodel", score=2),
    scored("good_text_keras", 4, score=2),
    scored("good_text_h5", 4, score=2),
    scored("good_text_savedmodel", 4, score=2),
    scored("good_tokens_keras", 4, score=2),
    scored("good_tokens_h5", 4, score=2),
    scored("good_tokens_savedmodel", 4, score=2),
    scored("floats_of_ids", 4),
    scored("batch_of_first_call"),
    # Mistakes in the contract.
    rejected(
        "wrong_input", "narrow_keras", says="float32 (None, 8); it must take float32 (rows, 9)"
    ),
    rejected("wrong_input", "narrow_h5", says="(None, 8)"),
    rejected("wrong_input", "whole_numbers", says="takes int32 (None, 9); it must take float32"),
    rejected("wrong_input", "narrow_savedmodel", says="(None, 8)"),
    rejected("wrong_input", "two_inputs_keras", says="takes 2 inputs"),
    rejected("wrong_input", "two_inputs_savedmodel", says="takes 2 inputs"),
    rejected("wrong_input", "fixed_batch_keras", says="exactly 32 rows"),
    rejected("wrong_input", "fixed_batch_savedmodel", says="exactly 32 rows"),
    rejected("wrong_input", "floats_for_text", 4, says="float32 (None, 39)"),
    rejected("wrong_input", "thirty_tokens", 4, says="int32 (None, 30)"),
    rejected(
        "wrong_output", "wide_answer_keras", says="(rows, 2); it must return float32 (rows, 1)"
    ),
    rejected("wrong_output", "wide_answer_h5", says="(rows, 2)"),
    rejected("wrong_output", "wide_answer_savedmodel", says="(rows, 2)"),
    rejected("wrong_output", "two_outputs_keras", says="returns 2 outputs"),
    rejected("wrong_output", "two_outputs_savedmodel", says="returns 2 outputs"),
    rejected("wrong_output", "three_classes_keras", 4, says="(rows, 3)"),
    rejected("wrong_output", "three_classes_savedmodel", 4, says="(rows, 3)"),
    rejected("not_finite", "nan"),
    rejected("not_finite", "infinite"),
    rejected("not_finite", "too_large_for_float32"),
    rejected("not_finite", "nan_text", 4),
    # What is taken as it was meant, and said.
    scored("one_more_dimension", score=2, says="takes (rows, 9, 1): the rows were given that"),
    scored("one_more_in_the_answer", score=2, says="returns (rows, 1, 1): that was taken as"),
    scored("one_less_in_the_answer", score=2, says="returns (rows,): that was taken as (rows, 1)"),
    scored("tokens_with_channel", 4, score=2, says="takes (rows, 40, 1): the rows were given"),
    scored("open_dimension", score=2, says="takes (rows, 9, 1)"),
    scored("squares_with_channel", score=2, says="takes (rows, 3, 3, 1)", task="squares"),
    scored("float64_input", score=2),
    scored("float64_answer", score=2),
    scored("float64_savedmodel", score=2),
    scored("float16_scores", 4, score=2),
    scored("bfloat16_scores", 4, score=2),
    scored("bfloat16_input", score=1),
    scored("whole_prices", score=2),
    scored("answer_by_name", score=2),
    # What means something else than was asked for.
    rejected("wrong_input", "flat_squares", says="takes flattened rows", task="squares"),
    rejected("wrong_input", "prices_for_glosses", 4, says="looks like a model for section 1."),
    rejected("wrong_input", "glosses_for_prices", says="looks like a model for section 4."),
    rejected("wrong_output", "class_numbers", 4, says="a score for each class, not the number"),
    rejected("wrong_output", "class_numbers_column", 4, says="a score for each class, not the"),
    rejected("wrong_output", "classes_from_one", 4, says="Classes count from 0"),
    rejected("wrong_output", "class_for_each_word", 4, says="pool or flatten"),
    scored("one_hot", 4, score=2),
    scored("one_hot_of_bools", 4, score=2),
    scored("one_hot", 4, says="return how likely a class is", task="probabilities"),
    scored("probabilities", 4, score=1, task="probabilities"),
    scored("half_probabilities", 4, score=1, task="probabilities"),
    scored("good_tokens_keras", 4, score=2, task="every class alike"),
    rejected("wrong_output", "good_tokens_keras", 4, says="add a softmax", task="probabilities"),
    rejected("wrong_output", "sigmoids", 4, says="one softmax over all", task="probabilities"),
    scored("next_class", 4, says="Moved by one class"),
    scored("classes_backwards", 4, says="With the classes in another order"),
    scored("thousands", says="scale back and return US dollars"),
    scored("standardised", says="scale back and return US dollars"),
    scored("logarithms", says="look like logarithms"),
    scored("batch_of_first_call", says="every row the same answer"),
    # Models that do not load.
    rejected("version_mismatch", "future_broken", says="Keras 3.99.0 and does not load"),
    rejected("version_mismatch", "old_h5_broken", says="Keras 2.3.0 and does not load"),
    rejected("version_mismatch", "future_savedmodel", says="TensorFlow 2.99.0 and does not load"),
    scored("future_loads", score=2),
    rejected("load_failed", "version_is_no_version"),
    rejected("load_failed", "custom_layer_keras"),
    rejected("load_failed", "custom_layer_h5"),
    rejected("load_failed", "no_signature", says="serving_default"),
    rejected("load_failed", "weights_alone", says="weights without a model"),
    scored("good_keras", score=2),
    scored("good_tokens_keras", 4, score=2),
]


@dataclass(frozen=True)
class Graded:
    """What came of a case. `took` is in seconds, all told."""

    case: Case
    verdict: Verdict
    took: float


@pytest.fixture(scope="module")
def grades(
    request: pytest.FixtureRequest,
    models: Models,
    sections: dict[int, Section],
    data: dict[int, SectionData],
    grader: Environment,
) -> Iterator[dict[int, Future[Graded]]]:
    """Every chosen case by its number, graded two at a time; prints the table at the end."""

    contracts = [(one.directory, one.contract) for one in sections.values()]

    def graded(case: Case) -> Graded:
        section = with_limits(TASKS[case.task](sections[case.section]), case)
        submission = models.submission(case.name, section)
        probe = data_for(section, data[case.section].sets["probe"])
        others = [one for one in contracts if one[0] != section.directory]
        started = time.monotonic()
        verdict = grade(submission, section, probe, grader, others)
        return Graded(case, verdict, time.monotonic() - started)

    calls = [item.callspec for item in request.session.items if hasattr(item, "callspec")]
    chosen = sorted({call.params["number"] for call in calls if "number" in call.params})
    with ThreadPoolExecutor(2) as pool:
        futures = {number: pool.submit(graded, CASES[number]) for number in chosen}
        yield futures
    done = [future.result() for future in futures.values() if not future.exception()]
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        sys.stdout.write("\n\n" + table(done) + "\n")


def with_limits(section: Section, case: Case) -> Section:
    limits = replace(section.limits, **case.limits)
    return replace(section, limits=limits)


def table(done: list[Graded]) -> str:
    lines = [
        f"{'model':<26} {'verdict':<9} {'reason':<17} {'score':>5} {'metric':>9} {'seconds':>8}"
    ]
    for one in done:
        verdict = one.verdict
        value = f"{verdict.measured.value:.4g}" if verdict.measured else "-"
        lines.append(
            f"{one.case.name:<26} {verdict.status:<9} {verdict.reason or '-':<17} "
            f"{verdict.score!s:>5} {value:>9} {one.took:>8.1f}"
        )
    return "\n".join(lines)


@pytest.mark.parametrize(
    "number",
    [pytest.param(number, id=f"{number}-{case.name}") for number, case in enumerate(CASES)],
)
def test_verdict(
    number: int,
    grades: dict[int, Future[Graded]],
    sections: dict[int, Section],
    data: dict[int, SectionData],
    edition: Edition,
) -> None:
    case = CASES[number]
    graded = grades[number].result()
    verdict = graded.verdict
    assert (verdict.status, verdict.reason) == (case.status, case.reason), verdict
    assert verdict.score is not None and verdict.score >= case.score
    assert case.says in verdict.message
    assert case.prints in verdict.printed
    probe = data[case.section].sets["probe"]
    assert (verdict.set_name, verdict.set_sha256) == ("probe", probe.sha256)
    assert verdict.model is not None and verdict.model.path.startswith(
        sections[case.section].directory
    )
    assert graded.took < with_limits(sections[case.section], case).limits.predict_seconds + OVERHEAD
    check_sentence(verdict, probe.inputs[0].path.read_bytes())
    if case.reason:
        assert (verdict.score, verdict.measured) == (0, None)
    if case.reason == "version_mismatch":
        wanted = f"`pip install tensorflow=={edition.tensorflow} keras=={edition.keras}`"
        assert wanted in verdict.message


def values(grades: dict[int, Future[Graded]], names: str) -> dict[str, set[float]]:
    """Return the metrics of the honest models whose names match."""
    found: dict[str, set[float]] = {}
    for one in (future.result() for future in grades.values()):
        if one.case.task != "as it is":
            continue
        if one.verdict.measured and re.fullmatch(names, one.case.name):
            found.setdefault(one.case.name, set()).add(one.verdict.measured.value)
    return found


def test_whatever_runs_before_and_beside_it_an_honest_model_scores_the_same(
    grades: dict[int, Future[Graded]],
) -> None:
    assert all(len(found) == 1 for found in values(grades, "good_.*").values())


@pytest.mark.parametrize("stem", ["good", "good_text", "good_tokens"])
def test_the_same_weights_score_the_same_in_every_format(
    stem: str, grades: dict[int, Future[Graded]]
) -> None:
    found = set().union(*values(grades, f"{stem}_(keras|h5|savedmodel)").values())
    assert not found or max(found) == pytest.approx(min(found), rel=1e-4)


def test_no_container_is_left(
    docker_engine: Engine, grader: Environment, grades: dict[int, Future[Graded]]
) -> None:
    wait(grades.values())
    assert docker_engine.find(grader.labels) == []
