"""What was measured, as objects: rows with their limits, and the parts that they belong to."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Unit = Literal["s", "x", "%", "MB", "GB", "a minute", "modules", "count"]


@dataclass(frozen=True)
class Row:
    """One thing that was measured several times.

    Args:
        what: for people, in Markdown.
        values: in the order in which they were taken; never empty.
        unit: of the values.
        at_most: what the median must not exceed, if that was asked for.
        at_least: what the median must reach.
        note: what else one must know, such as heavy imports.
    """

    what: str
    values: tuple[float, ...]
    unit: Unit = "s"
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def median(self) -> float:
        """The middle of the values."""
        return statistics.median(self.values)

    @property
    def ok(self) -> bool | None:
        """Whether the limit is kept; None when there is none."""
        if self.at_most is None and self.at_least is None:
            return None
        return (self.at_most is None or self.median <= self.at_most) and (
            self.at_least is None or self.median >= self.at_least
        )


@dataclass(frozen=True)
class Part:
    """What one module measured: a table with a title, what was compared, and how.

    `pictures` are names of files beside the table.
    """

    name: str
    title: str
    about: str
    rows: tuple[Row, ...]
    pictures: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def row(
    what: str,
    values: Iterable[float],
    unit: Unit = "s",
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    note: str = "",
) -> Row:
    """Return a row; values are kept to six digits, beyond which no clock of ours is right."""
    kept = tuple(float(f"{value:.6g}") for value in values)
    return Row(what, kept, unit, at_most, at_least, note)


def part_from(told: dict[str, Any]) -> Part:
    """Return the part that `Part.as_json` gave."""
    rows: Sequence[dict[str, Any]] = told["rows"]
    return Part(
        name=told["name"],
        title=told["title"],
        about=told["about"],
        rows=tuple(Row(**{**one, "values": tuple(one["values"])}) for one in rows),
        pictures=tuple(told["pictures"]),
    )
