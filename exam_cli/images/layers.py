"""What is in an image's layers, read from the tar that an engine saves it as.

Formats: https://github.com/moby/moby/blob/master/image/spec/spec.md (`manifest.json` names each
image's layers, in order) and, for layers that an engine keeps packed, gzip.
"""

from __future__ import annotations

import hashlib
import io
import json
import posixpath
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from exam_cli.errors import OurFault

_PIECE = 1 << 20
_GZIP = b"\x1f\x8b"
_MANIFEST = "manifest.json"
_KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "link",
    tarfile.LNKTYPE: "hard link",
}


@dataclass(frozen=True)
class File:
    """One entry of a layer. `content` is the sha256 of a file, or where a link leads."""

    kind: str
    mode: int
    owner: tuple[int, int]
    time: int
    content: str


@dataclass(frozen=True)
class Layer:
    """A layer: the sha256 of its bytes, unpacked, and its files by name if they were asked for."""

    digest: str
    files: Mapping[str, File]


class _Pieces:
    """Pieces of bytes as a stream to read; what was read is counted in `digest`."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._kept = b""
        self.digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """Return so many bytes; fewer at the end only."""
        while len(self._kept) < size and (piece := next(self._pieces, None)) is not None:
            self._kept += piece
        found, self._kept = self._kept[:size], self._kept[size:]
        self.digest.update(found)
        return found

    def drain(self) -> None:
        """Read what is left."""
        while self.read(_PIECE):
            pass


class _Saved:
    """The same without a digest: what an engine sends is large, and its layers are hashed."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._kept = memoryview(b"")

    def read(self, size: int) -> bytes:
        found = []
        while size:
            if not self._kept:
                self._kept = memoryview(next(self._pieces, b""))
                if not self._kept:
                    break
            found.append(self._kept[:size])
            self._kept = self._kept[len(found[-1]) :]
            size -= len(found[-1])
        return b"".join(found)


def saved_layers(
    saved: Iterable[bytes], *, files: bool = False
) -> dict[tuple[str, ...], list[Layer]]:
    """Return the layers of each image in what an engine saved, bottom first.

    By the digests that the image's configuration says they have: engines save in any order.

    Args:
        saved: the tar, in pieces.
        files: whether to look into the layers.

    Raises `OurFault` when it is no such tar, or is cut off.
    """
    found: dict[str, Layer] = {}
    links: dict[str, str] = {}
    kept: dict[str, bytes] = {}
    manifest: list[dict[str, Any]] = []
    try:
        with tarfile.open(fileobj=_Saved(saved), mode="r|", bufsize=_PIECE) as tar:  # type: ignore[call-overload]
            for member in tar:
                stream = tar.extractfile(member) if member.isreg() else None
                if member.issym():
                    here = posixpath.dirname(member.name)
                    links[member.name] = posixpath.normpath(posixpath.join(here, member.linkname))
                elif stream is not None and member.name == _MANIFEST:
                    manifest = json.load(stream)
                elif stream is not None:
                    if member.size <= _PIECE:  # it may be a configuration
                        kept[member.name] = stream.read()
                        stream = io.BytesIO(kept[member.name])
                    found[member.name] = _layer(stream, files)
        if not manifest:
            raise tarfile.ReadError("it ends early")
        return {
            tuple(json.loads(kept[image["Config"]])["rootfs"]["diff_ids"]): [
                found[links.get(one, one)] for one in image["Layers"]
            ]
            for image in manifest
        }
    except (tarfile.TarError, KeyError, TypeError, ValueError, zlib.error) as error:
        raise OurFault(
            f"What the engine gave of the image cannot be read ({error}): try again."
        ) from error


def _layer(stream: IO[bytes], files: bool) -> Layer:
    pieces = _Pieces(_unpacked(stream))
    found = {}
    if files:
        try:
            with tarfile.open(fileobj=pieces, mode="r|", bufsize=_PIECE) as tar:  # type: ignore[call-overload]
                found = {member.name: _file(tar, member) for member in tar}
        except tarfile.ReadError:
            pass  # a configuration, or another note of the engine's
    pieces.drain()
    return Layer(f"sha256:{pieces.digest.hexdigest()}", found)


def _unpacked(stream: IO[bytes]) -> Iterator[bytes]:
    first = stream.read(_PIECE)
    unpack = zlib.decompressobj(wbits=31) if first.startswith(_GZIP) else None
    piece = first
    while piece:
        yield unpack.decompress(piece) if unpack else piece
        piece = stream.read(_PIECE)


def _file(tar: tarfile.TarFile, member: tarfile.TarInfo) -> File:
    stream = tar.extractfile(member) if member.isreg() else None
    content = member.linkname
    if stream is not None:
        content = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
    owner = member.uid, member.gid
    kind = _KINDS.get(member.type, "device")
    return File(kind, member.mode & 0o7777, owner, int(member.mtime), content)
