"""Are an edition's images what its file records: layers, the bytes in them, settings?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from exam_cli.config.edition import LAYERS, Architecture, BaseKind, Edition, Recorded, Role
from exam_cli.engine.port import Engine, ImageInfo
from exam_cli.errors import EngineUnreachable, ExamError, OurFault
from exam_cli.images.base import base_kind
from exam_cli.images.build import architecture_of, present, references
from exam_cli.images.debian import moved, moved_sentence, packages_of, read_debian_locks
from exam_cli.images.differences import Difference
from exam_cli.images.layers import Layer, saved_layers
from exam_cli.progress import Progress

_DEBIAN_LAYERS = ("Debian base", "Python", "Debian packages")


@dataclass(frozen=True)
class LayerFinding:
    """One layer, by the name that people have for it, and its digests.

    Args:
        digest: what the engine calls the layer's bytes.
        content: what the bytes are; None where the engine cannot read them.
        recorded: what the edition's file says; None where it says nothing.
        rebuilt: what a new build gave; None when there was none.
        differences: the first files in which the new build is another one.
        more: how many further files there are.
    """

    name: str
    digest: str
    content: str | None
    recorded: str | None
    rebuilt: str | None = None
    differences: Sequence[Difference] = ()
    more: int = 0

    @property
    def same(self) -> bool:
        """Whether nothing speaks against it."""
        others = (self.content, self.recorded or self.digest, self.rebuilt or self.digest)
        return all(one == self.digest for one in others)


@dataclass(frozen=True)
class ImageFinding:
    """One image: its environment digests, its layers, and how its settings differ, in words."""

    role: Role
    name: str
    digest: str
    recorded: str | None
    layers: Sequence[LayerFinding]
    rebuilt: str | None = None
    settings: Sequence[str] = ()

    @property
    def same(self) -> bool:
        """Whether nothing speaks against it."""
        digests = (self.recorded or self.digest, self.rebuilt or self.digest)
        return all(one == self.digest for one in digests) and all(one.same for one in self.layers)


@dataclass(frozen=True)
class Finding:
    """What was found of an edition's images; `notes` are sentences about all of it."""

    edition: str
    variant: str
    architecture: Architecture
    base: BaseKind
    images: Sequence[ImageFinding]
    notes: Sequence[str] = field(default=())

    @property
    def compared(self) -> bool:
        """Whether there was anything to compare with."""
        return all(one.recorded or one.rebuilt for one in self.images)

    @property
    def same(self) -> bool:
        """Whether all was compared, and nothing differs."""
        return self.compared and all(one.same for one in self.images)

    def as_json(self) -> dict[str, Any]:
        """Return the object that `exam images verify --json` prints."""
        told = asdict(self)
        for image, found in zip(self.images, told["images"], strict=True):
            found["same"] = image.same
            for layer, one in zip(image.layers, found["layers"], strict=True):
                one["same"] = layer.same
        return {**told, "same": self.same}


def inspect(engine: Engine, edition: Edition, progress: Progress) -> Finding:
    """Compare the images that are here with what the edition records, byte by byte.

    Raises `ExamError` when one is not here.
    """
    architecture = architecture_of(engine)
    names = references(edition, architecture)
    found: dict[Role, ImageInfo] = {}
    for role, image in present(engine, names).items():
        if image is None:
            raise ExamError(
                f"The {role} image of {edition.edition}, {edition.variant}, is not on this engine: "
                f"`exam images build --edition {edition.edition}` makes it."
            )
        found[role] = image
    kind = base_kind(engine, edition, architecture, found["grader"])
    recorded = edition.recorded(architecture, kind)
    progress.step("Reading the layers")
    content = _content(engine, list(found.values()))
    images = [
        _image(role, getattr(names, role), image, recorded[role] if recorded else None, layers)
        for (role, image), layers in zip(found.items(), content, strict=True)
    ]
    notes = _notes(engine, edition, architecture, kind, images)
    return Finding(edition.edition, edition.variant, architecture, kind, images, notes)


def _content(engine: Engine, images: Sequence[ImageInfo]) -> list[list[Layer] | None]:
    """Return the layers as their bytes are; None for an image that the engine cannot read."""
    try:
        found = saved_layers(engine.save([image.id for image in images]))
        return [found.get(tuple(image.layers)) for image in images]
    except (OurFault, EngineUnreachable):
        engine.info()  # raises when it has gone, and then no image is at fault
    if len(images) == 1:
        return [None]
    return [_content(engine, [image])[0] for image in images]


def _image(
    role: Role,
    name: str,
    image: ImageInfo,
    recorded: Recorded | None,
    content: Sequence[Layer] | None,
) -> ImageFinding:
    expected = recorded.layers if recorded else ()
    layers = [
        LayerFinding(
            _at(LAYERS[role], number) or f"layer {number + 1}",
            digest,
            content[number].digest if content and number < len(content) else None,
            _at(expected, number),
        )
        for number, digest in enumerate(image.layers)
    ]
    finding = ImageFinding(role, name, image.digest, recorded.digest if recorded else None, layers)
    if recorded and recorded.layers == tuple(image.layers) and recorded.digest != image.digest:
        words = "something of Env, User, Cmd and their like: `--rebuild` says what"
        return replace(finding, settings=[words])
    return finding


def _at(values: Sequence[str], number: int) -> str | None:
    return values[number] if number < len(values) else None


def _notes(
    engine: Engine,
    edition: Edition,
    architecture: Architecture,
    kind: BaseKind,
    images: Sequence[ImageFinding],
) -> list[str]:
    notes = []
    if any(layer.content is None for image in images for layer in image.layers):
        notes.append(
            "The engine cannot give the bytes that it keeps: they are not what they were. Remove "
            "the image and build it again."
        )
    if images[0].recorded is None:
        notes.append(_unrecorded(edition, architecture, kind))
    elif edition.outdated(architecture):
        notes.append(
            "The digests were recorded of other programs, locks or settings than those that are "
            "here: `--record` records anew, and nobody but who changes an edition needs to."
        )
    differing = {
        layer.name
        for image in images
        for layer in image.layers
        if layer.recorded not in (None, layer.digest)
    }
    if differing & {*_DEBIAN_LAYERS} and kind == "made":
        told = moved_since(engine, edition, architecture, images[-1].name)
        if told:
            notes.append(moved_sentence(edition, architecture, told))
    return notes


def _unrecorded(edition: Edition, architecture: Architecture, kind: BaseKind) -> str:
    words: Mapping[BaseKind, str] = {
        "made": "a base that debootstrap made",
        "pulled": "the published base, pulled by digest",
    }
    if edition.recorded(architecture) is not None:
        other: BaseKind = "pulled" if kind == "made" else "made"
        return (
            f"These images stand on {words[kind]}, and digests are recorded for {words[other]}: "
            "the same packages, other bytes. `--rebuild` compares them with a build of your own."
        )
    return (
        f"No digests are recorded for {edition.edition}, {edition.variant}, on {architecture}: "
        "`--rebuild` compares with a new build, `--record` writes them into the edition's file."
    )


def moved_since(
    engine: Engine, edition: Edition, architecture: Architecture, image: str
) -> list[str]:
    """Return in which Debian packages an image is not what the locks say, in words."""
    locked = read_debian_locks(edition, architecture)
    return moved({**locked.base, **locked.beyond}, packages_of(engine, image))
