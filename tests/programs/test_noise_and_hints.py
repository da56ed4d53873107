"""How sure a metric is, and which mistakes are recognised from predictions alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_cli.grading.hints import WORDS
from tests.programs.conftest import load

Array = np.ndarray[Any, Any]
ROWS, CLASSES = 2000, 12
DRAW = np.random.default_rng(5)
LABELS = DRAW.integers(0, CLASSES, ROWS).astype("i4")
PRICES = DRAW.gamma(2, 2000, (ROWS, 1)).astype("f4") + 300
SERIES = DRAW.normal(100, 30, (ROWS, 2, 24)).astype("f4")


@pytest.fixture(scope="module")
def noise() -> ModuleType:
    return load("noise")


@pytest.fixture(scope="module")
def hints() -> ModuleType:
    return load("hints")


def classes(share: float, seed: int = 1) -> Array:
    """Return probabilities whose largest is the label's in about so many of the rows."""
    draw = np.random.default_rng(seed)
    raised = draw.random((ROWS, CLASSES))
    raised[np.arange(ROWS), LABELS] += np.where(draw.random(ROWS) < share, 2, 0)
    found: Array = (raised / raised.sum(1, keepdims=True)).astype("f4")
    return found


def prices(spread: float) -> Array:
    """Return prices that are off by so large a share."""
    return (PRICES * np.random.default_rng(2).normal(1, spread, PRICES.shape)).astype("f4")


def area() -> tuple[Array, Array]:
    """Return scores, float32 (rows, 1), and labels of two classes."""
    labels = (LABELS % 2).astype("i4")
    return (labels + np.random.default_rng(3).normal(size=ROWS)).astype("f4")[:, None], labels


def example(name: str) -> tuple[Array, Array]:
    """Return predictions and labels for a metric."""
    if name in ("mae", "rmse"):
        return prices(0.1), PRICES
    if name == "mae_over_naive":
        return SERIES[:, 0] + DRAW.normal(0, 9, (ROWS, 24)).astype("f4"), SERIES
    return area() if name == "auroc" else (classes(0.7), LABELS)


# --- noise


def test_noise_is_that_of_the_textbooks(noise: ModuleType, metrics: ModuleType) -> None:
    predictions, labels = example("accuracy")
    share = metrics.accuracy(predictions, labels)
    found = noise.standard_error("accuracy", metrics.accuracy, predictions, labels)
    assert found == pytest.approx(math.sqrt(share * (1 - share) / ROWS), rel=0.2)
    predictions, labels = example("mae")
    wrong = np.abs(predictions.astype("f8") - labels)
    found = noise.standard_error("mae", metrics.mae, predictions, labels)
    assert found == pytest.approx(float(wrong.std() / math.sqrt(ROWS)), rel=0.2)
    # Hanley and McNeil (1982), for scores of two normal distributions.
    scores, labels = example("auroc")
    a = metrics.auroc(scores, labels)
    q1, q2, ones = a / (2 - a), 2 * a * a / (1 + a), int(labels.sum())
    zeros = ROWS - ones
    square = a * (1 - a) + (ones - 1) * (q1 - a * a) + (zeros - 1) * (q2 - a * a)
    found = noise.standard_error("auroc", metrics.auroc, scores, labels)
    assert found == pytest.approx(math.sqrt(square / (ones * zeros)), rel=0.2)


@pytest.mark.parametrize(
    "name", ["mae", "rmse", "mae_over_naive", "log_loss", "accuracy", "macro_f1", "auroc"]
)
def test_all_draws_at_once_are_the_draws_one_by_one(
    noise: ModuleType, metrics: ModuleType, name: str
) -> None:
    predictions, labels = example(name)
    metric = metrics.METRICS[name]
    together = noise.standard_error(name, metric, predictions, labels)
    assert 0 < together < metric(predictions, labels) / 10
    assert together == pytest.approx(noise.standard_error(None, metric, predictions, labels))
    assert together == noise.standard_error(name, metric, predictions, labels)


