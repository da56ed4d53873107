"""An edition with all that an exam needs, to a file and from one, for rooms without a network."""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from exam_cli.config.edition import Edition, load_edition
from exam_cli.config.exam import Exam
from exam_cli.config.section import Section
from exam_cli.engine.port import Engine
from exam_cli.errors import ExamError, UsageError
from exam_cli.files import writing
from exam_cli.images.archive import installing, reading
from exam_cli.images.archive.manifest import Manifest
from exam_cli.images.archive.writing import Written, write_archive
from exam_cli.images.build import Images, architecture_of, ensure_images
from exam_cli.images.vouched import is_recorded
from exam_cli.paths import cache_dir
from exam_cli.progress import Progress
from exam_cli.sections.catalog import every_section, sections_of
from exam_cli.sections.sources import fetch_source

_PIECE = 1 << 20
_MOST_BYTES = 1 << 40  # of an archive that comes in a stream, unless the disk is full before

Vouched = Literal["recorded", "sha256", "nobody"]


@dataclass(frozen=True)
class Loaded:
    """What came of loading an archive.

    `vouched` says who knows its images: the edition's own record, the sha256 that the caller gave,
    or nobody beside the archive itself. `new` is whether the images were not there before.
    """

    archive: str
    sha256: str
    manifest: Manifest
    names: Images
    vouched: Vouched
    new: bool
    sources: int


def save(
    path: Path, edition: Edition, exams: Iterable[Exam], engine: Engine, progress: Progress
) -> Written:
    """Write an archive of an edition; build images and fetch sources first if they are not here.

    It holds the sources of all shipped sections, and of those of `exams`. Raises `ExamError`.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"{path} cannot be an archive: name a file in a directory that is there.")
    images = ensure_images(engine, edition, progress)
    sections: list[Section] = [*every_section(), *(s for exam in exams for s in sections_of(exam))]
    sources = {source.sha256: source for section in sections for source in section.sources}
    architecture = architecture_of(engine)
    progress.step("Sources", len(sources))
    files = {}
    for number, source in enumerate(sources.values(), 1):
        found = fetch_source(source, engine, images.workspace, architecture)
        files[f"{source.registry}:{source.package} {source.version}"] = found
        progress.advance(number)
    written = write_archive(path, engine, edition, files, progress)
    digests = {one.role: one.digest for one in written.manifest.images}
    if is_recorded(edition, architecture, digests) is False:
        progress.say(
            f"These images are not those that {edition.edition} records, so an archive of them is "
            "loaded with its --sha256 only; `exam images verify` tells what differs."
        )
    return written


def load(path: Path | None, sha256: str | None, engine: Engine, progress: Progress) -> Loaded:
    """Load an archive from a file, or from standard input when `path` is None.

    Everything is checked before anything is loaded. `sha256` is what the whole archive must have.
    Raises `BadArchive` and other kinds of `ExamError`.
    """
    with _as_file(path, progress) as (descriptor, name, digest):
        if sha256 is not None and digest != sha256:
            raise reading.BadArchive(
                f"{name} has the sha256 {digest} and not the one that you gave: it is another "
                "archive or a damaged copy; nothing was loaded.",
                reason="other_sha256",
            )
        archive = reading.opened(descriptor, name)
        manifest = archive.manifest
        edition = _edition(archive)
        names = installing.check_fits(archive, engine, edition)
        vouched = _vouched(archive, edition, sha256)
        new = not installing.images_there(archive, engine, names)
        installing.check_room(archive, engine, cache_dir(), images=new)
        reading.check(archive, progress, layers=new)
        if new:
            installing.install_images(archive, engine, names, progress)
        sources = installing.install_sources(archive, cache_dir(), progress)
    return Loaded(name, digest, manifest, names, vouched, new, sources)


def _edition(archive: reading.Archive) -> Edition:
    manifest = archive.manifest
    try:
        return load_edition(manifest.edition, manifest.variant)
    except UsageError as error:
        raise reading.BadArchive(
            f"{archive.name} holds the edition {manifest.edition} and this program has none of "
            f"that name: install exam {manifest.program}, which wrote it; nothing was loaded.",
            reason="other_edition",
        ) from error


def _vouched(archive: reading.Archive, edition: Edition, sha256: str | None) -> Vouched:
    """Say who knows the images. Raises `BadArchive` when the edition knows better."""
    manifest = archive.manifest
    digests = {one.role: one.digest for one in manifest.images}
    known = is_recorded(edition, manifest.architecture, digests)
    if known:
        return "recorded"
    if sha256 is not None:
        return "sha256"
    if known is False:
        raise reading.BadArchive(
            f"{archive.name} holds other images than those that the edition {edition.edition} "
            "records. If whoever made it told you its sha256, give that with --sha256; nothing was "
            "loaded.",
            reason="not_recorded",
        )
    return "nobody"


@contextmanager
def _as_file(path: Path | None, progress: Progress) -> Iterator[tuple[int, str, str]]:
    """Yield an open regular file with the archive's bytes, what people call it, and its sha256.

    What comes in a stream is kept on the cache's disk meanwhile, without a name: whatever ends this
    program, it is gone.
    """
    if path is not None and (path.is_dir() or not path.exists()):
        raise UsageError(f"There is no archive {path}: name what `exam images save` wrote.")
    if path is not None and path.is_file():
        with path.open("rb") as whole:
            progress.step("Reading the archive")
            digest = hashlib.file_digest(whole, "sha256").hexdigest()
            yield whole.fileno(), path.name, digest
        return
    place = cache_dir()
    with writing(place):
        place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=place) as kept:
        own = hashlib.sha256()
        progress.step("Receiving the archive, MB")
        with sys.stdin.buffer if path is None else path.open("rb") as stream:
            while piece := stream.read(_PIECE):
                own.update(piece)
                with writing(place):
                    kept.write(piece)
                if kept.tell() > _MOST_BYTES:
                    raise ExamError("What comes in has no end: that is no archive.")
                progress.advance(kept.tell() // 10**6)
        with writing(place):
            kept.flush()
        yield kept.fileno(), "the archive", own.hexdigest()
