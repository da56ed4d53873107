"""Whatever a stranger's program says of itself, what is shown is a sentence of ours."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_cli.config.section import Contract, Metric, Section
from exam_cli.config.values import made
from exam_cli.engine.fake import FakeEngine
from exam_cli.engine.port import ContainerState
from exam_cli.errors import OurFault
from exam_cli.grading import faults
from exam_cli.grading.environment import Environment
from exam_cli.grading.verdict import REJECTED, Rejection
from exam_cli.sections.catalog import shipped_section

SECTIONS = [shipped_section(1), shipped_section(4)]
OTHERS = [(one.directory, one.contract) for one in SECTIONS]
HERE = Environment(FakeEngine(), "test:base", "tf2.21", "cpu", "2.21.0", "3.15.1")
MARK = "Xyzzy"  # stands in every text that the stranger sends

texts = st.text(max_size=30).map(lambda text: f"{text}{MARK}")
numbers = st.integers() | st.integers(10**50, 10**60) | st.floats()
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=9) | st.dictionaries(texts, inner, max_size=3)
)
shapes = st.lists(st.none() | st.integers(-2, 2**40), max_size=8)
specs = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(["float32", "string", "resource"]) | values,
        "shape": shapes | values,
        "returns": shapes | values,
    },
)
versions = st.from_regex(r"\A\d{1,5}(\.\d{1,7}){0,4}.{0,25}\Z", fullmatch=True) | values
details = st.fixed_dictionaries(
    {},
    optional={
        "saved_with": versions,
        "missing": st.sampled_from(["serving_default", "model_config"]) | values,
        "inputs": values,
        "outputs": values,
        "batch": values,
        "rows": values,
        "dtype": values,
        "got": specs | shapes | values,
        "took": specs | values,
        "expected": values,
    },
)
reasons = st.sampled_from([*REJECTED, "failed", "internal"]) | values
hostile = st.fixed_dictionaries({}, optional={"reason": reasons, "detail": details | values})


def is_ours(rejection: Rejection) -> None:
    """Check that a rejection may be shown."""
    sentence = rejection.sentence
    assert rejection.reason in REJECTED
    assert sentence.isprintable() and sentence.isascii(), repr(sentence)
    assert 20 < len(sentence) < 500 and sentence.endswith(".")
    assert MARK not in sentence


@given(hostile | st.dictionaries(texts, values), st.none() | st.just("3.0.1"))
def test_a_hostile_predictor_gets_no_word_in(header: dict[str, Any], saved: str | None) -> None:
    for section in SECTIONS:
        is_ours(faults.from_predictor(header, saved, section, HERE, OTHERS))


@given(shapes | values, shapes | values)
def test_a_hostile_predictor_has_nothing_remarked_but_ones(took: object, gave: object) -> None:
    for remark in faults.remarks({"took": took, "gave": gave}, SECTIONS[0]):
        assert set(re.findall(r"\d+", remark)) <= {"9", "1"}  # 9 features in, 1 price out
        assert remark.isascii() and len(remark) < 120


@pytest.mark.parametrize(
    ("reason", "detail"),
    [
        ("wrong_input", {"got": {"dtype": ["float32"], "shape": [None, 3]}}),
        ("wrong_input", {"got": {"dtype": {"a": 1}, "shape": [None, 3]}}),
        ("wrong_input", {"inputs": 10**4000}),
        ("wrong_input", {"batch": -(10**4000)}),
        ("wrong_output", {"outputs": 10**4000}),
        ("wrong_output", {"got": [[["deep"]]]}),
        ("load_failed", {"saved_with": "3.1.0\n"}),
        ("load_failed", {"saved_with": "\u0663.\u0661.\u0660"}),
        (["a", "list"], None),
        ({"a": "dict"}, []),
    ],
    ids=repr,
)
def test_headers_that_once_got_through(reason: object, detail: object) -> None:
    is_ours(faults.from_predictor({"reason": reason, "detail": detail}, None, SECTIONS[0], HERE))


@pytest.mark.parametrize(
    ("header", "reason", "said"),
    [
        ({"reason": "crashed"}, "crashed", "raised an error while predicting"),
        ({"reason": "out_of_memory"}, "out_of_memory", "3072 MB"),
        ({"reason": "load_failed"}, "load_failed", "keras.models.load_model"),
        (
            {"reason": "load_failed", "detail": {"missing": "serving_default"}},
            "load_failed",
            "model.export",
        ),
        (
            {"reason": "load_failed", "detail": {"missing": "model_config"}},
            "load_failed",
            "weights without a model",
        ),
        (
            {"reason": "load_failed", "detail": {"saved_with": "2.9.0"}},
            "version_mismatch",
            "saved by Keras 2.9.0 and does not load in this edition's Keras 3.15.1",
        ),
        ({"reason": "wrong_input", "detail": {"inputs": 2}}, "wrong_input", "takes 2 inputs"),
        ({"reason": "wrong_input", "detail": {"batch": 32}}, "wrong_input", "exactly 32 rows"),
        (
            {
                "reason": "wrong_input",
                "detail": {"got": {"dtype": "float32", "shape": [None, 28, 28]}},
            },
            "wrong_input",
            "takes float32 (None, 28, 28); it must take float32 (rows, 9)",
        ),
        ({"reason": "wrong_output", "detail": {"outputs": 3}}, "wrong_output", "returns 3 outputs"),
        ({"reason": "wrong_output", "detail": {"dtype": "<U3"}}, "wrong_output", "numbers"),
        ({"reason": "wrong_output", "detail": {"rows": 1}}, "wrong_output", "prediction a row"),
        (
            {"reason": "wrong_output", "detail": {"got": [7]}},
            "wrong_output",
            "returns (rows, 7); it must return float32 (rows, 1)",
        ),
    ],
)
def test_what_an_honest_predictor_says_is_told(
    header: dict[str, Any], reason: str, said: str
) -> None:
    rejection = faults.from_predictor(header, None, SECTIONS[0], HERE)
    is_ours(rejection)
    assert rejection.reason == reason and said in rejection.sentence


def test_a_model_of_this_very_version_is_not_blamed_for_it() -> None:
    for saved in ("3.15.1", "3.15.1+cpu"):
        told = faults.from_predictor({"reason": "load_failed"}, saved, SECTIONS[0], HERE)
        assert told.reason == "load_failed"


def test_both_ways_in_are_told() -> None:
    told = faults.from_predictor({"reason": "wrong_input"}, None, SECTIONS[1], HERE)
    assert re.search(r"string \(rows,\) or int32 \(rows, 40\)", told.sentence)


def state(*, running: bool = False, exit_code: int | None = 0, memory: bool = False) -> Any:
    return ContainerState("id", "name", "image", {}, running, exit_code, memory)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (state(exit_code=0), "crashed"),
        (state(exit_code=139), "crashed"),
        (state(exit_code=137, memory=True), "out_of_memory"),
    ],
)
def test_an_end_without_an_answer_is_the_model_s(found: ContainerState, reason: str) -> None:
    blamed = faults.ended(found, SECTIONS[0])
    assert isinstance(blamed, Rejection) and blamed.reason == reason
    is_ours(blamed)


@pytest.mark.parametrize(
    "found",
    [
        None,  # somebody removed it
        state(exit_code=137),  # somebody killed it, and not for its memory
        state(running=True, exit_code=None),  # it runs on, so it is the engine that hung up
    ],
)
def test_an_end_that_was_made_from_outside_is_ours(found: ContainerState | None) -> None:
    assert isinstance(faults.ended(found, SECTIONS[0]), OurFault)


def test_the_fixed_sentences() -> None:
    for section in SECTIONS:
        is_ours(faults.timeout(section))
    is_ours(faults.output_overflow())
    is_ours(faults.unreadable())


# --- advice


def contract_of(*inputs: tuple[int, ...], output: tuple[int, ...]) -> Contract:
    """Return a contract of float inputs."""
    forms = [{"name": "x", "dtype": "float32", "shape": shape} for shape in inputs]
    told = {"inputs": forms, "output": {"dtype": "float32", "shape": output}, "max_megabytes": 50}
    return made(Contract, told)


PRICES, GLOSSES = SECTIONS
(K,) = GLOSSES.contract.output.shape
CLOTHES = contract_of((28, 28), output=(10,))
SIGNS = contract_of((32, 32, 3), output=(20,))
HIRES = contract_of((168, 9), output=(24,))
EXAM = [
    ("1-regression", PRICES.contract),
    ("2-classification", CLOTHES),
    ("3-images", SIGNS),
    ("4-nlp", GLOSSES.contract),
    ("5-time-series", HIRES),
]


def as_section(contract: Contract, metric: str = "accuracy") -> Section:
    better = "lower" if metric == "mae" else "higher"
    bands = (5, 4, 3, 2, 1) if better == "lower" else (1, 2, 3, 4, 5)
    measure = Metric(name=metric, better=better)
    return replace(GLOSSES, contract=contract, metric=measure, bands=bands)


def blamed(section: Section, reason: str, **detail: object) -> str:
    """Return what is told, the exam's other sections being known."""
    others = [one for one in EXAM if one[1] != section.contract]
    header = {"reason": reason, "detail": detail}
    told = faults.from_predictor(header, None, section, HERE, others)
    is_ours(told)
    return told.sentence


