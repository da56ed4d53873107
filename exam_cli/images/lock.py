"""Resolve what an edition asks for by name into locks: exact versions, and hashes of every file."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from exam_cli.config.edition import Architecture, Edition
from exam_cli.engine.port import Engine
from exam_cli.errors import ExamError
from exam_cli.fetch.lockfile import normal_name
from exam_cli.images.base import ensure_base
from exam_cli.images.build import architecture_of
from exam_cli.images.context import debian_lock_lines, fetch_debian
from exam_cli.progress import Progress

_GLIBC = "manylinux_2_36"
# Asked for by TensorFlow, which imports it only to generate its own code: 25 MB to fetch.
_LEFT_OUT = ("libclang",)


def write_locks(edition: Edition, engine: Engine, progress: Progress) -> list[Path]:
    """Write all locks of an edition, beside its file; return them.

    Wheels are resolved for every architecture; Debian packages for the engine's own only.
    Raises `ExamError` when uv is missing or finds no solution.
    """
    written = []
    for architecture in get_args(Architecture):
        progress.step(f"Wheels for {architecture}")
        tensorflow = edition.lock("tensorflow", architecture)
        tools, workspace = (
            edition.lock("tools", architecture),
            edition.lock("workspace", architecture),
        )
        _compile(edition, edition.directory / "tools.in", architecture, tools)
        _compile(
            edition, edition.directory / f"tensorflow.{architecture}.in", architecture, tensorflow
        )
        _compile(edition, edition.directory / "workspace.in", architecture, workspace, tensorflow)
        _subtract(workspace, tensorflow)
        written += [tools, tensorflow, workspace]
    here = architecture_of(engine)
    base = ensure_base(engine, edition, here, progress)
    debian = fetch_debian(engine, edition, here, base, progress)
    lock = edition.lock("debian", here)
    lock.write_text("\n".join(debian_lock_lines([*debian.python, *debian.workspace])) + "\n")
    return [*written, lock]


def _compile(
    edition: Edition,
    wanted: Path,
    architecture: Architecture,
    lock: Path,
    constraints: Path | None = None,
) -> None:
    uv = shutil.which("uv")
    if uv is None:
        raise ExamError("Locking needs uv: `pip install uv`.")
    line = [uv, "pip", "compile", "--quiet", "--no-config", "--upgrade", str(wanted)]
    line += [f"--python-version={edition.python}", f"--python-platform={architecture}-{_GLIBC}"]
    line += ["--generate-hashes", "--only-binary=:all:", f"--output-file={lock}"]
    line += ["--no-header", "--no-annotate", "--no-emit-index-url"]
    line += [f"--no-emit-package={name}" for name in _LEFT_OUT]
    line += [f"--constraints={constraints}"] if constraints else []
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ExamError(f"uv found no solution for {wanted.name}: {done.stderr.strip()}")


def _blocks(lock: Path) -> Iterator[tuple[str, str]]:
    """Yield (name, lines) of a lock's entries."""
    block: list[str] = []
    for line in lock.read_text().splitlines(keepends=True):
        if "==" in line and block:
            yield normal_name(block[0].split("==")[0]), "".join(block)
            block = []
        block.append(line)
    if block:
        yield normal_name(block[0].split("==")[0]), "".join(block)


def _subtract(lock: Path, lower: Path) -> None:
    """Drop from a lock what the layer below it holds already."""
    below = {name for name, _ in _blocks(lower)}
    lock.write_text("".join(text for name, text in _blocks(lock) if name not in below))
