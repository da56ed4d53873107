"""Hand an archive's content to the engine and the cache: all of it, or what was there before.

Images go in without names. They get their two names, and no others, when the engine itself says
that they are what the archive names; so whatever ends this on the way, nothing half loaded is used.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from exam_cli.config.edition import Edition, Role
from exam_cli.engine.port import Engine, ImageInfo
from exam_cli.errors import DiskFull, ExamError, OurFault
from exam_cli.fetch.lockfile import sha256_of
from exam_cli.files import appearing, free_bytes, writing
from exam_cli.images.archive import manifest as m
from exam_cli.images.archive.blocks import END, header, padding
from exam_cli.images.archive.reading import Archive, BadArchive
from exam_cli.images.archive.writing import edition_files
from exam_cli.images.build import Images, architecture_of, references
from exam_cli.progress import Progress

_SPARE = 256 << 20  # the engine's own notes, and what others write meanwhile


def check_fits(archive: Archive, engine: Engine, edition: Edition) -> Images:
    """Return the names that the images will have, once the archive is for this program and engine.

    `edition` is the program's own of the archive's name and variant. Raises `ExamError`.
    """
    manifest = archive.manifest
    architecture = architecture_of(engine)
    if manifest.architecture != architecture:
        raise BadArchive(
            f"{archive.name} is for {manifest.architecture} and the engine here runs on "
            f"{architecture}: save one on such a machine; nothing was loaded.",
            reason="other_architecture",
        )
    if manifest.fingerprint != edition.fingerprint(architecture):
        raise BadArchive(_other_edition(archive, edition), reason="other_edition")
    return references(edition, architecture)


def _other_edition(archive: Archive, edition: Edition) -> str:
    from exam_cli import __version__

    manifest = archive.manifest
    own = edition_files(edition, manifest.architecture)
    theirs = {
        one.path.removeprefix(f"{m.EDITION}/"): one.sha256
        for one in manifest.members
        if one.path.startswith(f"{m.EDITION}/")
    }
    differ = [
        name for name in sorted(own.keys() | theirs) if not _same(own.get(name), theirs, name)
    ]
    named = ", ".join(differ[:3]) + (f" and {len(differ) - 3} more" if len(differ) > 3 else "")
    return (
        f"{archive.name} holds the edition {edition.edition} of another program (exam "
        f"{manifest.program}; here is exam {__version__}, and {named or 'its files'} differ), so "
        "`exam up` would not use its images but build its own: install the same program on both "
        "machines, or save the archive again with this one; nothing was loaded."
    )


def _same(own: Path | None, theirs: dict[str, str], name: str) -> bool:
    return own is not None and theirs.get(name) == sha256_of(own)


def check_room(archive: Archive, engine: Engine, cache: Path, *, images: bool) -> None:
    """Raise `DiskFull` when the disk of the cache, or of an engine that is here, is too small."""
    manifest = archive.manifest
    rooms: dict[int, tuple[Path, int]] = {}

    def need(place: Path, count: int) -> None:
        existing = next(one for one in (place, *place.parents) if one.exists())
        disk = existing.stat().st_dev
        rooms[disk] = existing, rooms.get(disk, (existing, _SPARE))[1] + count

    need(cache, sum(one.bytes for one in manifest.source_members()))
    root = Path(engine.info().root_directory)
    if images and root.is_absolute() and root.is_dir() and _is_here():
        # An engine unpacks the stream to files first, and then the layers from there.
        need(root, manifest.unpacked + sum(one.bytes for one in manifest.layers))
    for place, needed in rooms.values():
        free = free_bytes(place)
        if free < needed:
            raise DiskFull(
                f"{archive.name} needs {needed / 1e9:.1f} GB at {place} and {free / 1e9:.1f} GB "
                "are free there: free some and run the same again; nothing was loaded."
            )


def _is_here() -> bool:
    """Say whether the engine's files are this machine's; of another one a path says nothing."""
    address = os.environ.get("DOCKER_HOST", "")
    return not address or address.startswith("unix:")


def images_there(archive: Archive, engine: Engine, names: Images) -> bool:
    """Say whether the engine has both images under their names already."""
    return all(
        (found := engine.image(_name(names, image.role))) is not None
        and found.digest == image.digest
        for image in archive.manifest.images
    )


def install_images(archive: Archive, engine: Engine, names: Images, progress: Progress) -> None:
    """Load both images and name them. Raises `DiskFull`, `OurFault`, `BadArchive`."""
    manifest = archive.manifest
    progress.step("Loading images, MB", sum(one.bytes for one in manifest.layers) // 10**6)
    # As engines name images: by the sha256 of their configuration.
    known = [f"sha256:{one.config}" for one in manifest.images]
    unknown = [identity for identity in known if engine.image(identity) is None]
    try:
        loaded = engine.load(_docker_tar(archive, progress))
    except BaseException:
        for identity in unknown:  # the first may be there when the second finds no room
            with contextlib.suppress(ExamError):
                _forget(engine, identity)
        raise
    found: dict[Role, ImageInfo] = {}
    for identity in loaded:
        image = engine.image(identity)
        for wanted in manifest.images:
            if image is not None and image.digest == wanted.digest:
                found[wanted.role] = image
    if len(found) < len(manifest.images):
        for identity in loaded:
            _forget(engine, identity)
        raise OurFault(
            f"The engine made other images of {archive.name} than its manifest names; they were "
            "removed again: try once more, and look at the engine's log."
        )
    for role, image in found.items():
        engine.tag(image.id, _name(names, role))


def _forget(engine: Engine, identity: str) -> None:
    image = engine.image(identity)
    if image is not None and not image.tags:  # one that had a name already was there before
        engine.remove_image(identity)


def _name(names: Images, role: Role) -> str:
    return names.grader if role == "grader" else names.workspace


def _docker_tar(archive: Archive, progress: Progress) -> Iterator[bytes]:
    """Yield what engines load: the blobs, and a list of our own that gives no image a name."""
    manifest = archive.manifest
    listed = []
    wanted: dict[str, m.Member] = {}
    for image in manifest.images:
        config = manifest.member(f"{m.BLOBS}/{image.config}")
        content = json.loads(b"".join(archive.pieces(config)))
        layers = [manifest.layer(one) for one in content["rootfs"]["diff_ids"]]
        own = [layer for layer in layers if layer is not None]
        listed.append({**m.docker_entry(image.config, own, []), "RepoTags": None})
        wanted[config.path] = config
        wanted |= {
            f"{m.BLOBS}/{one.sha256}": manifest.member(f"{m.BLOBS}/{one.sha256}") for one in own
        }
    sent = 0
    for member in wanted.values():
        yield header(member.path.removeprefix("images/"), member.bytes)
        for piece in archive.pieces(member):
            yield piece
            sent += len(piece)
            progress.advance(sent // 10**6)
        yield bytes(padding(member.bytes))
    content = json.dumps(listed).encode()
    yield header("manifest.json", len(content)) + content + bytes(padding(len(content))) + END


def install_sources(archive: Archive, cache: Path, progress: Progress) -> int:
    """Put the data's sources where they are looked for; return how many were not there yet.

    Raises `DiskFull`, `BadArchive`, `ExamError` when the cache cannot be written.
    """
    members = list(archive.manifest.source_members())
    progress.step("Sources", len(members))
    place = cache / "sources"
    new = 0
    for number, member in enumerate(members, 1):
        target = place / member.sha256
        if not (target.is_file() and sha256_of(target) == member.sha256):
            with writing(target):
                place.mkdir(parents=True, exist_ok=True)
                with appearing(target, mode=0o644) as out:
                    for piece in archive.pieces(member):
                        out.write(piece)
            new += 1
        progress.advance(number)
    return new