def spec(*shape: int | None, dtype: str = "float32", returns: list[int] | None = None) -> Any:
    found: dict[str, Any] = {"dtype": dtype, "shape": [None, *shape]}
    return found if returns is None else {**found, "returns": [None, *returns]}


@pytest.mark.parametrize(
    ("contract", "got", "said"),
    [
        (CLOTHES, spec(9, returns=[1]), "looks like a model for section 1."),
        (CLOTHES, spec(9), "looks like a model for section 1."),
        (CLOTHES, spec(None, None, 3, returns=[20]), "section 3."),
        (CLOTHES, spec(dtype="string", returns=[K]), "section 4."),
        (CLOTHES, spec(1, dtype="string", returns=[K]), "section 4."),
        (SIGNS, spec(28, 28, 1, returns=[10]), "section 2."),
        (SIGNS, spec(168, 9, returns=[24, 1]), "section 5."),
        (PRICES.contract, spec(40, dtype="int32", returns=[K]), "section 4."),
        (
            CLOTHES,
            spec(784, returns=[10]),
            "flattened rows: let it begin with an input of (28, 28)",
        ),
        (SIGNS, spec(3, 32, 32), "in another order"),
        (SIGNS, spec(64, 64, 3, returns=[20]), "input of (32, 32, 3) and a Resizing layer"),
        (PRICES.contract, spec(3, 3), "input of (9,) and a Reshape layer"),
        (HIRES, spec(9, 168), "in another order"),
    ],
)
def test_advice_on_inputs(contract: Contract, got: dict[str, Any], said: str) -> None:
    assert said in blamed(as_section(contract), "wrong_input", got=got)


