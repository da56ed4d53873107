"""Map predictions and labels to a metric. Never loads a model, trusts no number it is sent.

One frame in: {"metric", "tensors": [predictions, labels], "script"} and their bytes; `script` is
the number of bytes of the section's own metric, which follow, or 0.
One frame out: {"kind": "metric", "name", "value", "rows", "noise", "hint"}, or {"kind": "fault",
"reason", "detail"} when the predictions are not finite or, where probabilities are wanted, none.
`noise` is the metric's standard error or null, `hint` a word of `hints.py` or null. Anything else
is our own failure: a traceback, exit status 1.
"""

from __future__ import annotations

import math
import os
import sys
import types

import numpy as np
import serve
import tensors
import wire
from hints import hint
from metrics import METRICS, NoProbabilities
from noise import standard_error

MAX_BODY = 4 << 30


def own_metric(code):
    """Return the function `metric` of a section's own script, given as bytes of UTF-8."""
    module = types.ModuleType("metric")
    exec(compile(code.decode("utf-8"), "metric.py", "exec"), module.__dict__)
    return module.metric


def fault(reason, **detail):
    """Return the header that blames the predictions."""
    return {"kind": "fault", "reason": reason, "detail": detail}


def score(header, body):
    """Return the header of the answer."""
    arrays = tensors.decode_all(header["tensors"], body)
    predictions, labels = arrays["predictions"], arrays["labels"]
    if len(predictions) != len(labels):
        raise ValueError(f"{len(predictions)} predictions for {len(labels)} labels")
    bad = int(np.count_nonzero(~np.isfinite(predictions)))
    if bad:
        return fault("not_finite", count=bad)
    name, script = header["metric"], header.get("script", 0)
    metric = own_metric(body[len(body) - script :]) if script else METRICS[name]
    try:
        value = float(metric(predictions, labels))
    except NoProbabilities as error:
        return fault("wrong_output", probabilities=error.kind)
    if not math.isfinite(value):
        if script:
            raise ValueError(f"the section's metric {name} is {value} for finite predictions")
        # Finite predictions so large that their errors are not.
        return fault("not_finite", count=0)
    return {
        "kind": "metric",
        "name": name,
        "value": value,
        "rows": len(labels),
        "noise": standard_error(None if script else name, metric, predictions, labels),
        "hint": None if script else hint(name, predictions, labels),
    }


def answer_one():
    """Wait for one request and answer it."""
    frame = wire.read_frame(sys.stdin.buffer, MAX_BODY)
    answer, sys.stdout = os.dup(1), sys.stderr  # a section's own metric may print
    os.write(answer, wire.frame_bytes(score(frame.header, frame.body)))


def main():
    """Answer one request, or with --serve any number."""
    if "--serve" in sys.argv:
        serve.serve(answer_one)
    else:
        answer_one()


if __name__ == "__main__":
    main()
