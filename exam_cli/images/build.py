"""From an edition to its two images, and which of them are here already."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from exam_cli.config.edition import LAYERS, Architecture, Edition, Variant
from exam_cli.config.edition import Role as Role
from exam_cli.engine.port import Engine, ImageInfo
from exam_cli.errors import DiskFull, ExamError, OurFault
from exam_cli.files import free_bytes, locked
from exam_cli.images.variants import require
from exam_cli.paths import cache_dir
from exam_cli.progress import Progress

_BUILD_SECONDS = 3600.0
# Wheels, build stages and both images of one edition: with CUDA, 3.4 GB of wheels thrice (cache,
# context, build stage) and 5.5 GB of libraries twice.
_BYTES_NEEDED: dict[Variant, int] = {"cpu": 8 << 30, "gpu": 24 << 30}
_STAGE = re.compile(r"^#\d+ \[(?P<stage>\S+)\s.*\]|^Step (?P<done>\d+)/(?P<total>\d+)")


@dataclass(frozen=True)
class Images:
    """References of an edition's images on this engine, and the fingerprint that they hold."""

    grader: str
    workspace: str
    lock_sha256: str = ""


def architecture_of(engine: Engine) -> Architecture:
    """Return the engine's architecture in our words. Raises `OurFault` for others."""
    name = engine.architecture()
    name = {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name)
    if name not in get_args(Architecture):
        raise OurFault(f"The engine runs on {name}; the images exist for x86_64 and aarch64 only.")
    return cast(Architecture, name)


def references(edition: Edition, architecture: Architecture) -> Images:
    """Return the names that an edition's images have: they change when their content would.

    Raises `ExamError` where the edition, or its variant, does not exist for that architecture.
    """
    if architecture not in edition.architectures:
        raise ExamError(
            f"The edition {edition.edition} exists for {' and '.join(edition.architectures)} only, "
            f"for TensorFlow {edition.tensorflow} has no wheels for {architecture}: use another "
            "edition, or another machine."
        )
    require(edition, architecture)
    fingerprint = edition.fingerprint(architecture)
    tag = f"{edition.edition}-{edition.variant}-{fingerprint[:12]}"
    return Images(f"exam-grader:{tag}", f"exam-workspace:{tag}", fingerprint)


def present(engine: Engine, images: Images) -> dict[Role, ImageInfo | None]:
    """Return what the engine has of these images."""
    return {"grader": engine.image(images.grader), "workspace": engine.image(images.workspace)}


def ensure_images(
    engine: Engine, edition: Edition, progress: Progress, *, again: bool = False
) -> Images:
    """Return the edition's images, building those that are missing; `again` builds what is here.

    Raises `ExamError` or `OurFault` with one sentence; whatever was fetched is kept, so the next
    call goes on from there.
    """
    architecture = architecture_of(engine)
    images = references(edition, architecture)
    if all(present(engine, images).values()) and not again:
        return images
    with building(edition, progress):
        if again or not all(present(engine, images).values()):
            _build(engine, edition, architecture, images, progress)
    found = present(engine, images)
    for role, image in found.items():
        if image is None:
            raise OurFault(f"The {role} image was built but is not on the engine: run again.")
    _compare(engine, edition, architecture, found, progress)
    return images


@contextmanager
def building(edition: Edition, progress: Progress) -> Iterator[None]:
    """Have the builder for oneself. Raises `DiskFull` where a build would fill the disk."""
    _check_room(cache_dir(), edition)
    cache_dir().mkdir(parents=True, exist_ok=True)
    progress.step("Waiting for another build")
    with locked(cache_dir() / "build.lock", _BUILD_SECONDS):
        yield


def _build(
    engine: Engine,
    edition: Edition,
    architecture: Architecture,
    images: Images,
    progress: Progress,
) -> None:
    from exam_cli.images.base import ensure_base

    base = ensure_base(engine, edition, architecture, progress)
    with laid_out(engine, edition, architecture, base, progress) as context:
        for role, tag in (("grader", images.grader), ("workspace", images.workspace)):
            build_image(engine, edition, context, base, role, tag, progress)


@contextmanager
def laid_out(
    engine: Engine,
    edition: Edition,
    architecture: Architecture,
    base: str,
    progress: Progress,
    *,
    fresh: bool = False,
) -> Iterator[Path]:
    """Yield the directory that the builder sees; it goes afterwards."""
    from exam_cli.images.context import lay_out_context

    # Beside the wheels, so that they are linked and not copied; one name, so that what a killed
    # build left there goes now.
    context = cache_dir() / "context"
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir()
    try:
        lay_out_context(context, engine, edition, architecture, base, progress, fresh=fresh)
        yield context
    finally:
        shutil.rmtree(context, ignore_errors=True)


def build_image(
    engine: Engine,
    edition: Edition,
    context: Path,
    base: str,
    role: str,
    tag: str,
    progress: Progress,
    *,
    cached: bool = True,
) -> None:
    """Build one image and name it. Raises `OurFault` with the builder's words, `DiskFull`."""
    progress.step(f"Image: {role}")
    arguments = {"BASE": base, "EPOCH": str(edition.epoch)}
    for line in engine.build(context, role, tag, arguments, cached=cached):
        _report(line, role, progress)


def _compare(
    engine: Engine,
    edition: Edition,
    architecture: Architecture,
    found: Mapping[Role, ImageInfo | None],
    progress: Progress,
) -> None:
    """Tell when what was built is not what the edition records for such a base."""
    from exam_cli.images.base import base_kind

    built = {role: image for role, image in found.items() if image is not None}
    kind = base_kind(engine, edition, architecture, built["grader"])
    recorded = edition.recorded(architecture, kind)
    if recorded is None or edition.outdated(architecture):
        return  # by who changes the edition
    if all(one.digest == recorded[role].digest for role, one in built.items()):
        return
    differing = dict.fromkeys(
        name
        for role, one in built.items()
        for name, layer, expected in zip(
            LAYERS[role], one.layers, recorded[role].layers, strict=False
        )
        if layer != expected
    )
    progress.say(
        "These images are not those that the edition records: "
        f"{', '.join(differing) or 'their configuration'} differ. `exam images verify` says more."
    )


def _report(line: str, role: str, progress: Progress) -> None:
    match = _STAGE.match(line)
    if match and match["stage"]:
        progress.step(f"Image: {role}, {match['stage']}")
    elif match:
        progress.advance(int(match["done"]))


def _check_room(directory: Path, edition: Edition) -> None:
    """Say so before a long build that cannot end well."""
    free, needed = free_bytes(directory), _BYTES_NEEDED[edition.variant]
    if free < needed:
        raise DiskFull(
            f"Building the images needs about {needed >> 30} GB and {directory} has "
            f"{free / 2**30:.1f} GB free: free some space, or set EXAM_CACHE to a larger disk."
        )
