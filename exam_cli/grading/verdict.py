"""What came of a grading, and the fixed sentences in which a candidate is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from exam_cli.config.exam import Feedback
from exam_cli.errors import ExamError

Status = Literal["scored", "fits", "rejected", "failed"]

REJECTED = (
    "no_model",
    "several_models",
    "not_a_model",
    "unsupported_format",
    "too_large",
    "unsafe_path",
    "load_failed",
    "version_mismatch",
    "wrong_input",
    "wrong_output",
    "not_finite",
    "timeout",
    "out_of_memory",
    "crashed",
    "output_overflow",
)
BORDERLINE = "borderline: within the noise of the hidden sample"
FAILED = ("engine_unreachable", "image_missing", "scorer_error", "disk_full", "internal")


class Rejection(Exception):
    """The model is at fault. `sentence` says what is wrong and what to do."""

    def __init__(self, reason: str, sentence: str) -> None:
        assert reason in REJECTED, reason
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence


def metric_told(metric: dict[str, Any] | None, feedback: Feedback) -> dict[str, Any] | None:
    """Return a `metric` object as far as `feedback` goes: nothing of it, no thresholds, or all."""
    if metric is None or feedback == "scores":
        return None
    return metric if feedback == "full" else {**metric, "next_band": None}


@dataclass(frozen=True)
class Measured:
    """A metric's value and what the next score would need; `next_score` is None at the top.

    `noise` is the value's standard error, and `borderline` says that a threshold is that near.
    """

    name: str
    value: float
    unit: str | None
    better: Literal["lower", "higher"]
    next_score: int | None
    next_threshold: float | None
    noise: float | None = None
    borderline: bool = False

    @property
    def told_value(self) -> float:
        """The value in four digits.

        They tell how good a model is; more would tell a single label to whoever changes one
        prediction at a time.
        """
        return float(f"{self.value:.4g}")

    @property
    def told_noise(self) -> float | None:
        """The noise in two digits."""
        return None if self.noise is None else float(f"{self.noise:.2g}")

    @property
    def need(self) -> str | None:
        """What the next score needs, in words; None at the top."""
        if self.next_threshold is None:
            return None
        word = "at most" if self.better == "lower" else "at least"
        return f"{self.name} {word} {self.next_threshold:g}"

    def as_json(self, feedback: Feedback = "full") -> dict[str, Any] | None:
        """Return the `metric` object of `exam grade --json`, as far as `feedback` goes."""
        following = None
        if self.next_score is not None and self.next_threshold is not None:
            following = {"score": self.next_score, "threshold": self.next_threshold}
        metric = {
            "name": self.name,
            "value": self.told_value,
            "next_band": following,
            "noise": self.told_noise,
            "borderline": self.borderline,
        }
        return metric_told(metric, feedback)


@dataclass(frozen=True)
class ModelRecord:
    """Which model was graded."""

    path: str
    sha256: str
    bytes: int
    format: str

    def as_json(self) -> dict[str, Any]:
        """Return the `model` object of `exam grade --json`."""
        return {
            "path": self.path,
            "sha256": self.sha256,
            "bytes": self.bytes,
            "format": self.format,
        }


@dataclass(frozen=True)
class Verdict:
    """The result of one grading; of a mere check, where a good model `fits` and has no score.

    `score` is 0 to 5 when scored, 0 when rejected, None when we failed. `printed` is what the model
    wrote to its standard streams, cut off: for the practice log only, never for the candidate's
    terminal. `predictions_sha256` covers the float32 bytes that were scored. `hardware` is what the
    predictor found itself on: `cpu` (a name) and `cores`. `remarks` are
    sentences about a model that was made to fit, `hint` one about where a poor score may come from;
    `message` has them all. `predictions` are those float32 bytes, little-endian, in the order of
    the rows; they are never part of `as_json`. Until something is known, it is a failure of ours.
    """

    section: int
    slug: str
    environment: Mapping[str, Any]
    isolation: Mapping[str, Any]
    status: Status = "failed"
    reason: str | None = "internal"
    message: str = ""
    score: int | None = None
    measured: Measured | None = None
    remarks: tuple[str, ...] = ()
    hint: str | None = None
    predictions_sha256: str | None = None
    hardware: Mapping[str, Any] | None = None
    predictions: bytes = field(default=b"", repr=False)
    set_name: str | None = None
    set_sha256: str | None = None
    model: ModelRecord | None = None
    seconds_total: float = 0.0
    seconds_predict: float | None = None
    printed: bytes = b""
    warm: bool = False

    def rejected(self, rejection: Rejection) -> Verdict:
        """Return this verdict with the blame on the model."""
        return replace(
            self,
            status="rejected",
            reason=rejection.reason,
            message=rejection.sentence,
            score=0,
        )

    def failed(self, fault: ExamError) -> Verdict:
        """Return this verdict with the blame on us."""
        reason = fault.reason or "internal"
        return replace(self, status="failed", reason=reason, message=str(fault), score=None)

    def scored(self, score: int, measured: Measured, hint: str | None) -> Verdict:
        """Return this verdict with a score."""
        found = replace(
            self, status="scored", reason=None, score=score, measured=measured, hint=hint
        )
        return replace(found, message=found.told("full"))

    def told(self, feedback: Feedback) -> str:
        """Return the message as far as `feedback` goes.

        Whoever may only know scores learns nothing of metric, thresholds and hints; a summary tells
        the metric; what was done to make a model fit is told to all.
        """
        metric = self.measured
        if self.status != "scored" or metric is None:
            return self.message
        sentence = f"Scored {self.score} of 5"
        if feedback == "full" and metric.need:
            sentence += f"; {metric.next_score} needs {metric.need}"
        sentences = [f"{sentence}."]
        if feedback != "scores" and metric.borderline:
            sentences.append(f"That is {BORDERLINE}.")
        sentences += self.remarks
        if feedback == "full" and self.hint:
            sentences.append(self.hint)
        return " ".join(sentences)

    def as_json(self, attempt: int | None, feedback: Feedback = "full") -> dict[str, Any]:
        """Return the object that `exam grade --json` prints, as far as `feedback` goes."""
        hidden = None
        if self.set_name is not None:
            hidden = {"name": self.set_name, "sha256": self.set_sha256}
        predict = None if self.seconds_predict is None else round(self.seconds_predict, 3)
        return {
            "section": self.section,
            "slug": self.slug,
            "verdict": self.status,
            "reason": self.reason,
            "message": self.told(feedback),
            "score": self.score,
            "max_score": 5,
            "metric": self.measured.as_json(feedback) if self.measured else None,
            "set": hidden,
            "attempt": attempt,
            "model": self.model.as_json() if self.model else None,
            "environment": dict(self.environment),
            "isolation": dict(self.isolation),
            "seconds": {"total": round(self.seconds_total, 3), "predict": predict},
            "warm": None if predict is None else self.warm,
        }
