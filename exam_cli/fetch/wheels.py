"""Wheels by hash, through pip, into a cache.

pip runs on the host with the user's own index, proxy and certificate settings, so none of those
ever enters an image. What has arrived stays, even when this program is killed: the next call
fetches the rest. A connection that breaks is taken up again by pip, 25.1 and newer, where it broke.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from exam_cli.config.edition import Architecture
from exam_cli.errors import DiskFull, ExamError
from exam_cli.fetch.lockfile import OtherHash, Pin, sha256_of
from exam_cli.fetch.targets import BOOKWORM, Target
from exam_cli.files import locked
from exam_cli.progress import Progress

_PARALLEL = 4
_BATCH = 12
_LOCK_SECONDS = 3600.0
_SCRATCH = "arriving-"
# What pip says, for it has no other way to tell.
OTHER_HASH = re.compile(r"DO NOT MATCH THE HASHES[^\n]*\n +(\S+) ")
_GONE = re.compile(r"No matching distribution found for (\S+)")
_YANKED = re.compile(
    r"yanked version: '([^']+)' candidate \(version (\S+) .*?^Reason for being yanked: (.*)$",
    re.M | re.S,
)
_LARGE = ("tensorflow", "nvidia", "jaxlib", "triton")


def _find(directory: Path, pins: Iterable[Pin], target: Target) -> dict[Pin, Path]:
    """Return the files of `directory` that are what the pins say, by hash, and run there.

    A lock names the wheels of every Python and platform, and the cache serves all editions.
    """
    by_key: dict[tuple[str, Version], list[Path]] = {}
    tags = target.tags()
    for path in directory.glob("*.whl"):
        try:
            name, version, _, made_for = parse_wheel_filename(path.name)
        except InvalidWheelFilename:
            continue
        if tags & made_for:
            by_key.setdefault((name, version), []).append(path)
    found = {}
    for pin in pins:
        for path in by_key.get((pin.name, Version(pin.version)), ()):
            if sha256_of(path) in pin.hashes:
                found[pin] = path
            else:
                path.unlink()  # a damaged file would be refused for ever
    return found


def _batches(pins: Sequence[Pin]) -> list[list[Pin]]:
    """Split pins so that a large wheel travels alone and the others in handfuls."""
    large = [[pin] for pin in pins if pin.name.startswith(_LARGE)]
    small = [pin for pin in pins if not pin.name.startswith(_LARGE)]
    return [*large, *(small[i : i + _BATCH] for i in range(0, len(small), _BATCH))]


def fetch_wheels(
    pins: Sequence[Pin],
    directory: Path,
    architecture: Architecture,
    python: str,
    progress: Progress,
    glibc_minor: int = BOOKWORM,
) -> list[Path]:
    """Return one wheel a pin, from `directory`, downloading those that are not there.

    Args:
        pins: what is wanted.
        directory: the cache.
        architecture: of the machine that will run the wheels.
        python: its version, such as "3.11".
        progress: told how many wheels are there.
        glibc_minor: of its C library 2.x.

    Raises `OtherHash` when something else than the pin arrives, `ExamError` when a download fails,
    `DiskFull` when the disk is full.
    """
    target = Target(architecture, python, glibc_minor)
    directory.mkdir(parents=True, exist_ok=True)
    progress.step("Wheels", len(pins))
    found = _find(directory, pins, target)
    if len(found) < len(set(pins)):
        with locked(directory / "lock", _LOCK_SECONDS):
            _salvage(directory)
            found = _find(directory, pins, target)
            progress.advance(len(found))
            missing = [pin for pin in pins if pin not in found]
            if missing:
                _download(missing, directory, target, progress, len(found))
            found |= _find(directory, missing, target)
    progress.advance(len(found))
    lost = [pin for pin in pins if pin not in found]
    if lost:
        raise OtherHash(
            f"{lost[0].name} {lost[0].version} did not arrive with the hash that the lock names; "
            "the index may have replaced it. Try again, or look at the edition's lock."
        )
    return [found[pin] for pin in pins]


def _salvage(directory: Path) -> None:
    """Keep what a killed download left behind; called with the directory locked.

    What was cut off does not have the hash of its pin, and goes when that is asked for.
    """
    for scratch in directory.glob(f"{_SCRATCH}*"):
        for path in scratch.glob("**/*.whl"):
            path.replace(directory / path.name)
        shutil.rmtree(scratch, ignore_errors=True)


def _keep_whole(scratch: Path, directory: Path) -> int:
    """Give the wheels that a running pip has finished a second name in `directory`; count them.

    pip moves a batch when all of it is there, and removes it all when one of it fails. It fetches
    one after the other, so all but the newest are whole.
    """
    with contextlib.suppress(FileNotFoundError):  # pip is just moving them itself
        wheels = sorted(scratch.glob("**/*.whl"), key=lambda path: path.stat().st_mtime_ns)
        for path in wheels[:-1]:
            with contextlib.suppress(FileExistsError):
                os.link(path, directory / path.name)
        return len(wheels[:-1])
    return 0


def _download(
    pins: Sequence[Pin],
    directory: Path,
    target: Target,
    progress: Progress,
    already: int,
) -> None:
    waiting = _batches(pins)
    running: list[tuple[list[Pin], Path, subprocess.Popen[str]]] = []
    done = shown = already
    # On the cache's own disk, for a wheel may be larger than /tmp.
    scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=directory))
    try:
        while waiting or running:
            while waiting and len(running) < _PARALLEL:
                batch = waiting.pop(0)
                own = scratch / batch[0].name
                own.mkdir()
                running.append((batch, own, _pip(batch, own, directory, target)))
            time.sleep(0.1)
            partly = sum(_keep_whole(own, directory) for _, own, _ in running)
            for one in list(running):
                batch, _, process = one
                if process.poll() is None:
                    continue
                running.remove(one)
                output = process.stdout.read() if process.stdout else ""
                if process.returncode:
                    raise _failure(batch, output)
                _tell_withdrawn(output, progress)
                done += len(batch)
            shown = max(shown, done + partly)  # pip tidies up before it ends
            progress.advance(shown)
    finally:
        for _, _, process in running:
            process.terminate()
            process.wait()
        _salvage(directory)


def _pip(
    batch: Sequence[Pin], scratch: Path, directory: Path, target: Target
) -> subprocess.Popen[str]:
    requirements = scratch / f"{batch[0].name}.txt"
    requirements.write_text("\n".join(pin.requirement() for pin in batch) + "\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--require-hashes", "--only-binary=:all:", "--no-input"]
    command += [f"--python-version={target.python}", "--implementation=cp", f"--dest={directory}"]
    command += [f"--abi={abi}" for abi in (target.abi, "abi3", "none")]
    command += [f"--platform={name}" for name in target.platforms()]
    command += ["--requirement", str(requirements)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "TMPDIR": str(scratch)},
    )


def _tell_withdrawn(output: str, progress: Progress) -> None:
    """Tell which wheels their authors have yanked (PEP 592): an exact version still gets them."""
    for name, version, why in _YANKED.findall(output):
        reason = "" if why.startswith("<none") else f" ({why.strip()})"
        progress.say(
            f"The authors of {name} have withdrawn version {version}{reason}. It is what the lock "
            "names and is used; whoever makes the edition should lock another one."
        )


def _failure(batch: Sequence[Pin], output: str) -> ExamError:
    names = ", ".join(pin.name for pin in batch[:3]) + (" and others" if len(batch) > 3 else "")
    if "No space left on device" in output:
        return DiskFull(f"The disk is full while fetching {names}: free some space and run again.")
    other, gone = OTHER_HASH.search(output), _GONE.search(output)
    if other is not None:
        return OtherHash(
            f"{other[1]} did not arrive with the hash that the lock names: the index, or somebody "
            "on the way to it, has put another file in its place. It was thrown away; fetch from "
            "another index, or look at the edition's lock."
        )
    if gone is not None and "connection broken" not in output:
        return ExamError(
            f"The index has no wheel of {gone[1]} for this Python and machine, which the lock "
            "names: fetch from an index that still has it (PIP_INDEX_URL), or lock the edition "
            "anew. What has arrived is kept."
        )
    errors = [line for line in output.splitlines() if line.startswith("ERROR")]
    last = (errors or output.splitlines() or ["pip gave no reason"])[-1]
    return ExamError(
        f"Fetching {names} failed ({last.removeprefix('ERROR: ')}); what has arrived is kept: "
        "check the network and run the same command again."
    )
