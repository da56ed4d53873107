"""Known holes of the Python packages that editions lock: `images/advisories.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from exam_cli.config.load import load
from exam_cli.config.values import Length, Like
from exam_cli.paths import resource

Severity = Literal["low", "medium", "high", "critical"]
Reach = Literal["model", "workspace", "none"]
_ID = r"(CVE-\d{4}-\d{4,}|GHSA(-[0-9a-z]{4}){3})"


@dataclass(frozen=True, kw_only=True)
class Hole:
    """One hole.

    Args:
        source: the advisory that the facts are from; the id itself where none is named.
        reach: who could use it here: a model that is graded, whoever works in a workspace (or
            brings a file there), nobody.
    """

    id: Annotated[str, Like(_ID, "an id such as CVE-2023-4863 or GHSA-j7hp-h8jx-5ppr")]
    severity: Severity
    reach: Reach
    text: str
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Holes of a package in the same versions: those in any of the ranges (PEP 440 specifiers).

    `also` are other names of the package; `fixed` are the versions to go to, in words.
    """

    package: str
    also: tuple[str, ...] = ()
    affected: Annotated[tuple[str, ...], Length(1)]
    fixed: str
    holes: Annotated[tuple[Hole, ...], Length(1)]

    def __post_init__(self) -> None:
        for one in self.affected:
            try:
                SpecifierSet(one)
            except InvalidSpecifier as error:
                raise ValueError(f"affected: {one} is no range such as `>=1.2,<1.3.4`") from error

    def has(self, package: str, version: str) -> bool:
        """Return whether a version of a package has these holes; one that is none has."""
        if package not in (self.package, *self.also):
            return False
        try:
            number = Version(version)
        except InvalidVersion:
            return True
        return any(SpecifierSet(one).contains(number, prereleases=True) for one in self.affected)


@dataclass(frozen=True, kw_only=True)
class Table:
    """The file: what is known, and when it was read (a date: 2026-11-23)."""

    compiled: str
    groups: tuple[Group, ...]

    def __post_init__(self) -> None:
        try:
            date.fromisoformat(self.compiled)
        except ValueError as error:
            raise ValueError("compiled: is no date such as 2026-11-23") from error
        ids = [hole.id for group in self.groups for hole in group.holes]
        twice = sorted({one for one in ids if ids.count(one) > 1})
        if twice:
            raise ValueError(f"groups: there twice: {', '.join(twice)}")

    def of(self, package: str, version: str) -> list[tuple[Group, Hole]]:
        """Return the holes that a version of a package has, the worst first."""
        found = [
            (group, hole)
            for group in self.groups
            if group.has(package, version)
            for hole in group.holes
        ]
        worst = ("critical", "high", "medium", "low")
        return sorted(found, key=lambda one: (worst.index(one[1].severity), one[1].id))


@cache
def table(path: Path | None = None) -> Table:
    """Return the file's content. Raises `ExamError` that lists what is wrong with it."""
    return load(path or resource("images", "advisories.yaml"), Table)
