"""What Debian's releases bring that an edition cannot choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Suite = Literal["bullseye", "bookworm", "trixie"]


@dataclass(frozen=True)
class Release:
    """A suite's Python, as it is called, and exactly, and the minor version of its C library (2.x).

    Some wheels are not for the first releases of a Python.
    """

    python: str
    python_exactly: str
    glibc_minor: int


RELEASES: dict[Suite, Release] = {
    "bullseye": Release("3.9", "3.9.2", 31),
    "bookworm": Release("3.11", "3.11.2", 36),
    "trixie": Release("3.13", "3.13.5", 41),
}
