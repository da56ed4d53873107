"""What an archive says of itself, in its first two members; all others are listed there.

    exam-images.sha256      the sha256 of the next member, as `sha256sum` writes and checks it
    exam-images.json        the manifest: a `Manifest` as JSON
    images/oci-layout       from here on in the manifest's order, nothing more and nothing less:
    images/index.json       an OCI image layout, and Docker's own list of the same images, so that
    images/manifest.json    other tools can read them, too
    images/blobs/sha256/... configurations, lists of layers, and each layer once, gzipped
    sources/SHA256          what the sections' data is built from
    edition/...             the edition's file, its locks, and all else that its fingerprint covers

Formats: https://github.com/opencontainers/image-spec (image-layout.md, manifest.md, layer.md).
All members are plain files with the same owner, mode and time, so the same content gives the same
bytes where zlib is the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NoReturn

from exam_cli.config.edition import Architecture, Role, Variant
from exam_cli.config.values import Bounds, Faulty, Length, Like, made, plain
from exam_cli.engine.port import ImageInfo

FORMAT = "exam-images"
VERSION = 1
HASH_NAME = "exam-images.sha256"
NAME = "exam-images.json"
BLOBS = "images/blobs/sha256"
SOURCES = "sources"
EDITION = "edition"

_MOST_BYTES = 1 << 46  # of one member: no header can say more
_Hex = Annotated[str, Like("[0-9a-f]{64}", "64 of the characters 0 to 9 and a to f")]
_Digest = Annotated[str, Like("sha256:[0-9a-f]{64}", "`sha256:` and 64 hexadecimal digits")]
_Size = Annotated[int, Bounds(least=0, most=_MOST_BYTES)]
_Word = Annotated[str, Like(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,79}", "a short word")]
_Path = Annotated[
    str,
    Like(
        rf"(?=.{{1,92}}$)(images|{SOURCES}|{EDITION})(/(?!\.\.?(/|$))[A-Za-z0-9._-]+)+",
        "a path below images, sources or edition of letters, digits, `.`, `_` and `-`",
    ),
]


@dataclass(frozen=True, kw_only=True)
class Member:
    """A file of the archive."""

    path: _Path
    sha256: _Hex
    bytes: _Size


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer: its sha256 unpacked (the image's `diff_id`) and gzipped, and both sizes."""

    diff_id: _Digest
    sha256: _Hex
    bytes: _Size
    unpacked: _Size


@dataclass(frozen=True, kw_only=True)
class ArchivedImage:
    """An image: its environment digest, and the sha256 and size of its configuration."""

    role: Role
    digest: _Digest
    config: _Hex
    config_bytes: Annotated[int, Bounds(least=2, most=1 << 20)]


@dataclass(frozen=True, kw_only=True)
class Source:
    """One of the packages that the sections' data is built from."""

    package: Annotated[str, Length(1, 200)]
    sha256: _Hex


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What is in an archive and what it is for. `program` is the version that wrote it.

    `layers` are in the order in which images need them, bottom first.
    """

    format: Literal["exam-images"]
    version: Annotated[int, Bounds(least=VERSION, most=VERSION)]
    program: _Word
    edition: _Word
    variant: Variant
    architecture: Architecture
    fingerprint: _Hex
    images: Annotated[tuple[ArchivedImage, ...], Length(2, 2)]
    layers: Annotated[tuple[Layer, ...], Length(1, 127)]
    sources: Annotated[tuple[Source, ...], Length(0, 1000)]
    members: Annotated[tuple[Member, ...], Length(1, 5000)]

    def __post_init__(self) -> None:
        if sorted(one.role for one in self.images) != ["grader", "workspace"]:
            raise ValueError("`images` must be one grader and one workspace")
        paths = [one.path for one in self.members]
        if len(set(paths)) < len(paths) or {HASH_NAME, NAME} & set(paths):
            raise ValueError("`members` has a file twice")
        there = {one.path: (one.sha256, one.bytes) for one in self.members}
        blobs = [(one.sha256, one.bytes) for one in self.layers]
        blobs += [(one.config, one.config_bytes) for one in self.images]
        for sha256, size in blobs:
            if there.get(f"{BLOBS}/{sha256}") != (sha256, size):
                raise ValueError("`members` lacks a part of an image")
        for source in self.sources:
            if there.get(f"{SOURCES}/{source.sha256}", ("",))[0] != source.sha256:
                raise ValueError("`members` lacks a source")
        diff_ids = [one.diff_id for one in self.layers]
        if len(set(diff_ids)) < len(diff_ids):
            raise ValueError("`layers` has a layer twice")

    def image(self, role: Role) -> ArchivedImage:
        """Return one of the two images."""
        return next(one for one in self.images if one.role == role)

    def layer(self, diff_id: str) -> Layer | None:
        """Return a layer by its diff id."""
        return next((one for one in self.layers if one.diff_id == diff_id), None)

    def member(self, path: str) -> Member:
        """Return a member by its path. Raises KeyError."""
        for one in self.members:
            if one.path == path:
                return one
        raise KeyError(path)

    def source_members(self) -> Iterator[Member]:
        """Yield the members that sources are."""
        wanted = {f"{SOURCES}/{one.sha256}" for one in self.sources}
        yield from (one for one in self.members if one.path in wanted)

    @property
    def unpacked(self) -> int:
        """Bytes of all layers, unpacked."""
        return sum(one.unpacked for one in self.layers)


class NoManifest(ValueError):
    """Bytes that are no manifest of this version; the message says why, to follow "it"."""


def encoded(manifest: Manifest) -> bytes:
    """Return a manifest as its member holds it."""
    return (json.dumps(plain(manifest), indent=1) + "\n").encode()


def hash_line(content: bytes) -> bytes:
    """Return the member that vouches for the manifest's bytes."""
    return f"{hashlib.sha256(content).hexdigest()}  {NAME}\n".encode()


