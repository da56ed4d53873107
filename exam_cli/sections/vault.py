"""A section's data for one session: files for the candidate, and sets that stay hidden.

The data is built by the section's own `dataset.py`, in a container without network, from the
cached sources and the session's secret seed. What was built for a session is kept for good: the
sets behind a grade must not change under it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from exam_cli.config.edition import Architecture
from exam_cli.config.section import Section
from exam_cli.config.values import plain
from exam_cli.engine.port import ContainerSpec, Engine, Limits
from exam_cli.errors import OurFault
from exam_cli.files import sync_directory, write_file
from exam_cli.paths import cache_dir
from exam_cli.wire import Frame, FrameDecoder, FrameError, chunks, frame_start

SetName = Literal["sample", "probe", "final"]

_SECONDS = 300.0
_MAX_BODY = 2 << 30
_PYTHON = ("/opt/exam/bin/python", "-sE", "/opt/exam/programs/dataset_builder.py")


@dataclass(frozen=True)
class Tensor:
    """An array on disk: its description as `images/programs/tensors.py` defines it, and a file."""

    description: dict[str, Any]
    path: Path

    @property
    def bytes(self) -> int:
        """Bytes of the array."""
        return int(self.description["bytes"])


@dataclass(frozen=True)
class DataSet:
    """Inputs in each accepted form and, for the hidden sets, labels. `sha256` covers it all."""

    name: SetName
    sha256: str
    rows: int
    inputs: tuple[Tensor, ...]
    labels: Tensor | None


@dataclass(frozen=True)
class SectionData:
    """Everything that was built for one section of one session.

    `train` has the candidate's files by name, `trees` their directories: a tar archive each.
    """

    train: dict[str, Path]
    trees: dict[str, Path]
    sets: dict[SetName, DataSet]


def section_data(
    section: Section,
    seed: bytes,
    vault: Path,
    engine: Engine,
    image: str,
    architecture: Architecture,
    *,
    shared: bool = False,
) -> SectionData:
    """Return a section's data from the vault, building it on first use.

    Args:
        section: the task.
        seed: the session's 32 secret bytes.
        vault: the session's vault.
        engine: runs the builder.
        image: the workspace image.
        architecture: of the engine's machine.
        shared: whether other sessions have the same seed: what is built for one serves them all.

    Raises `ExamError` when a source cannot be had, `OurFault` when the section's own code fails.
    """
    directory = vault / section.directory
    if not is_whole(directory):
        built = cache_dir() / "sets" / _content_key(section, seed, image) if shared else directory
        if not is_whole(built):
            _build(section, seed, built, engine, image, architecture)
        if built != directory:
            with _appearing(directory) as draft:
                shutil.copytree(built, draft, dirs_exist_ok=True)
    return read_section_data(directory)


def is_whole(directory: Path) -> bool:
    """Say whether a directory of a vault holds all of a section's data."""
    return (directory / "manifest.json").is_file()


def _content_key(section: Section, seed: bytes, image: str) -> str:
    """Return the name of what decides every byte of a section's data.

    The image is part of it: its libraries decode and scale pictures.
    """
    code = hashlib.sha256((section.folder / "dataset.py").read_bytes()).hexdigest()
    sources = [json.dumps(plain(source)) for source in section.sources]
    parts = [image, section.directory, section.form, seed.hex(), code, *sources]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def read_section_data(directory: Path) -> SectionData:
    """Return what a vault's directory holds. Raises `OurFault` when it is damaged."""
    try:
        manifest = json.loads((directory / "manifest.json").read_text())
    except (OSError, ValueError) as error:
        raise OurFault(
            f"The hidden data at {directory} cannot be read: remove that directory and run "
            "`exam up`, which builds the same data again."
        ) from error
    given: dict[str, dict[str, Path]] = {"file": {}, "tree": {}}
    parts: dict[SetName, list[dict[str, Any]]] = {"sample": [], "probe": [], "final": []}
    for part in manifest["parts"]:
        if part["kind"] in given:
            given[part["kind"]][part["name"]] = directory / part["file"]
        else:
            parts[part["set"]].append(part)
    sets = {name: _data_set(name, found, directory) for name, found in parts.items()}
    return SectionData(given["file"], given["tree"], sets)


