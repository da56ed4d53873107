"""Write into an edition's file what its builds give, and leave the rest of it as it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from exam_cli.config.edition import LAYERS, BaseKind, Digests, Edition, Recorded, Role
from exam_cli.engine.port import Engine
from exam_cli.errors import ExamError
from exam_cli.files import write_file
from exam_cli.images.build import architecture_of
from exam_cli.images.verify import Finding, moved_since

# From the key to the next line that is no part of it, and the lines above that tell of it.
_BLOCK = re.compile(
    r"\n*(?:^# [^\n]*--record[^\n]*\n)?^digests:[^\n]*\n(?:[ -][^\n]*\n|\n(?= ))*", re.MULTILINE
)
_ABOUT = "# What every build gives: `exam images verify --record` writes this."


def record(engine: Engine, edition: Edition, found: Finding) -> Path:
    """Write the digests of images that were found in order; return the edition's file.

    Raises `ExamError` when their bytes or a new build differ, or when they hold other Debian
    packages than the locks.
    """
    architecture = architecture_of(engine)
    for image in found.images:
        for layer in image.layers:
            if layer.content != layer.digest or layer.rebuilt not in (None, layer.digest):
                raise ExamError(
                    f"Nothing was recorded: the layer {layer.name} of the {image.role} image is "
                    "not what it should be. Build the images again first."
                )
        if image.rebuilt not in (None, image.digest):
            raise ExamError(
                f"Nothing was recorded: a new build of the {image.role} image has other settings."
            )
    told = moved_since(engine, edition, architecture, found.images[-1].name)
    if told and found.base == "made":
        raise ExamError(
            f"Nothing was recorded: the images hold other Debian packages than the locks "
            f"({'; '.join(told[:3])}). Run `exam images lock {edition.edition}`, build, record."
        )
    images: dict[Role, Recorded] = {
        image.role: Recorded(
            digest=image.digest, layers=tuple(layer.digest for layer in image.layers)
        )
        for image in found.images
    }
    new = Digests(
        architecture=architecture,
        variant=edition.variant,
        base=found.base,
        fingerprint=edition.fingerprint(architecture),
        grader=images["grader"],
        workspace=images["workspace"],
    )
    path = edition.directory / "edition.yaml"
    text = path.read_text(encoding="utf-8")
    write_file(path, with_digests(text, [*_others(edition, new), new]).encode(), 0o644)
    return path


def _others(edition: Edition, new: Digests) -> Iterator[Digests]:
    def key(one: Digests) -> tuple[str, str, BaseKind]:
        return one.architecture, one.variant, one.base

    return (one for one in edition.digests if key(one) != key(new))


def with_digests(text: str, digests: list[Digests]) -> str:
    """Return the text of an edition's file with these digests in place of those that it had."""
    rest = _BLOCK.sub("\n", text).rstrip("\n")
    order = sorted(digests, key=lambda one: (one.architecture, one.variant, one.base))
    lines = [_ABOUT, "digests:"]
    for one in order:
        lines.append(f"  - architecture: {one.architecture}")
        lines += [f"    variant: {one.variant}", f"    base: {one.base}"]
        if one.fingerprint:
            lines.append(f'    fingerprint: "{one.fingerprint}"')
        images: Mapping[Role, Recorded] = {"grader": one.grader, "workspace": one.workspace}
        for role, image in images.items():
            lines += [f"    {role}:", f"      digest: {image.digest}", "      layers:"]
            names = [*LAYERS[role], *("another" for _ in image.layers)]
            for name, layer in zip(names, image.layers, strict=False):
                lines.append(f"        - {layer} # {name}")
    return "\n".join([rest, "", *lines]) + "\n"
