"""Known holes of what grades stand on: a small table, and whether a version has one of them.

Only holes that a model could try, or that people will ask about. The table says what each would let
a model do here; the sources are the records of the CVE list, and Debian's changelogs for what
Debian mended without a new version.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from exam_cli.config.load import load
from exam_cli.config.values import Length, Like

Name = Literal[
    "docker", "containerd", "runc", "kernel", "gvisor", "nvidia-toolkit", "keras", "tensorflow"
]
State = Literal["open", "mended", "unknown"]

# What of a packager's version is its maker's: 1.1.5 of 1.1.5+ds1, v1.4.0-rc.2, 6.1.0 of 6.1.0-42.
_VERSION = re.compile(r"\d+(?:\.\d+)+(?:-?rc\.?\d+)?|\d{8}")
# Debian and its children count their own builds of a series and hide which version that is.
_HIDDEN = re.compile(r"(\d+\.\d+)\.0-\d")
_LAST_OF_SERIES = 9999


@dataclass(frozen=True, kw_only=True)
class Advisory:
    """One hole.

    Args:
        affected: ranges of the maker's versions (PEP 440 specifiers); a version in any of them has
            the hole.
        upgrade: the versions to go to, in words.
        debian: the version of Debian's package in which Debian mended it, if Debian did so without
            the maker's new version.
        text: what it lets a model do, and what stands before it here.
        source: where the ranges are from.
    """

    component: Name
    id: Annotated[str, Like(r"CVE-\d{4}-\d{4,}", "`CVE-` and two numbers")]
    affected: Annotated[tuple[str, ...], Length(1)]
    upgrade: str
    debian: str | None = None
    text: str
    source: str

    def __post_init__(self) -> None:
        for one in self.affected:
            try:
                SpecifierSet(one)
            except InvalidSpecifier as error:
                raise ValueError(f"affected: {one} is no range such as `>=1.2,<1.3.4`") from error

    def state(self, version: str, build: str = "") -> State:
        """Return whether a version has this hole.

        Args:
            version: as its program tells it.
            build: the version of its Debian package, if known.
        """
        found = _VERSION.search(version)
        if found is None:
            return "unknown"
        first = last = Version(found[0])
        if self.component == "kernel" and (hidden := _HIDDEN.match(version)):
            last = Version(f"{hidden[1]}.{_LAST_OF_SERIES}")
        states = {self._has(first), self._has(last)}
        if len(states) > 1:
            return "unknown"
        if not states.pop() or self._mended_by_debian(build):
            return "mended"
        return "open"

    def _has(self, version: Version) -> bool:
        return any(SpecifierSet(one).contains(version, prereleases=True) for one in self.affected)

    def _mended_by_debian(self, build: str) -> bool:
        return self.debian is not None and is_debian(build) and _at_least(build, self.debian)

    def by_debian(self, version: str, build: str) -> bool:
        """Return whether it is mended by Debian alone, in a version that once had it."""
        found = _VERSION.search(version)
        return found is not None and self._has(Version(found[0])) and self._mended_by_debian(build)


def is_debian(build: str) -> bool:
    """Return whether this looks like the version of a Debian package, and not like a commit."""
    return re.match(r"(\d+:)?\d[\w.+~]*-[\w.+~]+$", build) is not None


def _at_least(version: str, other: str) -> bool:
    """Compare two Debian versions; False where there is no dpkg to ask."""
    dpkg = shutil.which("dpkg")
    if dpkg is None:
        return False
    line = [dpkg, "--compare-versions", version, "ge", other]
    return subprocess.run(line, check=False, stderr=subprocess.DEVNULL).returncode == 0


@dataclass(frozen=True, kw_only=True)
class _Table:
    advisories: tuple[Advisory, ...]


@cache
def advisories() -> tuple[Advisory, ...]:
    """Return the table. Raises `ExamError` that lists what is wrong with it."""
    return load(Path(__file__).with_suffix(".yaml"), _Table).advisories


def of(component: Name) -> list[Advisory]:
    """Return a component's holes."""
    return [one for one in advisories() if one.component == component]
