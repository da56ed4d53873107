"""Make an archive: read the images off the engine, pack each layer once, put all of it together."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import shutil
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from exam_cli import __version__
from exam_cli.config.edition import Edition, Role, jupyter, jupyter_folder, programs
from exam_cli.engine.image_config import described
from exam_cli.engine.port import Engine, ImageInfo
from exam_cli.errors import DiskFull, OurFault
from exam_cli.fetch.lockfile import sha256_of
from exam_cli.files import appearing, free_bytes, locked, sync_directory, writing
from exam_cli.images.archive import manifest as m
from exam_cli.images.archive.blocks import END, header, padding
from exam_cli.images.archive.packing import cores, pack, unpacked
from exam_cli.images.build import architecture_of, present, references
from exam_cli.paths import resource
from exam_cli.progress import Progress

_PIECE = 1 << 20
_MOST_SMALL = 1 << 20
_MOST_LAYER = 1 << 40


@dataclass(frozen=True)
class Written:
    """An archive that was made."""

    path: Path
    sha256: str
    bytes: int
    manifest: m.Manifest


@dataclass(frozen=True)
class _Part:
    """What becomes a member: a file, or bytes."""

    content: Path | bytes
    sha256: str
    bytes: int
    temporary: bool = False

    def member(self, path: str) -> m.Member:
        return m.Member(path=path, sha256=self.sha256, bytes=self.bytes)


def write_archive(
    path: Path,
    engine: Engine,
    edition: Edition,
    sources: Mapping[str, Path],
    progress: Progress,
) -> Written:
    """Write an edition's images, which are on the engine, and more to a new archive.

    Args:
        path: the archive; what is there is replaced when the new one is whole.
        engine: holds the images.
        edition: whose images.
        sources: package -> its file, what sections' data is built from.
        progress: told how far it is.

    Raises `DiskFull`, `OurFault` when an image is not as the engine says, `ExamError`.
    """
    architecture = architecture_of(engine)
    names = references(edition, architecture)
    images: dict[Role, ImageInfo] = {}
    for role, image in present(engine, names).items():
        if image is None:
            raise OurFault(f"The {role} image is not on the engine: run `exam images build`.")
        images[role] = image
    _check_room(path, max(one.size for one in images.values()), sources)
    with writing(path), _scratch_beside(path) as scratch:
        configs, layers = _read_images(engine, images, scratch, progress)
        tags: dict[Role, str] = {"grader": names.grader, "workspace": names.workspace}
        small = m.layout(
            {tags[role]: (configs[role], tuple(images[role].layers)) for role in images}, layers
        )
        parts = {f"images/{name}": _bytes_part(content) for name, content in small.items()}
        for layer in layers.values():
            blob = scratch / layer.diff_id.removeprefix("sha256:")
            parts[f"{m.BLOBS}/{layer.sha256}"] = _Part(blob, layer.sha256, layer.bytes, True)
        digests = {package: sha256_of(one) for package, one in sorted(sources.items())}
        for package, sha256 in digests.items():
            source = sources[package]
            parts[f"{m.SOURCES}/{sha256}"] = _Part(source, sha256, source.stat().st_size)
        for name, source in edition_files(edition, architecture).items():
            parts[f"{m.EDITION}/{name}"] = _bytes_part(source.read_bytes())
        manifest = m.Manifest(
            format="exam-images",
            version=m.VERSION,
            program=__version__,
            edition=edition.edition,
            variant=edition.variant,
            architecture=architecture,
            fingerprint=edition.fingerprint(architecture),
            images=tuple(
                m.ArchivedImage(
                    role=role,
                    digest=images[role].digest,
                    config=hashlib.sha256(configs[role]).hexdigest(),
                    config_bytes=len(configs[role]),
                )
                for role in images
            ),
            layers=tuple(layers.values()),
            sources=tuple(
                m.Source(package=package, sha256=sha256) for package, sha256 in digests.items()
            ),
            members=tuple(part.member(name) for name, part in parts.items()),
        )
        with appearing(scratch / "whole", mode=0o644) as out:
            digest, size = _put_together(manifest, list(parts.values()), out, progress)
        (scratch / "whole").replace(path)
        sync_directory(path.parent)
    return Written(path, digest, size, manifest)


@contextmanager
def _scratch_beside(path: Path) -> Iterator[Path]:
    """Yield an empty directory beside the archive: /tmp may be small, and this becomes as large.

    It has one name, so that what a killed save left there goes now.
    """
    scratch = path.with_name(f".{path.name}.part")
    scratch.mkdir(exist_ok=True)
    with locked(scratch / "lock", 1.0):
        try:
            for old in scratch.iterdir():
                if old.name != "lock":
                    old.unlink()
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def edition_files(edition: Edition, architecture: str) -> dict[str, Path]:
    """Return what decides an edition's images, as files by the name they have in an archive."""
    images = resource("images")
    files = {name: images / name for name in ("Dockerfile", "collect", "trim.py")}
    for path in sorted(edition.directory.iterdir()):
        kind = path.suffixes[-2:]
        if path.is_file() and (path.suffix != ".lock" or f".{architecture}" in kind):
            files[path.name] = path
    files |= {f"programs/{path.name}": path for path in programs()}
    files |= {f"jupyter/{path.relative_to(jupyter_folder())}": path for path in jupyter()}
    return files


def _bytes_part(content: bytes) -> _Part:
    return _Part(content, hashlib.sha256(content).hexdigest(), len(content))