def _data_set(name: SetName, parts: list[dict[str, Any]], directory: Path) -> DataSet:
    digest = hashlib.sha256()
    inputs, labels = [], None
    for part in parts:
        digest.update(json.dumps(part, sort_keys=True).encode())
        description = {key: part[key] for key in ("name", "dtype", "shape", "bytes")}
        tensor = Tensor(description, directory / part["file"])
        if part["kind"] == "labels":
            labels = tensor
        else:
            inputs.append(tensor)
    rows = int(inputs[0].description["shape"][0])
    return DataSet(name, digest.hexdigest(), rows, tuple(inputs), labels)


def _build(
    section: Section,
    seed: bytes,
    directory: Path,
    engine: Engine,
    image: str,
    architecture: Architecture,
) -> None:
    from exam_cli.sections.sources import fetch_source

    sources = [fetch_source(one, engine, image, architecture) for one in section.sources]
    frame = _run_builder(section, seed, sources, engine, image)
    with _appearing(directory) as draft:
        parts, start = [], 0
        for number, part in enumerate(frame.header["parts"]):
            content = frame.body[start : start + part["bytes"]]
            start += part["bytes"]
            name = f"{number:02d}.bin"
            write_file(draft / name, content)
            parts.append({**part, "file": name, "sha256": hashlib.sha256(content).hexdigest()})
        manifest = json.dumps({"section": section.directory, "parts": parts}, indent=1)
        write_file(draft / "manifest.json", manifest.encode())


@contextmanager
def _appearing(directory: Path) -> Iterator[Path]:
    """Yield a draft that takes its name when all is in it. Somebody else may be faster."""
    draft = directory.with_name(f"{directory.name}.{os.getpid()}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    try:
        yield draft
        if directory.exists() and not is_whole(directory):
            shutil.rmtree(directory)  # the remains of an interrupted build
        draft.rename(directory)
        sync_directory(directory.parent)
    except OSError:
        if not is_whole(directory):
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _run_builder(
    section: Section, seed: bytes, sources: list[Path], engine: Engine, image: str
) -> Frame:
    code = (section.folder / "dataset.py").read_bytes()
    described = [
        {
            "name": source.name,
            "registry": source.registry,
            "member": source.member,
            "members": source.members,
            "bytes": path.stat().st_size,
        }
        for source, path in zip(section.sources, sources, strict=True)
    ]
    header = {
        "seed": hashlib.sha256(seed + section.directory.encode()).hexdigest(),
        "sources": described,
        "dataset": len(code),
    }
    size = sum(path.stat().st_size for path in sources) + len(code)

    def request() -> Iterator[bytes]:
        yield frame_start(header, size)
        for path in sources:
            with path.open("rb") as stream:
                yield from chunks(stream)
        yield code

    spec = ContainerSpec(
        image=image,
        command=_PYTHON,
        user="65534:65534",
        limits=Limits(4 << 30, 2, 256, tmpfs={"/tmp": 1 << 29}),
        labels={"exam.role": "dataset"},
        stdin=True,
    )
    decoder, words = FrameDecoder(_MAX_BODY), bytearray()
    container = engine.create(spec)
    try:
        with engine.attach(container) as channel:
            engine.start(container)
            channel.send(request())
            while (piece := channel.receive(_SECONDS)) is not None:
                if piece[0] == "stderr":
                    words += piece[1]
                elif (frame := decoder.feed(piece[1])) is not None:
                    return frame
    except FrameError as error:
        raise OurFault(f"The data of section {section.section} came out unreadable.") from error
    except TimeoutError as error:
        raise OurFault(
            f"Building the data of section {section.section} took over {_SECONDS:.0f} s."
        ) from error
    finally:
        engine.remove(container)
    lines = words.decode(errors="replace").strip().splitlines() or ["no message"]
    raise OurFault(
        f"The data of section {section.section} could not be built: {lines[-1]}"
    ) from RuntimeError("\n".join(lines[-40:]))
