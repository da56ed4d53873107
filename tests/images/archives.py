"""Archives of small images, and what strangers make of them."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exam_cli.config.edition import Edition
from exam_cli.engine.fake import FakeEngine
from exam_cli.engine.fake_images import Held, held
from exam_cli.images.archive.blocks import END, header, padding
from exam_cli.images.archive.manifest import HASH_NAME, NAME, hash_line
from exam_cli.images.archive.writing import Written, write_archive
from exam_cli.images.build import references
from exam_cli.progress import SILENT

SHARED = b"what both stand on" * 50_000
IMAGES = {
    "grader": held([SHARED, b"programs"], Env=["PATH=/opt/exam/bin"], User="65534:65534"),
    "workspace": held([SHARED, b"jupyter" * 1000, b"programs"], Env=["PATH=/opt/exam/bin"]),
}


def stocked(edition: Edition, images: Mapping[str, Held] = IMAGES) -> FakeEngine:
    """Return an engine that has an edition's images."""
    engine = FakeEngine()
    names = references(edition, "x86_64")
    for role, image in images.items():
        engine.store.keep(image, getattr(names, role))
    return engine


def made(path: Path, edition: Edition, engine: FakeEngine | None = None) -> Written:
    """Write an archive with two sources."""
    place = path.parent / "sources"
    place.mkdir(exist_ok=True)
    sources = {}
    for package in ("pypi:one 1.0", "debian:two 2.0"):
        sources[package] = place / package.split(":")[0]
        sources[package].write_bytes(package.encode() * 1000)
    return write_archive(path, engine or stocked(edition), edition, sources, SILENT)


@dataclass
class Forgery:
    """An archive taken apart: change what you like, and put it together as a stranger would."""

    manifest: dict[str, Any]
    contents: dict[str, bytes]
    headers: dict[str, bytes] = field(default_factory=dict)

    def put(self, path: str, content: bytes) -> None:
        """Give a member, new or not, this content, and have the manifest agree."""
        self.contents[path] = content
        entry = {"path": path, "sha256": sha256(content), "bytes": len(content)}
        others = [one for one in self.manifest["members"] if one["path"] != path]
        self.manifest["members"] = [*others, entry]

    def member(self, sha256: str) -> dict[str, Any]:
        """Return what the manifest says of a member."""
        (found,) = (one for one in self.manifest["members"] if one["sha256"] == sha256)
        return found

    def put_config(self, role: str, config: bytes) -> None:
        """Give an image another configuration, and have all but its digest agree."""
        self.put(f"images/blobs/sha256/{sha256(config)}", config)
        for image in self.manifest["images"]:
            if image["role"] == role:
                image.update(config=sha256(config), config_bytes=len(config))

    def bytes(self) -> bytes:
        """Return the archive."""
        listed = (json.dumps(self.manifest) + "\n").encode()
        out = io.BytesIO()
        for path, content in {HASH_NAME: hash_line(listed), NAME: listed}.items():
            out.write(header(path, len(content)) + content + bytes(padding(len(content))))
        for member in self.manifest["members"]:
            content = self.contents[member["path"]]
            out.write(self.headers.get(member["path"], header(member["path"], len(content))))
            out.write(content + bytes(padding(len(content))))
        return out.getvalue() + END


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def taken_apart(archive: bytes) -> Forgery:
    """Return an archive's parts."""
    contents: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for info in tar:
            stream = tar.extractfile(info)
            assert stream is not None
            contents[info.name] = stream.read()
    return Forgery(json.loads(contents[NAME]), contents)


def forged(archive: bytes, change: Callable[[Forgery], object]) -> bytes:
    """Return an archive as a stranger changes it."""
    forgery = taken_apart(archive)
    change(forgery)
    return forgery.bytes()
