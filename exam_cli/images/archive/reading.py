"""Read an archive that anybody may have made: believe nothing that was not compared.

The manifest comes first and is bounded; every byte behind it is known from it: each member's
header, content (by hash), padding, and the end. So there are no links, no names to get out by,
nothing that unpacks to more than was said, and nothing between or behind.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NoReturn

from exam_cli.engine.image_config import described
from exam_cli.errors import ExamError
from exam_cli.images.archive import manifest as m
from exam_cli.images.archive.blocks import BLOCK, END, header, padding, size_in, whole
from exam_cli.images.archive.packing import TooLarge, cores, unpacked
from exam_cli.progress import Progress

_MOST_MANIFEST = 2 << 20
_PIECE = 1 << 20
_HASH_SIZE = len(m.hash_line(b""))


class BadArchive(ExamError):
    """A file that is no archive, or not as it was made."""

    reason = "bad_archive"


@dataclass(frozen=True)
class Archive:
    """An open archive whose manifest was read.

    Args:
        name: how people call it.
        descriptor: of the open file.
        size: of the whole, in bytes.
        manifest: what it says of itself.
        listed: bytes of the manifest.
        starts: path of a member -> where its content begins.
    """

    name: str
    descriptor: int
    size: int
    manifest: m.Manifest
    listed: int
    starts: dict[str, int]

    def pieces(self, member: m.Member) -> Iterator[bytes]:
        """Yield a member's content, which is compared once more. Raises `BadArchive`."""
        own = hashlib.sha256()
        for piece in self._raw(self.starts[member.path], member.bytes):
            own.update(piece)
            yield piece
        if own.hexdigest() != member.sha256:
            self.damaged(f"{member.path} has another sha256 than its manifest says")

    def _raw(self, start: int, size: int) -> Iterator[bytes]:
        while size:
            piece = os.pread(self.descriptor, min(size, _PIECE), start)
            if not piece:
                self.damaged("it became shorter while it was read")
            start, size = start + len(piece), size - len(piece)
            yield piece

    def damaged(self, why: str) -> NoReturn:
        """Raise what is told of an archive that is not as it was made."""
        raise BadArchive(f"{self.name} is damaged ({why}): {_AGAIN}")


_AGAIN = (
    "copy it again and compare its sha256 with the one that `exam images save` printed; "
    "nothing of it was loaded."
)


def opened(descriptor: int, name: str) -> Archive:
    """Return the archive in an open file, once its manifest is whole; the file stays the caller's.

    Raises `BadArchive`, or OSError.
    """
    size = os.fstat(descriptor).st_size

    def foreign() -> NoReturn:
        raise BadArchive(
            f"{name} is no archive of images, or its beginning is damaged: `exam images save` "
            "writes one; nothing was loaded."
        )

    def read(start: int, length: int) -> bytes:
        found = b""
        while len(found) < length:
            piece = os.pread(descriptor, length - len(found), start + len(found))
            if not piece:
                raise BadArchive(f"{name} ends after {size} bytes, before its list: {_AGAIN}")
            found += piece
        return found

    if size < BLOCK or read(0, BLOCK) != header(m.HASH_NAME, _HASH_SIZE):
        foreign()
    hash_line = read(BLOCK, _HASH_SIZE)
    place = whole(_HASH_SIZE)
    length = size_in(read(place, BLOCK), m.NAME)
    if length is None or length > _MOST_MANIFEST:
        foreign()
    content = read(place + BLOCK, length)
    if m.hash_line(content) != hash_line:
        raise BadArchive(f"{name} is damaged (its list has another sha256): {_AGAIN}")
    try:
        manifest = m.decoded(content)
    except m.NoManifest as error:
        raise BadArchive(f"{name} {error}: nothing was loaded.") from error
    starts, place = {}, place + whole(length)
    for member in manifest.members:
        starts[member.path] = place + BLOCK
        place += whole(member.bytes)
    place += len(END)
    if size < place:
        raise BadArchive(
            f"{name} ends early, after {size} of {place} bytes, so it is not all there: {_AGAIN}"
        )
    if size > place:
        raise BadArchive(f"{name} has {size - place} bytes behind its end: {_AGAIN}")
    return Archive(name, descriptor, size, manifest, length, starts)


def check(archive: Archive, progress: Progress, *, layers: bool = True) -> None:
    """Compare every byte with what the manifest says of it.

    Args:
        archive: an open one.
        progress: told how far it is.
        layers: whether layers are unpacked, too, and compared with their diff ids.

    Raises `BadArchive`.
    """
    manifest = archive.manifest
    _check_between(archive)
    by_path = {f"{m.BLOBS}/{one.sha256}": one for one in manifest.layers} if layers else {}
    progress.step("Checking the archive, MB", archive.size // 10**6)
    largest_first = sorted(manifest.members, key=lambda one: -one.bytes)
    done = 0
    with ThreadPoolExecutor(cores()) as workers:

        def check_one(member: m.Member) -> int:
            layer = by_path.get(member.path)
            if layer is None:
                for _ in archive.pieces(member):
                    pass
            else:
                _check_layer(archive, member, layer)
            return member.bytes

        for size in workers.map(check_one, largest_first):
            done += size
            progress.advance(done // 10**6)
    for image in manifest.images:
        member = manifest.member(f"{m.BLOBS}/{image.config}")
        try:
            found = described(b"".join(archive.pieces(member)))
        except (ValueError, RecursionError) as error:
            archive.damaged(f"{member.path} is no configuration of an image: {error}")
        wrong = m.check_image(image, found, manifest)
        if wrong is not None:
            archive.damaged(wrong)


def _check_between(archive: Archive) -> None:
    """Compare what lies between the members' contents: headers, padding and the end."""

    def expect(content: bytes, start: int, what: str) -> None:
        if os.pread(archive.descriptor, len(content), start) != content:
            archive.damaged(what)

    place = 0
    for size in (_HASH_SIZE, archive.listed):
        gap = bytes(padding(size))
        expect(gap, place + BLOCK + size, "something stands where nothing may")
        place += whole(size)
    for member in archive.manifest.members:
        start = archive.starts[member.path]
        expect(
            header(member.path, member.bytes), start - BLOCK, f"{member.path} has another header"
        )
        gap = bytes(padding(member.bytes))
        expect(gap, start + member.bytes, f"something follows {member.path}")
    expect(END, archive.size - len(END), "its end is missing")


def _check_layer(archive: Archive, member: m.Member, layer: m.Layer) -> None:
    own, size = hashlib.sha256(), 0
    try:
        for piece in unpacked(archive.pieces(member), layer.unpacked):
            own.update(piece)
            size += len(piece)
    except TooLarge:
        archive.damaged(f"{member.path} unpacks to more than its manifest says")
    except ValueError as error:
        archive.damaged(f"{member.path} cannot be unpacked: {error}")
    if f"sha256:{own.hexdigest()}" != layer.diff_id or size != layer.unpacked:
        archive.damaged(f"{member.path} does not unpack to the layer that its manifest names")