@pytest.mark.parametrize(
    ("contract", "got"),
    [
        (CLOTHES, spec(28, 27, returns=[10])),
        (CLOTHES, spec(None)),  # open dimensions prove nothing
        (CLOTHES, spec(9, returns=[2])),  # section 1's input, but nobody's answer
        (CLOTHES, spec(28, 28, dtype="uint8")),
    ],
)
def test_no_advice_where_there_is_no_evidence(contract: Contract, got: dict[str, Any]) -> None:
    told = blamed(as_section(contract), "wrong_input", got=got)
    assert told.endswith("it must take float32 (rows, 28, 28).")


@pytest.mark.parametrize(
    ("section", "got", "took", "said"),
    [
        (GLOSSES, [], None, "a score for each class, not the number of the class"),
        (GLOSSES, [1], None, "a score for each class"),
        (GLOSSES, [K + 1], None, f"Classes count from 0: the last layer needs {K} units"),
        (GLOSSES, [40, K], None, "pool or flatten before the last layer"),
        (as_section(HIRES, "mae"), [8, 3], None, "let it end with a Reshape layer"),
        (as_section(CLOTHES), [24], spec(168, 9), "looks like a model for section 5"),
        (as_section(SIGNS), [1], spec(9), "looks like a model for section 1"),
    ],
)
def test_advice_on_outputs(section: Section, got: list[int], took: Any, said: str) -> None:
    assert said in blamed(section, "wrong_output", got=got, took=took)


def test_numbers_are_not_told_that_they_are_classes() -> None:
    for got in ([], [25], [23]):
        told = blamed(as_section(HIRES, "mae"), "wrong_output", got=got)
        assert told.endswith("it must return float32 (rows, 24).")


def test_shapes_that_were_made_to_fit_are_told() -> None:
    section = as_section(CLOTHES)
    told = faults.remarks({"took": [28, 28, 1], "gave": [1, 10]}, section)
    assert told == (
        "The model takes (rows, 28, 28, 1): the rows were given that shape.",
        "The model returns (rows, 1, 10): that was taken as (rows, 10).",
    )
    assert faults.remarks({"took": None, "gave": None}, section) == ()
    assert faults.remarks({"took": [28, 27, 1], "gave": [11]}, section) == ()


def test_no_probabilities() -> None:
    wide = as_section(CLOTHES)
    for kind, said in (("logits", "add a softmax"), ("sums", "one softmax over all classes")):
        told = faults.no_probabilities(kind, wide)
        is_ours(told)
        assert told.reason == "wrong_output" and said in told.sentence
    single = as_section(contract_of((9,), output=(1,)))
    assert "add a sigmoid" in faults.no_probabilities("logits", single).sentence
