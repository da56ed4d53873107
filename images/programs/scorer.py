"""Map predictions and labels to a metric. Never loads a model, trusts no number it is sent.

One frame in: {"metric", "tensors": [predictions, labels]} and their bytes.
One frame out: {"kind": "metric", "name", "value", "rows"}, or {"kind": "fault", "reason", "detail"}
when the predictions are not finite. Anything else is our own failure: a traceback, exit status 1.
"""

from __future__ import annotations

import math
import os
import sys

import numpy as np
import tensors
import wire

MAX_BODY = 4 << 30


def mae(predictions, labels):
    """Mean absolute error: sum |p - y| / n over all numbers of both arrays."""
    if predictions.shape != labels.shape:  # numpy would stretch one to fit, and mean nothing
        raise ValueError(f"predictions of {predictions.shape} for labels of {labels.shape}")
    return np.mean(np.abs(predictions.astype(np.float64) - labels.astype(np.float64)))


def accuracy(predictions, labels):
    """Share of rows whose largest output is the label's class; the first of equals counts."""
    if (predictions.ndim, labels.ndim) != (2, 1):
        raise ValueError(f"predictions of {predictions.shape} for labels of {labels.shape}")
    return np.mean(np.argmax(predictions, axis=1) == labels)


METRICS = {"mae": mae, "accuracy": accuracy}


def score(header, body):
    """Return the header of the answer."""
    arrays = tensors.decode_all(header["tensors"], body)
    predictions, labels = arrays["predictions"], arrays["labels"]
    if len(predictions) != len(labels):
        raise ValueError(f"{len(predictions)} predictions for {len(labels)} labels")
    bad = int(np.count_nonzero(~np.isfinite(predictions)))
    if bad:
        return {"kind": "fault", "reason": "not_finite", "detail": {"count": bad}}
    value = float(METRICS[header["metric"]](predictions, labels))
    if not math.isfinite(value):
        # Finite predictions so large that their errors are not.
        return {"kind": "fault", "reason": "not_finite", "detail": {"count": 0}}
    return {"kind": "metric", "name": header["metric"], "value": value, "rows": len(labels)}


def main():
    """Answer one request."""
    frame = wire.read_frame(sys.stdin.buffer, MAX_BODY)
    os.write(1, wire.frame_bytes(score(frame.header, frame.body)))


if __name__ == "__main__":
    main()