def _check_room(path: Path, unpacked: int, sources: Mapping[str, Path]) -> None:
    # Packed to 0.4 of it at most, and twice there while the archive is put together.
    needed = int(0.8 * unpacked) + sum(one.stat().st_size for one in sources.values())
    free = free_bytes(path.parent)
    if free < needed:
        raise DiskFull(
            f"The archive needs about {needed / 1e9:.1f} GB while it is written, and "
            f"{path.parent} has {free / 1e9:.1f} GB free: free some, or name a larger disk."
        )


def _read_images(
    engine: Engine, images: Mapping[Role, ImageInfo], scratch: Path, progress: Progress
) -> tuple[dict[Role, bytes], dict[str, m.Layer]]:
    """Read images off the engine; pack their layers to files named by diff id.

    Returns configurations, and layers by diff id in the order in which images need them.
    """
    wanted = list(dict.fromkeys(one for image in images.values() for one in image.layers))
    packed: dict[str, m.Layer] = {}
    small: list[bytes] = []
    progress.step("Packing images, MB", max(one.size for one in images.values()) // 10**6)
    read = 0

    def counted(pieces: Iterable[bytes]) -> Iterator[bytes]:
        nonlocal read
        for piece in pieces:
            read += len(piece)
            progress.advance(read // 10**6)
            yield piece

    identities = [one.id for one in images.values()]
    try:
        with (
            contextlib.closing(_Pipe(engine.save(identities))) as pipe,
            tarfile.open(fileobj=cast(IO[bytes], pipe), mode="r|", bufsize=_PIECE) as tar,
            ThreadPoolExecutor(cores()) as workers,
        ):
            for info in tar:
                stream = tar.extractfile(info) if info.isreg() else None
                if stream is None:
                    continue
                pieces: Iterable[bytes] = iter(functools.partial(stream.read, _PIECE), b"")
                if info.size <= _MOST_SMALL:
                    pieces = small[len(small) :] = [b"".join(pieces)]
                # Configurations, and lists of layers: no layer begins so, however it is packed.
                if info.size <= _MOST_SMALL and small[-1][:1] in (b"{", b"["):
                    continue
                draft = scratch / "layer"
                with draft.open("wb") as out:
                    found = pack(counted(_plain(pieces)), out, workers)
                diff_id = f"sha256:{found.raw_sha256}"
                if diff_id in wanted and diff_id not in packed:
                    draft.replace(scratch / found.raw_sha256)
                    packed[diff_id] = m.Layer(
                        diff_id=diff_id,
                        sha256=found.sha256,
                        bytes=found.bytes,
                        unpacked=found.raw_bytes,
                    )
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise OurFault("The engine broke off while it gave its images: run it again.") from error
    missing = [one for one in wanted if one not in packed]
    if missing:
        raise OurFault(f"The engine gave no layer {missing[0]} of its images: build them again.")
    configs = {role: _config(image, small) for role, image in images.items()}
    return configs, {one: packed[one] for one in wanted}


def _plain(pieces: Iterable[bytes]) -> Iterable[bytes]:
    """Return what is packed by an engine that keeps layers packed, and anything else as it is."""
    begun = iter(pieces)
    first = next(begun, b"")
    every = itertools.chain([first], begun)
    return unpacked(every, _MOST_LAYER) if first.startswith(b"\x1f\x8b") else every


def _config(image: ImageInfo, small: Sequence[bytes]) -> bytes:
    for blob in small:
        with contextlib.suppress(ValueError):
            found = described(blob)
            if found.digest == image.digest and found.layers == tuple(image.layers):
                return blob
    raise OurFault("The engine gave no configuration of an image that it has: build it again.")


def _put_together(
    manifest: m.Manifest, parts: Sequence[_Part], out: IO[bytes], progress: Progress
) -> tuple[str, int]:
    """Write all members; return the sha256 and size of the whole.

    Raises `OurFault` when a file has changed since it was looked at.
    """
    total = hashlib.sha256()
    content = m.encoded(manifest)
    progress.step("Writing the archive, MB", sum(one.bytes for one in manifest.members) // 10**6)
    written = 0

    def write(data: bytes) -> None:
        nonlocal written
        total.update(data)
        written += out.write(data)
        progress.advance(written // 10**6)

    for name, data in ((m.HASH_NAME, m.hash_line(content)), (m.NAME, content)):
        write(header(name, len(data)) + data + bytes(padding(len(data))))
    for member, part in zip(manifest.members, parts, strict=True):
        write(header(member.path, member.bytes))
        own = hashlib.sha256()
        for piece in _pieces(part.content):
            own.update(piece)
            write(piece)
        if own.hexdigest() != member.sha256:
            raise OurFault(f"{part.content!s} changed while it was packed: run the same again.")
        write(bytes(padding(member.bytes)))
        if part.temporary and isinstance(part.content, Path):
            part.content.unlink()
    write(END)
    return total.hexdigest(), written


def _pieces(content: Path | bytes) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as stream:
        while piece := stream.read(_PIECE):
            yield piece


class _Pipe:
    """What an engine yields, as a file to read from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, none at the end."""
        if not self._rest:
            self._rest = memoryview(next(self._pieces, b""))
        piece, self._rest = self._rest[:size], self._rest[size:]
        return bytes(piece)

    def close(self) -> None:
        """Let go of the engine."""
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()
