"""The packages that real data comes from, fetched once and checked against their hash."""

from __future__ import annotations

import tempfile
from pathlib import Path

from exam_cli.config.edition import Architecture
from exam_cli.config.section import Source
from exam_cli.engine.port import Engine
from exam_cli.errors import ExamError, OurFault
from exam_cli.fetch.apt import fetch_exact
from exam_cli.fetch.lockfile import OtherHash, Pin, normal_name, sha256_of
from exam_cli.fetch.npm import npm_pack
from exam_cli.fetch.sdists import fetch_sdist
from exam_cli.fetch.wheels import fetch_wheels
from exam_cli.paths import cache_dir
from exam_cli.progress import SILENT


def fetch_source(source: Source, engine: Engine, image: str, architecture: Architecture) -> Path:
    """Return the archive of a source, from the cache or its registry.

    Args:
        source: what is wanted.
        engine: runs apt for Debian packages, in a container of `image`.
        image: any image with apt in it.
        architecture: of the engine's machine.

    Raises `ExamError` that names the source when it is not served or has another hash.
    """
    archive = cache_dir() / "sources" / source.sha256
    if archive.is_file() and sha256_of(archive) == source.sha256:
        return archive
    archive.parent.mkdir(parents=True, exist_ok=True)
    named = f"The source {source.name} ({source.package} {source.version} from {source.registry})"
    with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        try:
            arrived = _fetch(source, engine, image, architecture, Path(scratch))
        except OurFault:
            raise
        except OtherHash as error:  # whoever fetched it keeps no such file
            raise ExamError(_other_hash(named, source, "another sha256")) from error
        except ExamError as error:
            raise ExamError(f"{named} could not be fetched. {error}") from error
        digest = sha256_of(arrived)
        if digest != source.sha256:
            raise ExamError(_other_hash(named, source, f"sha256 {digest}"))
        arrived.replace(archive)
    return archive


def _other_hash(named: str, source: Source, found: str) -> str:
    return (
        f"{named} has {found}, and section.yaml says {source.sha256}: do not use it; "
        "ask who wrote the section."
    )


def _fetch(
    source: Source, engine: Engine, image: str, architecture: Architecture, scratch: Path
) -> Path:
    if source.registry == "pypi":
        pin = Pin(normal_name(source.package), source.version, frozenset([source.sha256]))
        return _wheel_or_sdist(pin, architecture, scratch)
    if source.registry == "debian":
        return fetch_exact(engine, image, source.suite, source.package, source.version, scratch)[0]
    return npm_pack(source.package, source.version, scratch)


def _wheel_or_sdist(pin: Pin, architecture: Architecture, scratch: Path) -> Path:
    """Fetch whichever file of a release the hash belongs to."""
    try:
        return fetch_wheels([pin], scratch, architecture, "3.11", SILENT)[0]
    except OurFault:
        raise
    except ExamError as error:  # there is no wheel, or it is not the file that is meant
        try:
            return fetch_sdist(pin, scratch)
        except OtherHash:
            raise
        except ExamError:
            raise error from None  # of the two, what is said about wheels is the plainer
