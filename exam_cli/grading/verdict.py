"""What came of a grading, and the fixed sentences in which a candidate is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

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
FAILED = ("engine_unreachable", "image_missing", "scorer_error", "disk_full", "internal")


class Rejection(Exception):
    """The model is at fault. `sentence` says what is wrong and what to do."""

    def __init__(self, reason: str, sentence: str) -> None:
        assert reason in REJECTED, reason
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence


@dataclass(frozen=True)
class Measured:
    """A metric's value and what the next score would need; `next_score` is None at the top."""

    name: str
    value: float
    unit: str | None
    better: Literal["lower", "higher"]
    next_score: int | None
    next_threshold: float | None

    def as_json(self) -> dict[str, Any]:
        """Return the `metric` object of `exam grade --json`."""
        following = None
        if self.next_score is not None and self.next_threshold is not None:
            following = {"score": self.next_score, "threshold": self.next_threshold}
        # Four digits tell how good a model is; more would tell a single label to whoever changes
        # one prediction at a time.
        value = float(f"{self.value:.4g}")
        return {"name": self.name, "value": value, "next_band": following}


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
    terminal. Until something is known, it is a failure of ours.
    """

    section: int
    slug: str
    environment: Mapping[str, Any]
    isolation: Mapping[str, str]
    status: Status = "failed"
    reason: str | None = "internal"
    message: str = ""
    score: int | None = None
    measured: Measured | None = None
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

    def as_json(self, attempt: int | None) -> dict[str, Any]:
        """Return the object that `exam grade --json` prints."""
        hidden = None
        if self.set_name is not None:
            hidden = {"name": self.set_name, "sha256": self.set_sha256}
        predict = None if self.seconds_predict is None else round(self.seconds_predict, 3)
        return {
            "section": self.section,
            "slug": self.slug,
            "verdict": self.status,
            "reason": self.reason,
            "message": self.message,
            "score": self.score,
            "max_score": 5,
            "metric": self.measured.as_json() if self.measured else None,
            "set": hidden,
            "attempt": attempt,
            "model": self.model.as_json() if self.model else None,
            "environment": dict(self.environment),
            "isolation": dict(self.isolation),
            "seconds": {"total": round(self.seconds_total, 3), "predict": predict},
        }
