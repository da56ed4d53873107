"""How far a metric would move if other rows had been drawn: its standard error, by bootstrap.

The hidden set is a sample. Rows are drawn from it again, with replacement, 200 times, and the
metric's standard deviation over the draws is its standard error: Efron and Tibshirani, "An
Introduction to the Bootstrap" (1993), chapter 6, who find 200 enough for a standard error. One way
for all metrics, where a formula of each would be another thing to get wrong; and the seed is fixed,
so that a grade comes out the same when it is made again. Rows of a series that overlap in time are
not independent: there it is a lower bound.
"""

from __future__ import annotations

import contextlib
import time

import numpy as np
from metrics import chosen, errors, surprises, truth_and_naive

DRAWS = 200
SEED = 20240501
SECONDS = 10.0  # for a section's own metric that is slow: of fewer draws there is no standard error


def standard_error(name, metric, predictions, labels):
    """Return a metric's standard error, or None where it cannot be told.

    Args:
        name: of one of the grader's own metrics, or None for a section's own.
        metric: the function.
        predictions: finite, rows first.
        labels: likewise.
    """
    rows = len(labels)
    draws = np.random.Generator(np.random.PCG64(SEED)).integers(0, rows, (DRAWS, rows))
    with np.errstate(all="ignore"):
        if name in PER_ROW:
            top, bottom, power = PER_ROW[name](predictions, labels)
            values = top[draws].mean(axis=1)
            if bottom is not None:
                values /= bottom[draws].mean(axis=1)
            values **= power
        else:
            values = _one_by_one(metric, predictions, labels, draws)
        values = values[np.isfinite(values)]
        if len(values) < DRAWS // 2:
            return None
        found = float(np.std(values, ddof=1))
    return found if np.isfinite(found) else None


def _means(array):
    return array.reshape(len(array), -1).mean(axis=1)


def _mae(predictions, labels):
    return _means(np.abs(errors(predictions, labels))), None, 1


def _rmse(predictions, labels):
    return _means(np.square(errors(predictions, labels))), None, 0.5


def _mae_over_naive(predictions, labels):
    truth, naive = truth_and_naive(labels)
    return _means(np.abs(errors(predictions, truth))), _means(np.abs(naive - truth)), 1


def _accuracy(predictions, labels):
    return (chosen(predictions, labels) == labels).astype(np.float64), None, 1


def _log_loss(predictions, labels):
    return surprises(predictions, labels), None, 1


# Metrics that are (mean of tops / mean of bottoms) ** power, with one top and one bottom a row, or
# no bottoms: all draws at once. The others are computed draw by draw.
PER_ROW = {
    "mae": _mae,
    "rmse": _rmse,
    "mae_over_naive": _mae_over_naive,
    "accuracy": _accuracy,
    "log_loss": _log_loss,
}


def _one_by_one(metric, predictions, labels, draws):
    values, started = np.full(len(draws), np.nan), time.monotonic()
    for number, draw in enumerate(draws):
        # A draw may lack a class, without which some metrics mean nothing.
        with contextlib.suppress(Exception):
            values[number] = metric(predictions[draw], labels[draw])
        if time.monotonic() - started > SECONDS:
            break
    return values
