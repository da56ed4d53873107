"""Known holes in the Python packages that an edition locks, from the file that travels with us."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from exam_cli.config import advisories
from exam_cli.config.edition import Architecture, Edition, edition_names, load_edition
from exam_cli.config.wheel_advisories import table
from exam_cli.fetch.lockfile import Pin, read_lock

# Of TensorFlow and Keras some more is known that has no severity: what `exam doctor` tells.
_DOCTOR: dict[str, advisories.Name] = {
    "keras": "keras",
    "tensorflow": "tensorflow",
    "tensorflow-cpu": "tensorflow",
}
UNRATED = "unrated"


@dataclass(frozen=True)
class KnownHole:
    """A hole that a locked version has."""

    package: str
    version: str
    id: str
    severity: str
    reach: str
    fixed: str
    text: str
    source: str

    def as_json(self) -> dict[str, str]:
        """Return it as `exam images list --security --json` lists it."""
        return dict(vars(self))


@dataclass(frozen=True)
class Holes:
    """What is known of one variant of an edition; `compiled` is the day of the file."""

    edition: str
    variant: str
    compiled: str
    packages: int
    holes: tuple[KnownHole, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many there are by severity."""
        return dict(Counter(one.severity for one in self.holes))

    def as_json(self) -> dict[str, Any]:
        """Return the object of `exam images list --security --json`."""
        return {
            "edition": self.edition,
            "variant": self.variant,
            "compiled": self.compiled,
            "packages": self.packages,
            "counts": self.counts,
            "holes": [one.as_json() for one in self.holes],
        }


def known_holes() -> list[Holes]:
    """Return the known holes of every edition and variant. Needs neither engine nor network."""
    found = []
    for name in edition_names():
        kinds: dict[str, None] = {}
        for architecture in load_edition(name).architectures:
            kinds |= dict.fromkeys(load_edition(name).variants(architecture))
        found += [holes_of(load_edition(name, kind)) for kind in kinds]
    return found


def holes_of(edition: Edition) -> Holes:
    """Return the known holes of an edition's variant, on whatever architecture it is locked for."""
    versions = {
        (pin.name, pin.version)
        for architecture in edition.architectures
        for pin in _pins(edition, architecture)
    }
    found = [hole for name, version in sorted(versions) for hole in _of(name, version)]
    return Holes(edition.edition, edition.variant, table().compiled, len(versions), tuple(found))


def _pins(edition: Edition, architecture: Architecture) -> Iterator[Pin]:
    if edition.variant not in edition.variants(architecture):
        return
    for layer in ("tensorflow", "workspace"):
        yield from read_lock(edition.lock(layer, architecture))


def _of(package: str, version: str) -> list[KnownHole]:
    found = [
        KnownHole(
            package, version, hole.id, hole.severity, hole.reach, group.fixed, hole.text,
            hole.source or hole.id,
        )
        for group, hole in table().of(package, version)
    ]  # fmt: skip
    known = {one.id for one in found}
    if package in _DOCTOR:
        found += [
            KnownHole(package, version, one.id, UNRATED, "model", one.upgrade, one.text, one.source)
            for one in advisories.of(_DOCTOR[package])
            if one.id not in known and one.state(version) == "open"
        ]
    return found
