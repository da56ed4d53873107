"""Lay out the directory that the builder sees: Dockerfile, wheels, packages, programs."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from exam_cli.config.edition import Architecture, Edition, jupyter, jupyter_folder, programs
from exam_cli.engine.port import Engine
from exam_cli.errors import OurFault
from exam_cli.fetch.apt import fetch_closures
from exam_cli.fetch.lockfile import Pin, read_lock, sha256_of
from exam_cli.fetch.sdists import kept_sdist
from exam_cli.fetch.wheels import fetch_wheels
from exam_cli.paths import cache_dir, resource
from exam_cli.progress import Progress


@dataclass(frozen=True)
class DebianFiles:
    """Debian packages: those that Python needs, and those that the workspace adds."""

    python: Sequence[Path]
    workspace: Sequence[Path]


def lay_out_context(
    context: Path,
    engine: Engine,
    edition: Edition,
    architecture: Architecture,
    base: str,
    progress: Progress,
) -> None:
    """Fill an empty directory with everything that the build needs; it will have no network.

    Raises what fetching raises, and `OurFault` when a package is not what the lock says.
    """
    debian = fetch_debian(engine, edition, architecture, base, progress)
    check_debian_lock(edition, architecture, [*debian.python, *debian.workspace], progress)
    layers = {"tools": "tools", "tensorflow": "tensorflow", "workspace-wheels": "workspace"}
    pins = {layer: read_lock(edition.lock(lock, architecture)) for layer, lock in layers.items()}
    every = list(dict.fromkeys(pin for group in pins.values() for pin in group))
    files = fetch_packages(every, edition, architecture, progress)
    for layer, group in pins.items():
        _link([files[pin] for pin in group], context / layer)
    for layer, lock in layers.items():
        if layer != "tools":
            lines = [pin.requirement() for pin in read_lock(edition.lock(lock, architecture))]
            (context / layer / "lock").write_text("\n".join(lines) + "\n")
    _link(debian.python, context / "python")
    _link(debian.workspace, context / "workspace-debian")
    _copy(programs(), context / "programs")
    for path in jupyter():
        _copy([path], context / "jupyter" / path.parent.relative_to(jupyter_folder()))
    _copy([resource("images", name) for name in ("Dockerfile", "collect", "trim.py")], context)


def fetch_packages(
    pins: Sequence[Pin], edition: Edition, architecture: Architecture, progress: Progress
) -> dict[Pin, Path]:
    """Return the wheel of each pin, or its source where the edition says that there is no wheel."""
    sources = [pin for pin in pins if pin.name in edition.from_source]
    published = [pin for pin in pins if pin not in sources]
    wheels = fetch_wheels(
        published,
        cache_dir() / "wheels",
        architecture,
        edition.release.python_exactly,
        progress,
        edition.release.glibc_minor,
    )
    found = dict(zip(published, wheels, strict=True))
    return found | {pin: kept_sdist(pin, cache_dir() / "sdists") for pin in sources}


def _link(files: Iterable[Path], directory: Path) -> None:
    """Give each file a second name in `directory`; copy where the file system cannot."""
    directory.mkdir(parents=True)
    for path in files:
        try:
            os.link(path, directory / path.name)
        except OSError:
            shutil.copyfile(path, directory / path.name)


def _copy(files: Iterable[Path], directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for path in files:
        shutil.copy(path, directory / path.name)


def fetch_debian(
    engine: Engine, edition: Edition, architecture: Architecture, base: str, progress: Progress
) -> DebianFiles:
    """Fetch the Debian packages beyond the base, once per base image and list of names."""
    image = engine.image(base)
    wanted = f"{edition.debian!r} {image.id if image else base}"
    name = f"{edition.suite}-{architecture}-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    directory = cache_dir() / "debian" / name
    if not directory.is_dir():
        progress.step("Debian packages")
        scratch = directory.with_name(f"{name}.{os.getpid()}.part")
        try:
            groups = [edition.debian.python, edition.debian.workspace]
            found = fetch_closures(engine, base, edition.suite, groups, scratch)
            for layer, files in zip(("python", "workspace"), found, strict=True):
                (scratch / layer).mkdir()
                for path in files:
                    path.rename(scratch / layer / path.name)
            with contextlib.suppress(OSError):  # somebody else has just put it there
                scratch.rename(directory)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return DebianFiles(
        sorted((directory / "python").iterdir()), sorted((directory / "workspace").iterdir())
    )


def debian_lock_lines(files: Iterable[Path]) -> list[str]:
    """Return a lock's lines for package files: name, version, sha256."""
    lines = []
    for path in files:
        name, version, _ = path.name.removesuffix(".deb").split("_")
        lines.append(f"{name} {version.replace('%3a', ':')} {sha256_of(path)}")
    return sorted(lines)


def check_debian_lock(
    edition: Edition, architecture: Architecture, files: Iterable[Path], progress: Progress
) -> None:
    """Compare package files with the edition's lock.

    A package of the same version with other bytes is refused (`OurFault`). A newer version is told:
    Debian's archive keeps one version at a time, and an old one is gone when a new one comes.
    """
    lock = edition.lock("debian", architecture)
    if not lock.is_file():
        progress.say(f"Debian packages are not locked for {architecture} yet: {lock.name}.")
        return
    locked = {line.split()[0]: line.split()[1:] for line in lock.read_text().splitlines() if line}
    moved = []
    for line in debian_lock_lines(files):
        name, version, digest = line.split()
        if name not in locked:
            continue  # the pulled base lacks less, or more, than the one made here
        if locked[name][0] != version:
            moved.append(f"{name} {locked[name][0]} is now {version}")
        elif locked[name][1] != digest:
            raise OurFault(
                f"The Debian package {name} {version} is not the one that {lock.name} names: "
                "its sha256 differs. Do not use it; fetch again from another mirror."
            )
    if moved:
        progress.say(f"Debian's archive has moved on since the lock: {'; '.join(moved)}.")
