"""section.yaml: one task, its model contract, metric, bands, limits and sources."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from exam_cli.config.load import Strict

Dimension = Annotated[int, Field(gt=0)]
_SLUG = r"^[a-z][a-z0-9-]{0,39}$"


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


class Metric(Strict):
    """How predictions and labels become one number."""

    name: Literal["mae", "accuracy"]
    better: Literal["lower", "higher"]
    unit: str | None = None


class SectionLimits(Strict):
    """Time to load and predict, and memory of the predictor."""

    predict_seconds: Annotated[int, Field(gt=0, le=3600)]
    memory_megabytes: Annotated[int, Field(ge=1024)]


class Source(Strict):
    """A registry package that real data is taken from, and who deserves the credit."""

    name: str
    registry: Literal["pypi", "debian", "npm"]
    package: str
    version: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    suite: str = "bookworm"  # of Debian, where that is the registry
    member: str
    licence: str
    credit: str


class Section(Strict):
    """One task. `folder` is where its files are."""

    folder: Path
    section: Annotated[int, Field(gt=0)]
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
