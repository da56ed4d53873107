"""What an image says of itself: its wheels, Debian packages and programs, and their licences."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exam_cli.engine.port import ContainerSpec, Engine, ImageInfo, Limits
from exam_cli.errors import OurFault
from exam_cli.fetch.lockfile import normal_name
from exam_cli.files import write_file, writing
from exam_cli.paths import cache_dir

_SECONDS = 120.0
_LONGEST_NAME = 60  # of a licence; what is longer is the licence itself


@dataclass(frozen=True)
class Wheel:
    """An installed Python package.

    `expression` is its licence in SPDX's words where it gives one; else `licences` are what it
    calls them itself. Both may be empty: unknown. `files` are its licence files; `requires` its
    requirements as they stand in its METADATA.
    """

    name: str
    version: str
    summary: str
    expression: str
    licences: tuple[str, ...]
    files: tuple[str, ...]
    requires: tuple[str, ...]


@dataclass(frozen=True)
class DebianPackage:
    """An installed Debian package; `depends` are names, the first that is there of alternatives."""

    name: str
    version: str
    architecture: str
    source: str
    source_version: str
    licences: tuple[str, ...]
    depends: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """What is in an image; `programs` are the hashes of our own by name."""

    python: str
    wheels: tuple[Wheel, ...]
    debian: tuple[DebianPackage, ...]
    programs: dict[str, str]


def facts_of(engine: Engine, image: ImageInfo) -> Facts:
    """Return what an image of this engine holds; it is asked once. Raises `OurFault`."""
    code = Path(__file__).with_name("inventory.py").read_text(encoding="utf-8")
    key = hashlib.sha256(f"{image.digest} {code}".encode()).hexdigest()
    kept = cache_dir() / "inventories" / f"{key}.json"
    try:
        return _made(json.loads(kept.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not asked yet, or half a file: the image knows
    told = _asked(engine, image, code)
    try:
        found = _made(json.loads(told))
    except (ValueError, KeyError, TypeError):
        said = RuntimeError(told.decode(errors="replace")[-4000:])
        raise OurFault("An image could not say what is in it: build it again.") from said
    with writing(kept):
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_file(kept, told)
    return found


def _asked(engine: Engine, image: ImageInfo, code: str) -> bytes:
    spec = ContainerSpec(
        image=image.id,
        command=("/opt/exam/bin/python", "-sE", "-c", code),
        user="65534:65534",
        limits=Limits(1 << 30, 2.0, 64, tmpfs={"/tmp": 16 << 20}),
        labels={"exam.role": "inventory"},
    )
    container = engine.create(spec)
    told = bytearray()
    try:
        with engine.attach(container) as channel:
            engine.start(container)
            while (piece := channel.receive(_SECONDS)) is not None:
                told += piece[1]
    except TimeoutError as error:
        raise OurFault("An image does not say what is in it: try again.") from error
    finally:
        engine.remove(container)
    return bytes(told)


def _made(content: dict[str, Any]) -> Facts:
    debian = content["debian"]
    names = {one["package"] for one in debian}
    return Facts(
        content["python"],
        tuple(_wheel(one) for one in content["wheels"]),
        tuple(_package(one, names) for one in debian),
        dict(content["programs"]),
    )


def _wheel(told: dict[str, Any]) -> Wheel:
    free = " ".join((told["license"] or "").split())
    named = [free] if free and len(free) <= _LONGEST_NAME and free != "UNKNOWN" else []
    return Wheel(
        normal_name(told["name"]),
        told["version"],
        told["summary"] or "",
        told["expression"] or "",
        tuple(named or told["classifiers"]),
        tuple(told["files"]),
        tuple(told["requires"]),
    )


def _package(told: dict[str, Any], there: set[str]) -> DebianPackage:
    wanted = []
    for alternatives in f"{told['pre-depends']},{told['depends']}".split(","):
        choices = [one.split("(")[0].split(":")[0].strip() for one in alternatives.split("|")]
        wanted += [one for one in choices if one in there][:1]
    return DebianPackage(
        told["package"],
        told["version"],
        told["architecture"],
        told["source:package"],
        told["source:version"],
        tuple(told["licences"]),
        tuple(dict.fromkeys(wanted)),
    )
