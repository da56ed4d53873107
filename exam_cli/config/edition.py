"""edition.yaml: one pinned environment."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from exam_cli.config.edition_check import faults_of
from exam_cli.config.load import load
from exam_cli.config.suites import RELEASES, Release, Suite
from exam_cli.config.values import Bounds, Fault, Length, Like, plain
from exam_cli.errors import UsageError
from exam_cli.paths import resource

DEFAULT_EDITION = "tf2.21"

Architecture = Literal["x86_64", "aarch64"]
Variant = Literal["cpu", "gpu"]
Role = Literal["grader", "workspace"]
# A base that debootstrap made on this machine, or the published one, pulled by digest: the same
# packages, not the same bytes.
BaseKind = Literal["made", "pulled"]
Sha256 = Annotated[
    str, Like("sha256:[0-9a-f]{64}", "`sha256:` and 64 of the characters 0 to 9 and a to f")
]

# What people call the layers of images/Dockerfile, bottom first.
_SHARED = ("Debian base", "Python", "TensorFlow's wheels")
LAYERS: Mapping[Role, tuple[str, ...]] = {
    "grader": (*_SHARED, "programs"),
    "workspace": (
        *_SHARED,
        *("Debian packages", "accounts", "workspace's wheels", "Jupyter", "programs"),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Base:
    """The published image that is the same thing as debootstrap's result, ready-made."""

    image: str
    digest: Sha256

    @property
    def reference(self) -> str:
        """Return what it is pulled by: its digest, and never its tag."""
        name, _, tag = self.image.rpartition(":")
        if "/" in tag or not name:  # no tag: what follows the colon is a registry's port
            name = self.image
        return f"{name}@{self.digest}"


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What every build of an image gives: its environment digest, and its layers' diff ids."""

    digest: Sha256
    layers: Annotated[tuple[Sha256, ...], Length(1)]


@dataclass(frozen=True, kw_only=True)
class Digests:
    """What every build of one variant gives on one architecture and one kind of base.

    `fingerprint` is the edition's own at that time: with another one the record is out of date.
    """

    architecture: Architecture
    variant: Variant
    base: BaseKind
    grader: Recorded
    workspace: Recorded
    fingerprint: (
        Annotated[str, Like("[0-9a-f]{64}", "64 of the characters 0 to 9 and a to f")] | None
    ) = None


@dataclass(frozen=True, kw_only=True)
class DebianPackages:
    """Packages asked for by name; their closure is in the lock."""

    python: tuple[str, ...]
    workspace: tuple[str, ...]


# What an edition's file says, or is told, that leaves the images as they are.
_NOT_CONTENT = ("digests", "variant")


@dataclass(frozen=True, kw_only=True)
class Edition:
    """One environment: Debian suite, Python, TensorFlow, and the locks beside the file.

    `epoch` is the time, in seconds, that every file in every layer carries. `digests` say what came
    of it, and decide nothing. `variant` is not for the file to say: both share it, and the locks of
    everything but TensorFlow. `from_source` names packages of which there are no wheels: the
    image's build makes them from the source that the lock names.
    """

    edition: str
    suite: Suite
    python: str
    tensorflow: str
    keras: str
    base: Base
    debian: DebianPackages
    epoch: Annotated[int, Bounds(least=0)]
    architectures: Annotated[tuple[Architecture, ...], Length(1)] = ("x86_64", "aarch64")
    from_source: tuple[str, ...] = ()
    digests: tuple[Digests, ...] = ()
    variant: Variant = "cpu"

    @property
    def release(self) -> Release:
        """What the suite brings."""
        return RELEASES[self.suite]

    @property
    def directory(self) -> Path:
        """Return the folder that holds the edition's file and locks."""
        return resource("images", "editions", self.edition)

    def lock(self, layer: str, architecture: Architecture) -> Path:
        """Return a lock: `layer` is tools, tensorflow, workspace or debian."""
        if layer == "tensorflow" and self.variant != "cpu":
            layer = f"tensorflow-{self.variant}"
        return self.directory / f"{layer}.{architecture}.lock"

    def variants(self, architecture: Architecture) -> tuple[Variant, ...]:
        """Return the variants that are locked for an architecture."""
        kinds: tuple[Variant, ...] = get_args(Variant)
        locks = {
            kind: replace(self, variant=kind).lock("tensorflow", architecture) for kind in kinds
        }
        return tuple(kind for kind, lock in locks.items() if lock.is_file())

    def fingerprint(self, architecture: Architecture) -> str:
        """Return a sha256 over everything that decides what the images contain."""
        said = {name: value for name, value in plain(self).items() if name not in _NOT_CONTENT}
        digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
        images = resource("images")
        files = [images / name for name in ("Dockerfile", "collect", "trim.py")]
        files += [self.lock(layer, architecture) for layer in ("tools", "tensorflow", "workspace")]
        debian = (self.lock(layer, architecture) for layer in ("base", "debian"))
        files += [lock for lock in debian if lock.is_file()]
        files += programs() + jupyter()
        for path in files:
            content = path.read_bytes()
            digest.update(f"{path.name}:{len(content)}:".encode() + content)
        return digest.hexdigest()

    def outdated(self, architecture: Architecture) -> bool:
        """Say whether something was recorded of this variant, and what decides it has changed."""
        recorded = {
            one.fingerprint
            for one in self.digests
            if (one.architecture, one.variant) == (architecture, self.variant) and one.fingerprint
        }
        return bool(recorded) and self.fingerprint(architecture) not in recorded

    def recorded(
        self, architecture: Architecture, base: BaseKind | None = None
    ) -> Mapping[Role, Recorded] | None:
        """Return what this variant's builds give, on that kind of base or on any; None: unknown."""
        for one in self.digests:
            same = (one.architecture, one.variant) == (architecture, self.variant)
            if same and base in (None, one.base):
                return {"grader": one.grader, "workspace": one.workspace}
        return None


def programs() -> list[Path]:
    """Return the files that run inside containers; the wire format is the host's own module."""
    wire = Path(__file__).resolve().parent.parent / "wire.py"
    return [*sorted(resource("images", "programs").glob("*.py")), wire]


def jupyter_folder() -> Path:
    """Return the folder of what the workspace image adds to Jupyter, laid out as it lies there."""
    return resource("images", "jupyter")


def jupyter() -> list[Path]:
    """Return the files in that folder."""
    found = jupyter_folder().rglob("*")
    return sorted(one for one in found if one.is_file() and "__pycache__" not in one.parts)


def edition_names() -> list[str]:
    """Return the names of the editions that there are."""
    files = resource("images", "editions").glob("*/edition.yaml")
    return sorted(path.parent.name for path in files)


def editions() -> list[Edition]:
    """Return all editions. Raises as `load_edition` does."""
    return [load_edition(name) for name in edition_names()]


def load_edition(name: str, variant: str = "cpu", locked: bool = True) -> Edition:
    """Return an edition by name, in one variant; `locked` says whether its locks must be there.

    Raises `UsageError` naming those that exist, `ExamError` with all that is wrong in its file.
    """
    names = edition_names()
    if name not in names:
        raise UsageError(f"There is no edition {name!r}: choose one of {', '.join(names)}.")
    return edition_in(resource("images", "editions", name), variant, locked)


def edition_in(folder: Path, variant: str = "cpu", locked: bool = True) -> Edition:
    """Return the edition whose file lies in a folder. Raises `ExamError` as `load_edition` does."""

    def also(content: Mapping[Any, Any]) -> Iterator[Fault]:
        return faults_of(content, folder, get_args(Architecture), locked)

    return load(folder / "edition.yaml", Edition, also, variant=variant)
