"""The grader's own metrics: plain functions of predictions and labels, both numpy arrays.

Classes are labels of int (rows,) that count from 0; predictions for them are float (rows, classes),
one score a class, logits or probabilities. Numbers to be predicted are labels of any shape, rows
first, and predictions of that very shape. Sums are taken in float64. Every metric returns one
number, raises `ValueError` for shapes or labels that mean nothing and for anything that is not
finite, and needs nothing but numpy 1.22 on Python 3.9.
"""

from __future__ import annotations

import numpy as np

# Half of it is the rounding of a float32 near 1: a probability of 0 may mean anything below.
SMALLEST = 2.0**-23
# How far a row of probabilities may miss a sum of 1: a softmax in float16 over many classes does.
SUM_TOLERANCE = 0.01


class NoProbabilities(ValueError):
    """Rows that must be probabilities are none. `kind`: logits (outside 0..1) or sums."""

    def __init__(self, kind):
        super().__init__(f"the predictions are no probabilities: {kind}")
        self.kind = kind


def mae(predictions, labels):
    """Mean absolute error: sum |p - y| / n over all numbers of both arrays."""
    return float(np.mean(np.abs(errors(predictions, labels))))


def rmse(predictions, labels):
    """Root of the mean squared error: sqrt(sum (p - y)^2 / n)."""
    return float(np.sqrt(np.mean(np.square(errors(predictions, labels)))))


def mae_over_naive(predictions, labels):
    """Error in units of the naive forecast's: sum |p - y| / sum |naive - y|.

    Labels are (rows, 2, ...): [:, 0] the truth y, [:, 1] the naive forecast. 1 is as good as naive,
    0 perfect. The relative MAE of Hyndman and Koehler, "Another look at measures of forecast
    accuracy", International Journal of Forecasting 22 (2006), section 2.4.
    """
    truth, naive = truth_and_naive(labels)
    return float(np.sum(np.abs(errors(predictions, truth))) / np.sum(np.abs(naive - truth)))


def accuracy(predictions, labels):
    """Share of rows whose largest score is that of the label's class; of equals the first."""
    return float(np.mean(chosen(predictions, labels) == labels))


def macro_f1(predictions, labels):
    """Mean over classes of F1 = 2 TP / (2 TP + FP + FN), every class alike.

    A class that is neither among the labels nor predicted has no F1 and is left out. Averaged as in
    Opitz and Burst, "Macro F1 and Macro F1", arXiv:1911.03347, "averaged F1".
    """
    classes = predictions.shape[-1]
    guessed = chosen(predictions, labels)
    right = np.bincount(labels[guessed == labels], minlength=classes)
    # TP + FN is how often a class is a label, TP + FP how often it is predicted.
    counted = np.bincount(labels, minlength=classes) + np.bincount(guessed, minlength=classes)
    return float(np.mean(2 * right[counted > 0] / counted[counted > 0]))


def auroc(predictions, labels):
    """Area under the ROC curve: P(score of a 1 > score of a 0), ties counting half.

    Labels are 0 or 1. Predictions are (rows, 1), larger for class 1, or (rows, 2), one score a
    class, of which the difference counts. By ranks, ties averaged: (R1 - n1 (n1 + 1) / 2) / (n0 n1)
    with R1 the sum of the ranks of class 1. Hanley and McNeil, Radiology 143 (1982) 29-36; Fawcett,
    "An introduction to ROC analysis", Pattern Recognition Letters 27 (2006) 861-874.
    """
    scores = score_of_one(predictions, labels)
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    ones = int(np.count_nonzero(labels))
    zeros = len(labels) - ones
    if not ones or not zeros:
        raise ValueError("an area under the ROC curve needs labels of both classes")
    return float((rank[labels == 1].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def log_loss(predictions, labels):
    """Mean of -ln p(label), p being the probability that the model gives to the label's class.

    Predictions are probabilities, rows adding up to 1, or one column with that of class 1. What a
    row misses of 1 by rounding is shared out; p is at least 2**-23. Raises `NoProbabilities`.
    Bishop, "Pattern Recognition and Machine Learning" (2006), equation 4.108, divided by rows.
    """
    return float(np.mean(surprises(predictions, labels)))


METRICS = {
    "mae": mae,
    "rmse": rmse,
    "mae_over_naive": mae_over_naive,
    "log_loss": log_loss,
    "accuracy": accuracy,
    "macro_f1": macro_f1,
    "auroc": auroc,
}


def finite(array):
    """Return numbers as float64. Raises `ValueError` when there are none, or NaN or infinite."""
    numbers = np.asarray(array, dtype=np.float64)
    if numbers.size == 0 or not np.all(np.isfinite(numbers)):
        raise ValueError("there are no numbers, or some that are not finite")
    return numbers


def errors(predictions, labels):
    """Return predictions - labels in float64."""
    if predictions.shape != labels.shape:  # numpy would stretch one to fit, and mean nothing
        raise ValueError(f"predictions of {predictions.shape} for labels of {labels.shape}")
    return finite(predictions) - finite(labels)


def truth_and_naive(labels):
    """Return the truth and the naive forecast, float64 (rows, ...)."""
    if labels.ndim < 2 or labels.shape[1] != 2:
        raise ValueError(f"labels of {labels.shape} are no pairs of truth and naive forecast")
    truth, naive = finite(labels[:, 0]), finite(labels[:, 1])
    if np.array_equal(truth, naive):
        raise ValueError("the naive forecast is perfect: nothing can be measured in its errors")
    return truth, naive


def chosen(predictions, labels):
    """Return the class with the largest score in each row, int (rows,)."""
    _check_classes(predictions, labels, predictions.shape[-1])
    return np.argmax(finite(predictions), axis=1)


def score_of_one(predictions, labels):
    """Return what speaks for class 1 against class 0, float64 (rows,)."""
    _check_classes(predictions, labels, 2)
    scores = finite(predictions)
    if scores.shape[1] > 2:
        raise ValueError(f"predictions of {predictions.shape} are not for two classes")
    return scores[:, 0] if scores.shape[1] == 1 else scores[:, 1] - scores[:, 0]


def surprises(predictions, labels):
    """Return -ln p(label) of each row, float64 (rows,). Raises `NoProbabilities`."""
    single = predictions.ndim == 2 and predictions.shape[1] == 1
    _check_classes(predictions, labels, 2 if single else predictions.shape[-1])
    given = finite(predictions)
    if np.min(given) < -SMALLEST or np.max(given) > 1 + SUM_TOLERANCE:
        raise NoProbabilities("logits")
    given = np.clip(given, 0, 1)
    if single:
        given = np.concatenate([1 - given, given], axis=1)
    total = given.sum(axis=1)
    if np.max(np.abs(total - 1)) > SUM_TOLERANCE:
        raise NoProbabilities("sums")
    return -np.log(np.maximum(given[np.arange(len(labels)), labels] / total, SMALLEST))


def _check_classes(predictions, labels, classes):
    """Raise `ValueError` unless every row has scores and a label that is one of the classes."""
    if (predictions.ndim, labels.ndim) != (2, 1) or len(predictions) != len(labels):
        raise ValueError(f"predictions of {predictions.shape} for labels of {labels.shape}")
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels of {labels.dtype} are no classes")
    if len(labels) == 0 or np.min(labels) < 0 or np.max(labels) >= classes:
        raise ValueError(f"labels are missing or none of the {classes} classes")