def test_noise_is_not_told_where_there_is_none_to_tell(
    noise: ModuleType, metrics: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(predictions: Array, labels: Array) -> float:
        raise RuntimeError("a class is missing")

    predictions, labels = example("accuracy")
    assert noise.standard_error(None, fails, predictions, labels) is None
    assert noise.standard_error(None, lambda p, y: math.nan, predictions, labels) is None
    monkeypatch.setattr(noise, "SECONDS", 0.0)
    assert noise.standard_error(None, metrics.accuracy, predictions, labels) is None


def test_draws_without_a_class_are_left_out(noise: ModuleType, metrics: ModuleType) -> None:
    labels = np.array([1] + [0] * 19, "i4")  # a third of the draws have no 1
    scores = np.linspace(1, 0, 20, dtype="f4")[:, None]
    assert noise.standard_error("auroc", metrics.auroc, scores, labels) >= 0


# --- hints


def told(hints: ModuleType, name: str, predictions: Array, labels: Array) -> str | None:
    word: str | None = hints.hint(name, predictions.astype("f4"), labels)
    assert word is None or word in hints.HINTS
    return word


MISTAKES: list[tuple[str, Callable[[], Array], str | None]] = [
    ("accuracy", lambda: np.roll(classes(0.8), 1, axis=1), "shifted"),
    ("macro_f1", lambda: np.roll(classes(0.8), -1, axis=1), "shifted"),
    ("accuracy", lambda: classes(0.8)[:, [0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9]], "reordered"),
    ("accuracy", lambda: np.tile(np.arange(CLASSES) / 9, (ROWS, 1)), "constant"),
    ("log_loss", lambda: np.eye(CLASSES)[classes(0.8).argmax(1)], "certain"),
    ("accuracy", lambda: np.eye(CLASSES)[classes(0.8).argmax(1)], None),
    ("accuracy", lambda: classes(0.0), None),
    ("accuracy", lambda: classes(0.3), None),
    ("accuracy", lambda: classes(0.9), None),
    ("log_loss", lambda: classes(0.0), None),
    ("mae", lambda: np.log(prices(0.2)), "logarithm"),
    ("rmse", lambda: np.log1p(prices(0.2)), "logarithm"),
    ("mae", lambda: prices(0.2) / 1000, "scaled"),
    ("mae", lambda: (prices(0.2) - PRICES.mean()) / PRICES.std(), "scaled"),
    ("rmse", lambda: prices(0.2) / PRICES.max(), "scaled"),
    ("mae", lambda: np.full_like(PRICES, 4000), "constant"),
    ("mae", lambda: np.zeros_like(PRICES), "constant"),
    ("mae", lambda: PRICES[::-1], None),
    ("mae", lambda: DRAW.normal(0, 1, PRICES.shape), None),  # untrained: no scale would help
    ("mae", lambda: prices(0.1), None),
    ("mae", lambda: prices(0.6), None),
    ("mae", lambda: np.where(DRAW.random(PRICES.shape) < 0.5, 3e38, -3e38), None),
    ("mae_over_naive", lambda: (SERIES[:, 0] - 100) / 30, "scaled"),
    ("mae_over_naive", lambda: SERIES[:, 1], None),
    ("auroc", lambda: -area()[0], "reversed"),
    ("auroc", lambda: area()[0] > 0.5, "certain"),
    ("auroc", lambda: area()[0], None),
    ("auroc", lambda: np.zeros((ROWS, 2)), "constant"),
    ("auroc", lambda: DRAW.normal(size=(ROWS, 2)), None),
]


@pytest.mark.parametrize("number", range(len(MISTAKES)))
def test_what_is_recognised(hints: ModuleType, number: int) -> None:
    name, predictions, word = MISTAKES[number]
    labels = {"mae": PRICES, "rmse": PRICES, "mae_over_naive": SERIES, "auroc": area()[1]}
    assert told(hints, name, predictions(), labels.get(name, LABELS)) == word


def test_guessing_is_no_order_of_classes(hints: ModuleType) -> None:
    mostly_three = np.where(DRAW.random(ROWS) < 0.9, 3, LABELS).astype("i4")
    assert told(hints, "accuracy", classes(0.0), mostly_three) is None


def test_of_a_few_rows_nothing_is_concluded(hints: ModuleType) -> None:
    assert told(hints, "mae", np.zeros((9, 1)), PRICES[:9]) is None
    assert told(hints, "accuracy", np.zeros((9, 3)), np.zeros(9, "i4")) is None


def test_every_word_has_a_sentence(hints: ModuleType) -> None:
    assert set(hints.HINTS) == WORDS


numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(
    name=st.sampled_from(["mae", "rmse", "mae_over_naive", "accuracy", "macro_f1", "auroc"]),
    values=st.lists(numbers, min_size=1, max_size=6),
)
def test_no_finite_prediction_breaks_them(
    hints: ModuleType, noise: ModuleType, metrics: ModuleType, name: str, values: list[float]
) -> None:
    shape, labels = example(name)
    shape, labels = shape[:60], labels[:60]
    predictions = np.resize(np.array(values, "f4"), shape.shape)
    word, metric = hints.hint(name, predictions, labels), metrics.METRICS[name]
    assert word is None or word in WORDS
    found = noise.standard_error(name, metric, predictions, labels)
    assert found is None or (found >= 0 and math.isfinite(found))
