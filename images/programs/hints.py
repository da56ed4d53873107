"""What the predictions look like, in one word: the mistakes that leave a trace in them.

The word is told only where the score is poor, and the sentence that goes with it is the host's.
Whatever a candidate learns from it about the labels is this one word about all of them together.
"""

from __future__ import annotations

import numpy as np
from metrics import METRICS, chosen, errors, score_of_one, truth_and_naive

HINTS = ("constant", "shifted", "reordered", "certain", "scaled", "logarithm", "reversed")
FEW_ROWS = 50  # of fewer, nothing is concluded
BETTER = 0.5  # an error must shrink to this part before a mend of the predictions is believed
RIGHT = 0.3  # an accuracy must rise by this before another order of the classes is believed


def hint(name, predictions, labels):
    """Return one of HINTS, or None. Arguments as for the metric of that name."""
    if len(labels) < FEW_ROWS:
        return None
    if name in ("accuracy", "macro_f1", "log_loss") and predictions.shape[-1] > 1:
        return _of_classes(name, predictions, labels)
    if name in ("mae", "rmse", "mae_over_naive"):
        return _of_numbers(name, predictions, labels)
    if name == "auroc":
        return _of_scores(predictions, labels)
    return None


def _of_classes(name, predictions, labels):
    guessed, classes = chosen(predictions, labels), predictions.shape[-1]
    if np.all(guessed == guessed[0]):
        return "constant"
    # How often each class was guessed for each label.
    table = np.bincount(guessed * classes + labels, minlength=classes * classes)
    table = table.reshape(classes, classes)
    # Better than it is, and than one answer to everything.
    enough = max(np.trace(table), table.sum(axis=0).max()) / len(labels) + RIGHT
    moved = [np.trace(np.roll(table, by, axis=0)) / len(labels) for by in (1, -1)]
    if max(moved) >= enough and classes > 2:
        return "shifted"
    if table.max(axis=1).sum() / len(labels) >= enough:
        return "reordered"
    if name == "log_loss" and np.all((predictions == 0) | (predictions == 1)):
        return "certain"
    return None


def _of_numbers(name, predictions, labels):
    if np.all(predictions == predictions[:1]):
        return "constant"
    truth = truth_and_naive(labels)[0] if name == "mae_over_naive" else labels
    with np.errstate(all="ignore"):
        wrong = float(np.mean(np.abs(errors(predictions, truth))))
        given, wanted = (array.astype(np.float64).ravel() for array in (predictions, truth))

        def mends(tried):
            """Say whether these numbers instead of the predictions err far less."""
            return bool(np.mean(np.abs(tried - wanted)) <= BETTER * wrong)

        if mends(np.exp(given)):
            return "logarithm"
        # The best a * p + b by least squares; what is no better than a constant is no scale.
        apart = given - given.mean()
        slope = (apart @ (wanted - wanted.mean())) / (apart @ apart)
        fitted = wanted.mean() + slope * apart
        left = np.sum(np.square(wanted - fitted)) / np.sum(np.square(wanted - wanted.mean()))
        return "scaled" if mends(fitted) and left <= BETTER else None


def _of_scores(predictions, labels):
    scores = score_of_one(predictions, labels)
    if np.all(scores == scores[0]):
        return "constant"
    if METRICS["auroc"](predictions, labels) <= 0.5 - RIGHT / 2:
        return "reversed"
    return "certain" if len(np.unique(scores)) == 2 else None
