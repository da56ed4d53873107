"""Which wheels run where."""

from __future__ import annotations

from dataclasses import dataclass

from packaging.tags import Tag, compatible_tags, cpython_tags

from exam_cli.config.edition import Architecture

BOOKWORM = 36


@dataclass(frozen=True)
class Target:
    """What will run the wheels: its architecture, Python ("3.11.2"), and C library (2.x)."""

    architecture: Architecture
    python: str
    glibc_minor: int = BOOKWORM

    @property
    def _python(self) -> tuple[int, int]:
        major, minor, *_ = (int(part) for part in self.python.split("."))
        return major, minor

    @property
    def abi(self) -> str:
        """Return the tag of wheels for this Python alone, such as cp311."""
        return "cp{}{}".format(*self._python)

    def platforms(self) -> list[str]:
        """Return the platform tags that a Debian of that C library can install (PEP 600)."""
        minors = range(self.glibc_minor, 4, -1)
        tags = [f"manylinux_2_{minor}_{self.architecture}" for minor in minors]
        legacy = ("manylinux2014", "manylinux2010", "manylinux1")
        return [*tags, *(f"{name}_{self.architecture}" for name in legacy)]

    def tags(self) -> frozenset[Tag]:
        """Return the tags of which a wheel must have one."""
        platforms = self.platforms()
        own = cpython_tags(self._python, [self.abi], platforms)
        return frozenset([*own, *compatible_tags(self._python, self.abi, platforms)])
