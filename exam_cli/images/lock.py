"""Resolve what an edition asks for by name into locks: exact versions, and hashes of every file.

The lists lie beside the edition's file: `workspace.in` and `tensorflow.in`, and `tensorflow-gpu.in`
where there is that variant; `LIST.ARCHITECTURE.in` in place of one says it for one architecture.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from exam_cli.config.edition import Architecture, Edition
from exam_cli.engine.port import Engine
from exam_cli.errors import ExamError
from exam_cli.fetch.lockfile import normal_name
from exam_cli.images.base import ensure_base
from exam_cli.images.build import architecture_of
from exam_cli.images.debian import lock_debian
from exam_cli.progress import Progress

# What the build itself uses; to make a wheel from source needs setuptools, too.
_TOOLS, _TO_BUILD = "uv\n", "setuptools\n"
# Asked for by TensorFlow, which imports it only to generate its own code: 25 MB to fetch.
_LEFT_OUT = ("libclang",)


def write_locks(edition: Edition, engine: Engine, progress: Progress) -> list[Path]:
    """Write all locks of an edition, beside its file; return them. All are replaced, or none.

    Wheels are resolved for each of the edition's architectures; Debian packages for the engine's
    own only. Raises `ExamError` when a list or uv is missing or uv finds no solution.
    """
    with tempfile.TemporaryDirectory(prefix=".locking-", dir=edition.directory) as name:
        draft = Path(name)
        for architecture in edition.architectures:
            progress.step(f"Wheels for {architecture}")
            _lock_wheels(edition, architecture, draft)
        here = architecture_of(engine)
        if here in edition.architectures:
            base = ensure_base(engine, edition, here, progress, fresh=True)
            lock_debian(edition, engine, here, base, draft, progress)
        written = []
        for draft_lock in sorted(draft.glob("*.lock")):
            written.append(edition.directory / draft_lock.name)
            draft_lock.replace(written[-1])
    return written


def _lock_wheels(edition: Edition, architecture: Architecture, draft: Path) -> None:
    """Write the wheels' locks of one architecture into a directory."""

    def lock(layer: str) -> Path:
        return draft / f"{layer}.{architecture}.lock"

    tools = draft / "tools.in"
    tools.write_text(_TOOLS + (_TO_BUILD if edition.from_source else ""), encoding="utf-8")
    _compile(edition, _list(edition, "tensorflow", architecture), architecture, lock("tensorflow"))
    # One version of whatever both have, for both are fetched together.
    _compile(edition, tools, architecture, lock("tools"), lock("tensorflow"))
    gpu = _found_list(edition, "tensorflow-gpu", architecture)
    if gpu is not None:
        # The variants share all layers but one, so what both have is of one version.
        _compile(edition, gpu, architecture, lock("tensorflow-gpu"), lock("tensorflow"))
    workspace = _list(edition, "workspace", architecture)
    _compile(edition, workspace, architecture, lock("workspace"), lock("tensorflow"))
    _subtract(lock("workspace"), lock("tensorflow"))


def _found_list(edition: Edition, layer: str, architecture: Architecture) -> Path | None:
    names = (f"{layer}.{architecture}.in", f"{layer}.in")
    found = (edition.directory / name for name in names)
    return next((path for path in found if path.is_file()), None)


def _list(edition: Edition, layer: str, architecture: Architecture) -> Path:
    found = _found_list(edition, layer, architecture)
    if found is None:
        raise ExamError(
            f"The edition {edition.edition} has no list {layer}.in: name there what that layer "
            "holds, one package a line, beside its edition.yaml."
        )
    return found


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
    line = [uv, "pip", "compile", "--quiet", "--no-config", "--no-python-downloads", str(wanted)]
    line += [f"--python-version={edition.release.python_exactly}"]
    line += [f"--python-platform={architecture}-manylinux_2_{edition.release.glibc_minor}"]
    line += ["--generate-hashes", "--only-binary=:all:", f"--output-file={lock}"]
    line += ["--no-header", "--no-annotate", "--no-emit-index-url"]
    line += [f"--no-emit-package={name}" for name in _LEFT_OUT]
    line += [f"--no-binary={name}" for name in edition.from_source]
    line += [f"--constraints={constraints}"] if constraints else []
    done = subprocess.run(
        line, capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"}
    )
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
