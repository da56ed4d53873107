"""Lay out the directory that the builder sees: Dockerfile, wheels, packages, programs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from exam_cli.config.edition import Architecture, Edition, jupyter, jupyter_folder, programs
from exam_cli.engine.port import Engine
from exam_cli.fetch.lockfile import Pin, read_lock
from exam_cli.fetch.sdists import kept_sdist
from exam_cli.fetch.wheels import fetch_wheels
from exam_cli.images.debian import check_debian_lock, fetch_debian
from exam_cli.paths import cache_dir, resource
from exam_cli.progress import Progress


def lay_out_context(
    context: Path,
    engine: Engine,
    edition: Edition,
    architecture: Architecture,
    base: str,
    progress: Progress,
    *,
    fresh: bool = False,
) -> None:
    """Fill an empty directory with everything that the build needs; it will have no network.

    `fresh` fetches Debian's packages again. What lies there depends on the edition alone: neither
    on the modes of a clone's files nor on whose they are.

    Raises what fetching raises, and `OurFault` when a package is not what the lock says.
    """
    debian = fetch_debian(engine, edition, architecture, base, progress, fresh=fresh)
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
        shutil.copyfile(path, directory / path.name)
        (directory / path.name).chmod(0o644)
