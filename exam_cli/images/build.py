"""From an edition to its two images, and which of them are here already."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from exam_cli.config.edition import Architecture, Edition, Role, Variant
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


def ensure_images(engine: Engine, edition: Edition, progress: Progress) -> Images:
    """Return the edition's images, building those that are missing.

    Raises `ExamError` or `OurFault` with one sentence; whatever was fetched is kept, so the next
    call goes on from there.
    """
    architecture = architecture_of(engine)
    images = references(edition, architecture)
    if all(present(engine, images).values()):
        return images
    _check_room(cache_dir(), edition)
    cache_dir().mkdir(parents=True, exist_ok=True)
    progress.step("Waiting for another build")
    with locked(cache_dir() / "build.lock", _BUILD_SECONDS):
        if not all(present(engine, images).values()):
            _build(engine, edition, architecture, images, progress)
    missing = [role for role, image in present(engine, images).items() if image is None]
    if missing:
        raise OurFault(f"The {missing[0]} image was built but is not on the engine: run again.")
    return images


def _build(
    engine: Engine,
    edition: Edition,
    architecture: Architecture,
    images: Images,
    progress: Progress,
) -> None:
    from exam_cli.images.base import ensure_base
    from exam_cli.images.context import lay_out_context

    base = ensure_base(engine, edition, architecture, progress)
    # Beside the wheels, so that they are linked and not copied; one name, so that what a killed
    # build left there goes now.
    context = cache_dir() / "context"
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir()
    try:
        lay_out_context(context, engine, edition, architecture, base, progress)
        arguments = {"BASE": base, "EPOCH": str(edition.epoch)}
        for role, tag in (("grader", images.grader), ("workspace", images.workspace)):
            progress.step(f"Image: {role}")
            for line in engine.build(context, role, tag, arguments):
                _report(line, role, progress)
    finally:
        shutil.rmtree(context, ignore_errors=True)


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
