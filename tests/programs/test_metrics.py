"""Each metric against its definition, written out slowly, and by what must hold of any such."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

Array = np.ndarray[Any, Any]
CLASSES = 4


@st.composite
def classified(draw: st.DrawFn, classes: int = CLASSES) -> tuple[Array, Array]:
    """Return scores, float32 (rows, classes) with ties among them, and labels, int32 (rows,)."""
    rows = draw(st.integers(1, 30))
    draws = np.random.default_rng(draw(st.integers(0, 2**32)))
    scores = draws.integers(0, 6, (rows, classes)).astype("f4") / 4 - 0.5
    return scores, draws.integers(0, classes, rows).astype("i4")


@st.composite
def of_two_classes(draw: st.DrawFn) -> tuple[Array, Array]:
    """As above, for two classes that both occur."""
    scores, labels = draw(classified(2))
    scores, labels = np.concatenate([scores, scores[:1], scores[:1]]), np.append(labels, [0, 1])
    return scores, labels.astype("i4")


@st.composite
def numbers(draw: st.DrawFn) -> tuple[Array, Array, Array]:
    """Return predictions, truth and another forecast, float32 (rows, k)."""
    shape = draw(st.integers(1, 20)), draw(st.integers(1, 4))
    draws = np.random.default_rng(draw(st.integers(0, 2**32)))
    return tuple(draws.normal(0, 100, shape).astype("f4") for _ in range(3))  # type: ignore[return-value]


def softmax(scores: Array) -> Array:
    raised = np.exp(scores.astype("f8"))
    found: Array = (raised / raised.sum(1, keepdims=True)).astype("f4")
    return found


@given(numbers())
def test_errors_of_numbers(metrics: ModuleType, given_: tuple[Array, Array, Array]) -> None:
    predictions, truth, naive = given_
    pairs = list(zip(predictions.ravel().tolist(), truth.ravel().tolist(), strict=True))
    mae = sum(abs(p - y) for p, y in pairs) / len(pairs)
    squares = sum((p - y) ** 2 for p, y in pairs) / len(pairs)
    assert metrics.mae(predictions, truth) == pytest.approx(mae)
    assert metrics.rmse(predictions, truth) == pytest.approx(math.sqrt(squares))
    assert metrics.rmse(predictions, truth) >= metrics.mae(predictions, truth) * (1 - 1e-12)
    labels = np.stack([truth, naive], 1)
    assert metrics.mae_over_naive(predictions, labels) == pytest.approx(
        mae / metrics.mae(naive, truth)
    )
    assert metrics.mae_over_naive(naive, labels) == pytest.approx(1)
    assert metrics.mae_over_naive(truth, labels) == 0


@given(classified())
def test_f1_of_classes(metrics: ModuleType, given_: tuple[Array, Array]) -> None:
    scores, labels = given_
    guessed = [max(range(CLASSES), key=lambda k: row[k]) for row in scores.tolist()]
    found = []
    for k in range(CLASSES):
        both = sum(g == k and y == k for g, y in zip(guessed, labels, strict=True))
        precision = both / max(1, guessed.count(k))
        recall = both / max(1, labels.tolist().count(k))
        if k in guessed or k in labels:
            together = precision + recall
            found.append(2 * precision * recall / together if together else 0.0)
    assert metrics.macro_f1(scores, labels) == pytest.approx(sum(found) / len(found))


@given(of_two_classes())
def test_area_under_the_curve_counts_pairs(
    metrics: ModuleType, given_: tuple[Array, Array]
) -> None:
    scores, labels = given_
    margin = (scores[:, 1] - scores[:, 0]).tolist()
    ones = [m for m, y in zip(margin, labels, strict=True) if y == 1]
    zeros = [m for m, y in zip(margin, labels, strict=True) if y == 0]
    won = sum((one > zero) + (one == zero) / 2 for one in ones for zero in zeros)
    value = won / (len(ones) * len(zeros))
    column = np.array(margin, "f4")[:, None]
    assert metrics.auroc(scores, labels) == pytest.approx(value)
    assert metrics.auroc(column, labels) == pytest.approx(value)
    assert metrics.auroc(-column, labels) == pytest.approx(1 - value)
    assert metrics.auroc(np.exp(column), labels) == pytest.approx(value)  # only the order counts


@given(classified())
def test_log_loss_by_hand(metrics: ModuleType, given_: tuple[Array, Array]) -> None:
    scores, labels = given_
    given_rows = softmax(scores)
    by_hand = -sum(
        math.log(float(row[y])) for row, y in zip(given_rows, labels, strict=True)
    ) / len(labels)
    assert metrics.log_loss(given_rows, labels) == pytest.approx(by_hand, rel=1e-5)


@given(of_two_classes())
def test_one_column_is_the_probability_of_class_1(
    metrics: ModuleType, given_: tuple[Array, Array]
) -> None:
    scores, labels = given_
    rows = softmax(scores)
    assert metrics.log_loss(rows[:, 1:], labels) == pytest.approx(
        metrics.log_loss(rows, labels), rel=1e-4
    )


def test_values_known_by_heart(metrics: ModuleType) -> None:
    labels = np.array([0, 1, 1, 0], "i4")
    sure = np.eye(2, dtype="f4")[labels]
    assert metrics.log_loss(np.full((4, 2), 0.5, "f4"), labels) == pytest.approx(math.log(2))
    assert metrics.log_loss(sure, labels) == 0
    assert metrics.log_loss(1 - sure, labels) == pytest.approx(23 * math.log(2))
    assert metrics.auroc(sure, labels) == 1 and metrics.auroc(1 - sure, labels) == 0
    assert metrics.auroc(np.zeros((4, 1), "f4"), labels) == 0.5
    # Pairs by hand: 0.35 loses to one of two zeros, so 3 of 4 pairs are won.
    known = np.array([[0.1], [0.4], [0.35], [0.8]], "f4")
    assert metrics.auroc(known, np.array([0, 0, 1, 1], "i4")) == 0.75
    assert metrics.macro_f1(sure, labels) == 1 and metrics.accuracy(sure, labels) == 1


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([[2.0, -1.0], [0.5, 0.5]], "logits"),
        ([[1.5, 0.2], [0.5, 0.5]], "logits"),
        ([[0.9, 0.9], [0.5, 0.5]], "sums"),
        ([[0.0, 0.0], [0.5, 0.5]], "sums"),
        ([[2.0], [0.5]], "logits"),
    ],
)
def test_what_is_no_probability(metrics: ModuleType, rows: list[list[float]], kind: str) -> None:
    with pytest.raises(metrics.NoProbabilities) as caught:
        metrics.log_loss(np.array(rows, "f4"), np.array([0, 1], "i4"))
    assert caught.value.kind == kind


def test_rounding_is_forgiven(metrics: ModuleType) -> None:
    rough = softmax(np.random.default_rng(0).normal(size=(50, 12))).astype("f2").astype("f4")
    labels = np.arange(50, dtype="i4") % 12
    assert metrics.log_loss(rough, labels) == pytest.approx(
        metrics.log_loss(rough / rough.sum(1, keepdims=True), labels), rel=1e-5
    )


def example(name: str) -> tuple[Array, Array]:
    """Return predictions and labels that a metric takes."""
    draws = np.random.default_rng(3)
    if name in ("mae", "rmse"):
        return draws.normal(size=(9, 2)).astype("f4"), draws.normal(size=(9, 2)).astype("f4")
    if name == "mae_over_naive":
        return draws.normal(size=(9, 5)).astype("f4"), draws.normal(size=(9, 2, 5)).astype("f4")
    return softmax(draws.normal(size=(9, 2))), (np.arange(9) % 2).astype("i4")


NAMES = ["mae", "rmse", "mae_over_naive", "log_loss", "accuracy", "macro_f1", "auroc"]


def test_these_are_all(metrics: ModuleType) -> None:
    from exam_cli.config.section import METRICS

    assert sorted(metrics.METRICS) == sorted(NAMES) == sorted(METRICS)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_rows_does_not_matter(metrics: ModuleType, name: str) -> None:
    metric: Callable[[Array, Array], float] = metrics.METRICS[name]
    predictions, labels = example(name)
    value = metric(predictions, labels)
    assert type(value) is float and math.isfinite(value)
    order = np.random.default_rng(1).permutation(len(labels))
    assert metric(predictions[order], labels[order]) == pytest.approx(value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_finite_is_refused(metrics: ModuleType, name: str, bad: float) -> None:
    predictions, labels = example(name)
    predictions[4, 0] = bad
    with pytest.raises(ValueError, match="not finite"):
        metrics.METRICS[name](predictions, labels)
    if labels.dtype.kind == "f":
        predictions, labels = example(name)
        labels[4, 0] = bad
        with pytest.raises(ValueError, match="not finite"):
            metrics.METRICS[name](predictions, labels)


@pytest.mark.parametrize("name", NAMES)
def test_what_does_not_belong_together_is_refused(metrics: ModuleType, name: str) -> None:
    metric = metrics.METRICS[name]
    predictions, labels = example(name)
    with pytest.raises(ValueError):
        metric(predictions[:-1], labels)
    with pytest.raises(ValueError):
        metric(predictions[:0], labels[:0])
    with pytest.raises(ValueError):
        metric(predictions[:, None], labels)
    if labels.dtype.kind == "i":
        for wrong in (labels + 1, labels - 1, labels.astype("f4"), labels[:, None]):
            with pytest.raises(ValueError):
                metric(predictions, wrong)


def test_areas_and_naive_forecasts_that_mean_nothing(metrics: ModuleType) -> None:
    predictions, labels = example("auroc")
    for only in (0, 1):
        with pytest.raises(ValueError, match="both classes"):
            metrics.auroc(predictions, np.full_like(labels, only))
    with pytest.raises(ValueError, match="two classes"):
        metrics.auroc(np.zeros((9, 3), "f4"), labels)
    predictions, labels = example("mae_over_naive")
    labels[:, 1] = labels[:, 0]
    with pytest.raises(ValueError, match="perfect"):
        metrics.mae_over_naive(predictions, labels)
