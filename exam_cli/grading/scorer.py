"""Have predictions compared with labels in a container that never sees a model."""

from __future__ import annotations

import math
from collections.abc import Iterator

from exam_cli.config.section import Section
from exam_cli.errors import OurFault
from exam_cli.grading import pool
from exam_cli.grading.box import Box, PrintedTooMuch
from exam_cli.grading.environment import Environment, Needs
from exam_cli.grading.faults import not_finite
from exam_cli.grading.predictor import Predictions
from exam_cli.sections.vault import Tensor
from exam_cli.wire import Frame, FrameError, frame_start

_SECONDS = 120.0
SCORER_NEEDS = Needs(memory_bytes=1 << 30, tmpfs_bytes=1 << 20)


class ScorerError(OurFault):
    """The scorer did not answer as it must."""

    reason = "scorer_error"


def open_scorer(environment: Environment) -> Box:
    """Return a scorer that waits for its one request: a warm one, or one that starts meanwhile."""
    warm = pool.claim(environment, "scorer", SCORER_NEEDS)
    return warm or Box.fresh(environment.engine, environment.container("scorer", SCORER_NEEDS))


def score(box: Box, predictions: Predictions, labels: Tensor, section: Section) -> float:
    """Return the metric's value.

    Raises `Rejection` (`not_finite`) when predictions are NaN or infinite, `ScorerError` when the
    scorer fails: its input has been checked, so that is never the candidate's fault.
    """
    frame = _ask(box, predictions, labels, section)
    if frame is not None and frame.header.get("reason") == "not_finite":
        raise not_finite(int(frame.header["detail"]["count"]))
    value = frame.header.get("value") if frame is not None else None
    if isinstance(value, bool) or not isinstance(value, float | int) or not math.isfinite(value):
        raise ScorerError("The scorer did not answer: try again; no attempt was counted.") from (
            RuntimeError(box.printed.decode(errors="replace"))
        )
    return float(value)


def _ask(box: Box, predictions: Predictions, labels: Tensor, section: Section) -> Frame | None:
    described = {
        "name": "predictions",
        "dtype": "float32",
        "shape": list(predictions.shape),
        "bytes": len(predictions.data),
    }
    tensors = [described, {**labels.description, "name": "labels"}]
    header = {"metric": section.metric.name, "tensors": tensors}

    def request() -> Iterator[bytes]:
        yield frame_start(header, len(predictions.data) + labels.bytes)
        yield predictions.data
        yield labels.path.read_bytes()

    box.send(request())
    try:
        return box.receive(0, _SECONDS)
    except (TimeoutError, FrameError, PrintedTooMuch) as error:
        raise ScorerError("The scorer's answer could not be read: try again.") from error
