"""Locks: lists of exact versions and the hashes that their files may have."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from exam_cli.errors import ExamError, OurFault

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s\\;]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Pin:
    """One package: a name in normal form, an exact version, the sha256 that files may have."""

    name: str
    version: str
    hashes: frozenset[str]

    def requirement(self) -> str:
        """Return the pin as a line of a requirements file."""
        hashes = " ".join(f"--hash=sha256:{value}" for value in sorted(self.hashes))
        return f"{self.name}=={self.version} {hashes}"


class OtherHash(ExamError):
    """A file arrived that is not the one that was pinned. It was not kept."""


def normal_name(name: str) -> str:
    """Return a package's name in normal form (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_lock(path: Path) -> list[Pin]:
    """Return the pins of a requirements lock, in the file's order.

    Raises `OurFault` for a line that pins nothing: passing it over would build another image.
    """
    joined = path.read_text(encoding="utf-8").replace("\\\n", " ")
    pins = []
    for line in joined.splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        match, hashes = _PIN.match(line), frozenset(_HASH.findall(line))
        if match is None or not hashes:
            raise OurFault(f"{path.name} has a line without a version and a hash: {line[:60]!r}.")
        pins.append(Pin(normal_name(match[1]), match[2], hashes))
    return pins


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
