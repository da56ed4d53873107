"""Images of the fake engine: configurations and layers in memory; and a registry for them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from exam_cli.engine.image_config import described
from exam_cli.engine.port import ImageInfo
from exam_cli.errors import ExamError, OurFault


@dataclass(frozen=True)
class Held:
    """An image: its configuration as the OCI format has it, and its layers, unpacked."""

    config: bytes
    layers: tuple[bytes, ...]

    @property
    def id(self) -> str:
        """The sha256 of the configuration, as on any engine."""
        return _digest(self.config)


def held(layers: Sequence[bytes], architecture: str = "amd64", **containers: Any) -> Held:
    """Return an image of these layers; `containers` are what it says of how they start."""
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": containers,
        "rootfs": {"type": "layers", "diff_ids": [_digest(one) for one in layers]},
    }
    return Held(json.dumps(config).encode(), tuple(layers))


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass
class ImageStore:
    """The images of an engine, by id, and the names that they have. `kept` is a registry's."""

    images: dict[str, Held] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def find(self, reference: str) -> ImageInfo | None:
        """Return an image by name or id."""
        found = self.images.get(self.names.get(reference, reference))
        if found is None:
            return None
        tags = tuple(sorted(name for name, one in self.names.items() if one == found.id))
        return replace(described(found.config, sum(map(len, found.layers))), tags=tags)

    def keep(self, image: Held, name: str | None = None) -> None:
        """Take an image in, under a name if one is given."""
        self.images[image.id] = image
        if name is not None:
            self.names[name] = image.id

    def tag(self, reference: str, name: str) -> None:
        """Name an image."""
        identity = self.names.get(reference, reference)
        if identity not in self.images:
            raise OurFault(f"The engine could not name an image: there is no {reference}")
        self.names[name] = identity

    def forget(self, reference: str) -> None:
        """Take a name away, and with its last one the image; an id takes all."""
        identity = self.names.pop(reference, reference)
        if reference == identity:
            self.names = {name: one for name, one in self.names.items() if one != identity}
        if identity not in self.names.values():
            self.images.pop(identity, None)

    def save(self, references: Sequence[str]) -> Iterator[bytes]:
        """Yield what `docker save` of an engine before 25 writes."""
        out, listed = io.BytesIO(), []
        there: dict[str, str] = {}
        with tarfile.open(fileobj=out, mode="w") as tar:
            for reference in references:
                image = self.images[self.names.get(reference, reference)]
                config, layers = f"{image.id[7:]}.json", []
                for layer in image.layers:
                    name = f"{len(there)}/layer.tar"
                    if _digest(layer) not in there:
                        there[_digest(layer)] = name
                        _add(tar, name, layer)
                    layers.append(there[_digest(layer)])
                _add(tar, config, image.config)
                listed.append({"Config": config, "RepoTags": None, "Layers": layers})
            _add(tar, "manifest.json", json.dumps(listed).encode())
        yield out.getvalue()

    def load(self, pieces: Iterable[bytes]) -> list[str]:
        """Take in what `save` gave; nothing of it when it is not whole."""
        content = b"".join(pieces)
        try:
            with tarfile.open(fileobj=io.BytesIO(content)) as tar:
                files = {one.name: tar.extractfile(one) for one in tar if one.isreg()}
                members = {name: stream.read() for name, stream in files.items() if stream}
            listed = json.loads(members["manifest.json"])
            found = [_loaded(one, members) for one in listed]
        except (tarfile.TarError, KeyError, ValueError, OSError) as error:
            raise OurFault(f"The engine could not load images: {error}") from error
        for one, image in zip(listed, found, strict=True):
            self.keep(image)
            for name in one["RepoTags"] or ():
                self.names[name] = image.id
        return [image.id for image in found]


def _loaded(listed: dict[str, Any], members: dict[str, bytes]) -> Held:
    blobs = [members[name] for name in listed["Layers"]]
    layers = tuple(gzip.decompress(one) if one[:2] == b"\x1f\x8b" else one for one in blobs)
    image = Held(members[listed["Config"]], layers)
    if described(image.config).layers != tuple(map(_digest, layers)):
        raise ValueError("invalid diffID for a layer")
    return image


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


@dataclass
class FakeRegistry:
    """Registries, all in one: images by name and digest."""

    reachable: bool = True
    images: dict[str, Held] = field(default_factory=dict)

    def push(self, name: str, image: Held) -> str:
        """Keep an image; return its digest."""
        self._answer(name)
        repository = name.rpartition(":")[0]
        digest = _digest(json.dumps([image.id, "manifest"]).encode())
        self.images[f"{repository}@{digest}"] = image
        return digest

    def get(self, reference: str) -> Held:
        """Return an image by digest."""
        self._answer(reference)
        if reference not in self.images:
            raise ExamError(f"The registry has no {reference}.", reason="not_there")
        return self.images[reference]

    def _answer(self, name: str) -> None:
        if not self.reachable:
            raise ExamError(f"No registry answers for {name}.", reason="registry_unreachable")