def decoded(content: bytes) -> Manifest:
    """Return the manifest that a member holds. Raises `NoManifest`."""
    try:
        told = json.loads(content.decode("utf-8"), object_pairs_hook=_once, parse_constant=_never)
    except (ValueError, RecursionError) as error:
        raise NoManifest(f"has a manifest that cannot be read ({error})") from None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise NoManifest("has a manifest of something else")
    version = told.get("version")
    if isinstance(version, int) and version > VERSION:
        program = ascii(str(told.get("program"))[:20])
        raise NoManifest(
            f"was written by a newer version of this program ({program}, format {version}; this "
            f"one knows format {VERSION})"
        )
    try:
        return made(Manifest, told)
    except Faulty as error:
        first = error.faults[0]
        words = f"{'.'.join(map(str, first.place))[:60]}: {first.text}"
        words = "".join(one if one.isprintable() else "?" for one in words)
        raise NoManifest(f"has a faulty manifest ({words})") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def _never(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")


def check_image(image: ArchivedImage, described: ImageInfo, manifest: Manifest) -> str | None:
    """Return what is wrong with an image's configuration by the manifest, or None."""
    if described.digest != image.digest:
        return f"its {image.role} image is not the one that its manifest names"
    if any(manifest.layer(one) is None for one in described.layers):
        return f"a layer of its {image.role} image is missing"
    return None


def layout(
    images: Mapping[str, tuple[bytes, tuple[str, ...]]], layers: Mapping[str, Layer]
) -> dict[str, bytes]:
    """Return the small files of the layout that holds images: path below `images/` -> content.

    Args:
        images: name -> (configuration, diff ids of its layers, bottom first).
        layers: by diff id.
    """
    files: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}\n'}
    index, docker = [], []
    for name, (config, diff_ids) in images.items():
        config_sha256 = hashlib.sha256(config).hexdigest()
        own = [layers[one] for one in diff_ids]
        listed = _json(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": _entry("config.v1+json", config_sha256, len(config)),
                "layers": [_entry("layer.v1.tar+gzip", one.sha256, one.bytes) for one in own],
            }
        )
        listed_sha256 = hashlib.sha256(listed).hexdigest()
        files[f"blobs/sha256/{config_sha256}"] = config
        files[f"blobs/sha256/{listed_sha256}"] = listed
        index.append(
            {
                **_entry("manifest.v1+json", listed_sha256, len(listed)),
                "annotations": {"org.opencontainers.image.ref.name": name},
            }
        )
        docker.append(docker_entry(config_sha256, own, [name]))
    files["index.json"] = _json({"schemaVersion": 2, "manifests": index})
    files["manifest.json"] = _json(docker)
    return files


def docker_entry(config: str, layers: list[Layer], names: list[str]) -> dict[str, Any]:
    """Return an image as Docker's own list has it."""
    blobs = [f"blobs/sha256/{one.sha256}" for one in layers]
    return {"Config": f"blobs/sha256/{config}", "RepoTags": names, "Layers": blobs}


def _entry(kind: str, sha256: str, size: int) -> dict[str, Any]:
    return {
        "mediaType": f"application/vnd.oci.image.{kind}",
        "digest": f"sha256:{sha256}",
        "size": size,
    }


def _json(content: object) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode()
