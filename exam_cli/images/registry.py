"""An edition's images to a registry and from it, by digest.

A tag is a name that moves; the digest of a registry's manifest is checked by the engine that pulls.
Whose images they are is another question: the edition's record answers it, or what lies in them.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from exam_cli.config.edition import Architecture, Edition, Role, programs
from exam_cli.engine.port import ContainerSpec, Engine, ImageInfo, Limits
from exam_cli.errors import ExamError, OurFault, UsageError
from exam_cli.images.build import Images, architecture_of, ensure_images, references
from exam_cli.images.vouched import is_recorded
from exam_cli.progress import Progress

# https://github.com/distribution/reference: a host, perhaps with a port, and a path.
_HOST = (
    r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?|\[[0-9a-fA-F:]+\](?::[0-9]{1,5})?"
)
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PLACE = re.compile(rf"(?:{_HOST})(?:/{_PART})*")
_REFERENCE = re.compile(rf"(?P<name>(?:{_HOST})(?:/{_PART})+)@(?P<digest>sha256:[0-9a-f]{{64}})")
_PROGRAMS = "/opt/exam/programs"


@dataclass(frozen=True)
class Remote:
    """An image in a registry: its reference there by digest, and its environment digest."""

    role: Role
    reference: str
    digest: str


def push(engine: Engine, edition: Edition, place: str, progress: Progress) -> list[Remote]:
    """Send an edition's images, built first if they are not here, to a place in a registry.

    Args:
        engine: holds the images.
        edition: whose.
        place: the registry's host, port and path, such as `registry.example:5000/exams`.
        progress: told how far it is.

    Raises `UsageError` for what is no place, and `ExamError` when the registry takes them not.
    """
    if not _PLACE.fullmatch(place):
        raise UsageError(
            f"{place!r} is no place in a registry: write HOST/PATH or HOST:PORT/PATH, the path in "
            "small letters, without tag or digest."
        )
    images = ensure_images(engine, edition, progress)
    done: list[Remote] = []
    for role, local in _by_role(images).items():
        image = engine.image(local)
        if image is None:
            raise OurFault(f"The {role} image vanished while it was to be sent: run it again.")
        name = f"{place}/{local}"
        progress.step(f"Sending the {role}, MB", image.size // 10**6)
        with _named(engine, image, name):
            digest = engine.push(name, lambda sent, _: progress.advance(sent // 10**6))
        done.append(Remote(role, f"{name.rpartition(':')[0]}@{digest}", image.digest))
    return done


@contextmanager
def _named(engine: Engine, image: ImageInfo, name: str) -> Iterator[None]:
    """Give an image a name for a while, unless it has that already."""
    had = engine.image(name)
    engine.tag(image.id, name)
    try:
        yield
    finally:
        if had is None:
            engine.remove_image(name)


def pull(
    engine: Engine,
    edition: Edition,
    wanted: Sequence[str],
    progress: Progress,
    *,
    unrecorded: bool = False,
) -> list[Remote]:
    """Fetch images by digest and give them the names that `exam up` looks for.

    Args:
        engine: where they shall be.
        edition: whose images they must be.
        wanted: references, as `push` returns them.
        progress: told how far it is.
        unrecorded: whether images are taken that the edition does not record.

    Raises `UsageError` for references without digest, and `ExamError` when an image cannot be had
    or is not the edition's. What was fetched for nothing is removed again.
    """
    names: dict[Role, tuple[str, str]] = {}
    for reference in wanted:
        name = _parsed(reference)
        role = _role(name)
        if role in names:
            raise UsageError(f"Two references are of a {role}: name one of each.")
        names[role] = reference, name
    architecture = architecture_of(engine)
    local = references(edition, architecture)
    new: list[str] = []
    found: dict[Role, tuple[str, ImageInfo]] = {}
    try:
        for role, (reference, name) in names.items():
            image = engine.image(reference)
            if image is None:
                progress.step(f"Fetching {name.rpartition('/')[2]}, MB")
                new.append(reference)
                engine.fetch(reference, lambda done, _: progress.advance(done // 10**6))
                image = engine.image(reference)
            if image is None:
                raise OurFault(f"The engine fetched {reference} and does not have it: try again.")
            found[role] = reference, image
        _check(engine, edition, architecture, found, unrecorded=unrecorded)
    except BaseException:
        for reference in new:
            engine.remove_image(reference)
        raise
    for role, (_, image) in found.items():
        engine.tag(image.id, _by_role(local)[role])
    return [Remote(role, reference, image.digest) for role, (reference, image) in found.items()]


def _by_role(images: Images) -> Mapping[Role, str]:
    return {"grader": images.grader, "workspace": images.workspace}


def _parsed(reference: str) -> str:
    """Return a reference's name. Raises `UsageError`."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        why = (
            "a tag may mean another image tomorrow"
            if "@" not in reference
            else "that is no reference by digest"
        )
        raise UsageError(
            f"{reference!r} cannot be pulled, for {why}: write HOST/PATH/exam-grader@sha256:..., "
            "as `exam images push` printed it."
        )
    return match["name"]


def _role(name: str) -> Role:
    word = name.rpartition("/")[2].removeprefix("exam-")
    for role in get_args(Role):
        if word == role:
            return role  # type: ignore[no-any-return]
    raise UsageError(
        f"{name} does not say which image it is: its last part must be exam-grader or "
        "exam-workspace, as `exam images push` names them."
    )


def _check(
    engine: Engine,
    edition: Edition,
    architecture: Architecture,
    found: Mapping[Role, tuple[str, ImageInfo]],
    *,
    unrecorded: bool,
) -> None:
    """Raise `ExamError` when images are not the edition's, or nobody can know."""
    for role, (_, image) in found.items():
        theirs = str(image.config.get("Architecture"))
        theirs = {"amd64": "x86_64", "arm64": "aarch64"}.get(theirs, theirs)
        if theirs != architecture:
            raise ExamError(
                f"The {role} image is for {theirs} and the engine here runs on {architecture}: "
                "push one from such a machine; it was removed again.",
                reason="other_architecture",
            )
    known = is_recorded(
        edition, architecture, {role: image.digest for role, (_, image) in found.items()}
    )
    if known:
        return
    if known is False and not unrecorded:
        raise ExamError(
            f"These images are not those that the edition {edition.edition} records, so they were "
            "removed again: if you trust who gave you their digests, pull with --unrecorded.",
            reason="not_recorded",
        )
    for role, (_, image) in found.items():
        differ = _differing_programs(engine, image)
        if differ:
            raise ExamError(
                f"The {role} image is of another version of this program ({differ[0]} differs), "
                "so `exam up` would not work with it: install the same version on both machines; "
                "it was removed again.",
                reason="other_edition",
            )


def _differing_programs(engine: Engine, image: ImageInfo) -> list[str]:
    """Return which of the programs inside an image are not this program's own."""
    spec = ContainerSpec(
        image=image.id,
        command=("true",),  # it is never started
        user="65534:65534",
        limits=Limits(64 << 20, 1.0, 8),
        labels={"exam.role": "pull"},
    )
    container = engine.create(spec)
    try:
        tar = b"".join(engine.get(container, _PROGRAMS))
    finally:
        engine.remove(container)
    there = {}
    if tar:
        with tarfile.open(fileobj=io.BytesIO(tar)) as package:
            for member in package:
                content = package.extractfile(member) if member.isreg() else None
                if content is not None:
                    there[Path(member.name).name] = content.read()
    return [path.name for path in programs() if there.get(path.name) != path.read_bytes()]
