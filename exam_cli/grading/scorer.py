"""Have predictions compared with labels in a container that never sees a model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from exam_cli.config.section import Section
from exam_cli.errors import OurFault
from exam_cli.grading import pool
from exam_cli.grading.box import Box, PrintedTooMuch
from exam_cli.grading.environment import Environment, Needs
from exam_cli.grading.faults import no_probabilities, not_finite
from exam_cli.grading.predictor import Predictions
from exam_cli.sections.vault import Tensor
from exam_cli.wire import Frame, FrameError, frame_start

_SECONDS = 120.0
SCORER_NEEDS = Needs(memory_bytes=1 << 30, tmpfs_bytes=1 << 20)


class ScorerError(OurFault):
    """The scorer did not answer as it must."""

    reason = "scorer_error"


@dataclass(frozen=True)
class Scored:
    """A metric's value, its standard error if known, and a word of `hints.py`, if there is one."""

    value: float
    noise: float | None = None
    hint: str | None = None


def open_scorer(environment: Environment) -> Box:
    """Return a scorer that waits for its one request: a warm one, or one that starts meanwhile."""
    warm = pool.claim(environment, "scorer", SCORER_NEEDS)
    spec = environment.container("scorer", SCORER_NEEDS)
    return warm or Box.fresh(environment.engine, spec, environment.discard)


def score(box: Box, predictions: Predictions, labels: Tensor, section: Section) -> Scored:
    """Return the metric's value and what the scorer says beside.

    Raises `Rejection` when predictions are NaN or infinite (`not_finite`) or are no probabilities
    where the metric needs them (`wrong_output`), and `ScorerError` when the scorer fails: its input
    has been checked, so that is never the candidate's fault.
    """
    frame = _ask(box, predictions, labels, section)
    header = frame.header if frame is not None else {}
    detail = header.get("detail", {})
    if header.get("reason") == "not_finite":
        raise not_finite(int(detail["count"]))
    if header.get("reason") == "wrong_output":
        raise no_probabilities(detail.get("probabilities"), section)
    value, noise = _number(header.get("value")), _number(header.get("noise"))
    if value is None:
        raise ScorerError(_blamed(section)) from RuntimeError(box.printed.decode(errors="replace"))
    return Scored(value, noise, header.get("hint"))


def _blamed(section: Section) -> str:
    if section.metric.file:
        return (
            f"The section's own metric, {section.metric.file}, failed: tell whoever wrote section "
            f"{section.section}; no attempt was counted."
        )
    return "The scorer did not answer: try again; no attempt was counted."


def _number(value: object) -> float | None:
    """Return a number as it must come from the scorer, else None."""
    if isinstance(value, bool) or not isinstance(value, float | int) or not math.isfinite(value):
        return None
    return float(value)


def _ask(box: Box, predictions: Predictions, labels: Tensor, section: Section) -> Frame | None:
    described = {
        "name": "predictions",
        "dtype": "float32",
        "shape": list(predictions.shape),
        "bytes": len(predictions.data),
    }
    tensors = [described, {**labels.description, "name": "labels"}]
    script = _own_metric(section)
    header = {"metric": section.metric.name, "tensors": tensors, "script": len(script)}

    def request() -> Iterator[bytes]:
        yield frame_start(header, len(predictions.data) + labels.bytes + len(script))
        yield predictions.data
        yield labels.path.read_bytes()
        yield script

    box.send(request())
    try:
        return box.receive(0, _SECONDS)
    except (TimeoutError, FrameError, PrintedTooMuch) as error:
        raise ScorerError("The scorer's answer could not be read: try again.") from error


def _own_metric(section: Section) -> bytes:
    """Return the section's own script; none is the grader's metric of that name."""
    if section.metric.file is None:
        return b""
    try:
        script = (section.folder / section.metric.file).read_bytes()
    except OSError as error:
        raise ScorerError(_blamed(section)) from error
    if not script.strip():
        raise ScorerError(_blamed(section))
    return script
