"""Build an edition's images once more from clean caches, and see what differs, file by file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from exam_cli.config.edition import Edition, Role
from exam_cli.engine.port import Engine, ImageInfo
from exam_cli.errors import OurFault
from exam_cli.images.base import base_names, ensure_base, make_base
from exam_cli.images.build import architecture_of, build_image, building, laid_out
from exam_cli.images.differences import differing_files, differing_settings
from exam_cli.images.layers import saved_layers
from exam_cli.images.verify import Finding, ImageFinding, LayerFinding
from exam_cli.progress import Progress

_FILES_SHOWN = 20


def compare_with_rebuilt(
    engine: Engine, edition: Edition, found: Finding, progress: Progress, *, fresh: bool = False
) -> Finding:
    """Return what was found, and how a new build without the builder's cache differs from it.

    `fresh` makes the base again, too, and fetches Debian's packages again. All that was built is
    removed afterwards.
    """
    with rebuilt(engine, edition, progress, fresh=fresh) as images:
        progress.step("Comparing")
        return compare(engine, found, images)


def compare(engine: Engine, found: Finding, again: Mapping[Role, ImageInfo]) -> Finding:
    """Return what was found, and how other builds of the same images differ from it."""
    images = [
        _compared(engine, one, _there(engine, one.name), again[one.role]) for one in found.images
    ]
    return replace(found, images=images)


@contextmanager
def rebuilt(
    engine: Engine, edition: Edition, progress: Progress, *, fresh: bool = False
) -> Iterator[dict[Role, ImageInfo]]:
    """Yield both images of a build from clean caches; they go afterwards, and so does its cache.

    Builds of others that begin and end meanwhile lose what they left in the cache, no image.
    """
    architecture = architecture_of(engine)
    own = f"exam-rebuild:{os.getpid()}"
    tags: dict[Role, str] = {"workspace": f"{own}-workspace", "grader": f"{own}-grader"}
    with building(edition, progress):
        known = engine.build_leftovers()
        try:
            base = ensure_base(engine, edition, architecture, progress)
            if fresh and base == base_names(edition, architecture)["made"]:
                base = f"{own}-base"
                progress.step("Debian base")
                make_base(engine, edition, architecture, base, progress)
            with laid_out(engine, edition, architecture, base, progress, fresh=fresh) as context:
                for role, tag in tags.items():
                    cached = role == "grader"  # all of it is in the workspace image
                    build_image(engine, edition, context, base, role, tag, progress, cached=cached)
                images = {role: _there(engine, tag) for role, tag in tags.items()}
                if not {*images["grader"].layers} <= {*images["workspace"].layers}:
                    # Then something older was taken for it.
                    build_image(
                        engine, edition, context, base, "grader", tags["grader"], progress,
                        cached=False,
                    )  # fmt: skip
                    images["grader"] = _there(engine, tags["grader"])
            yield images
        finally:
            progress.step("Tidying up")
            for tag in (*tags.values(), f"{own}-base"):
                engine.remove_image(tag)
            engine.remove_leftovers(engine.build_leftovers() - known)


def _there(engine: Engine, name: str) -> ImageInfo:
    image = engine.image(name)
    if image is None:
        raise OurFault(f"The image {name} has gone while it was compared: run again.")
    return image


def _compared(
    engine: Engine, found: ImageFinding, image: ImageInfo, again: ImageInfo
) -> ImageFinding:
    """Return a finding with what a new build of that image gave."""
    settings = differing_settings(image.config, again.config)
    layers = [
        replace(layer, rebuilt=digest)
        for layer, digest in zip(found.layers, again.layers, strict=False)
    ]
    layers += found.layers[len(layers) :]
    if image.layers != again.layers:
        layers = _with_files(engine, layers, image, again)
    if len(again.layers) != len(image.layers):
        settings.append(f"{len(image.layers)} layers, not {len(again.layers)}")
    return replace(found, rebuilt=again.digest, layers=layers, settings=settings or found.settings)


def _with_files(
    engine: Engine, layers: list[LayerFinding], image: ImageInfo, again: ImageInfo
) -> list[LayerFinding]:
    """Return the layers with the files in which they are not those of a new build."""
    here, there = (
        next(iter(saved_layers(engine.save([one.id]), files=True).values()))
        for one in (image, again)
    )
    told = []
    for layer, old, new in zip(layers, here, there, strict=False):
        differences = differing_files(old.files, new.files) if old.digest != new.digest else []
        more = max(0, len(differences) - _FILES_SHOWN)
        told.append(replace(layer, differences=differences[:_FILES_SHOWN], more=more))
    return told + layers[len(told) :]
