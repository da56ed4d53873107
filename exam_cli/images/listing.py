"""Which editions there are, and what of them is on an engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from exam_cli.config.edition import Edition, Role, edition_names, load_edition
from exam_cli.engine.port import Engine, ImageInfo
from exam_cli.errors import ImageMissing
from exam_cli.images.bill import Subject
from exam_cli.images.build import architecture_of, present, references
from exam_cli.images.facts import facts_of


@dataclass(frozen=True)
class EditionStatus:
    """One edition and variant: the names of its images, and the images that are here."""

    edition: str
    variant: str
    fingerprint: str
    names: Mapping[Role, str]
    images: Mapping[Role, ImageInfo | None]

    def as_json(self) -> dict[str, Any]:
        """Return the object that `exam images list --json` lists."""
        return {
            "edition": self.edition,
            "variant": self.variant,
            "lock_sha256": self.fingerprint,
            "images": {
                role: {
                    "name": self.names[role],
                    "id": image.id if image else None,
                    "digest": image.digest if image else None,
                    "layers": list(image.layers) if image else [],
                    "bytes": image.size if image else None,
                }
                for role, image in self.images.items()
            },
        }


def listing(engine: Engine) -> list[EditionStatus]:
    """Return the status of every edition and variant that travels with the program."""
    architecture = architecture_of(engine)
    found = []
    for name in edition_names():
        for variant in load_edition(name).variants(architecture):
            edition = load_edition(name, variant)
            names = references(edition, architecture)
            found.append(
                EditionStatus(
                    edition.edition,
                    edition.variant,
                    edition.fingerprint(architecture),
                    {"grader": names.grader, "workspace": names.workspace},
                    present(engine, names),
                )
            )
    return found


def subject_of(engine: Engine, edition: Edition, role: Role) -> Subject:
    """Return an edition's image, and what it says of itself.

    Raises `ImageMissing` where it is not here, and what `facts_of` raises.
    """
    architecture = architecture_of(engine)
    names = references(edition, architecture)
    name = names.grader if role == "grader" else names.workspace
    image = engine.image(name)
    if image is None:
        raise ImageMissing(f"{name} is not on this engine: `exam images build` makes it.")
    return Subject(edition, role, architecture, name, image, facts_of(engine, image))


def subjects(engine: Engine) -> Iterator[Subject]:
    """Yield every workspace image that is here: it has all that the grader image has."""
    for one in listing(engine):
        if one.images["workspace"] is not None:
            yield subject_of(engine, load_edition(one.edition, one.variant), "workspace")
