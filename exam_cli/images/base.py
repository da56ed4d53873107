"""The Debian that everything stands on: pulled by digest, else made with debootstrap."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from exam_cli.config.edition import Architecture, BaseKind, Edition
from exam_cli.engine.port import Engine, ImageInfo
from exam_cli.errors import DiskFull, ExamError, OurFault
from exam_cli.fetch.apt import chosen_keyring, chosen_mirror, host_mirror
from exam_cli.images.debian import STATUS, check_base_lock, installed
from exam_cli.progress import Progress

# What debian:*-slim leaves out, now and of packages to come, written as that image writes it.
_SLIM = """\
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/groff/*
path-exclude /usr/share/info/*
path-exclude /usr/share/linda/*
path-exclude /usr/share/lintian/*
path-exclude /usr/share/locale/*
path-include /usr/share/locale/locale.alias
path-exclude /usr/share/man/*
"""

_DEBIAN_NAMES: dict[Architecture, str] = {"x86_64": "amd64", "aarch64": "arm64"}

# Left by installing, different each time, or the machine's own: none of it belongs in an image.
_LEFT_OUT = (
    "dev/*",
    "proc/*",
    "run/*",
    "sys/*",
    "tmp/*",
    "etc/apt/sources.list",
    "etc/hostname",
    "etc/machine-id",
    "etc/resolv.conf",
    "etc/*-",
    "var/cache/apt/*",
    "var/cache/debconf/*-old",
    "var/cache/ldconfig/*",
    "var/lib/apt/lists/*",
    "var/lib/dpkg/*-old",
    "var/log/*",
)


def base_names(edition: Edition, architecture: Architecture) -> dict[BaseKind, str]:
    """Return the references that an edition's base has: pulled by digest, or made here.

    The name of one made here changes with all that decides what is in it but the archive's state;
    another archive makes another one.
    """
    lock = edition.lock("base", architecture)
    locked = lock.read_bytes() if lock.is_file() else b""
    recipe = f"{_SLIM} {_LEFT_OUT} {edition.epoch} {chosen_mirror()} ".encode() + locked
    tag = hashlib.sha256(recipe).hexdigest()[:12]
    return {
        "pulled": edition.base.reference,
        "made": f"exam-base:{edition.suite}-{architecture}-{tag}",
    }


def base_kind(
    engine: Engine, edition: Edition, architecture: Architecture, image: ImageInfo
) -> BaseKind:
    """Return which base an image stands on."""
    pulled = engine.image(base_names(edition, architecture)["pulled"])
    return "pulled" if pulled and image.layers[: len(pulled.layers)] == pulled.layers else "made"


def ensure_base(
    engine: Engine,
    edition: Edition,
    architecture: Architecture,
    progress: Progress,
    *,
    fresh: bool = False,
) -> str:
    """Return the reference of the edition's base image, fetching or making it first if need be.

    `fresh` makes one even where one that was made is here.

    Raises `ExamError` when no registry answers and this machine cannot run debootstrap.
    """
    names = base_names(edition, architecture)
    published = chosen_mirror() is None  # who names an archive wants what lies there
    if published and engine.image(names["pulled"]) is not None:
        return names["pulled"]
    if engine.image(names["made"]) is not None and not fresh:
        return names["made"]
    progress.step("Debian base")
    if published:
        why = _pull(engine, names["pulled"])
        if why is None:
            progress.say(f"Base: {edition.base.image}, pulled by digest.")
            return names["pulled"]
        progress.say(f"Base: {why}")
    make_base(engine, edition, architecture, names["made"], progress)
    return names["made"]


def _pull(engine: Engine, reference: str) -> str | None:
    """Fetch the published base; return why there is none. Raises `OurFault`."""
    try:
        engine.fetch(reference, lambda done, total: None)
    except ExamError as error:
        if isinstance(error, OurFault):
            raise
        if error.reason == "registry_unreachable":
            return "no image registry answers, so debootstrap makes it on this machine."
        return f"{error} Debootstrap makes it on this machine instead."
    return None


def make_base(
    engine: Engine,
    edition: Edition,
    architecture: Architecture,
    reference: str,
    progress: Progress,
) -> None:
    """Make the edition's base with debootstrap, whose archive must be signed; tell what moved on.

    Raises `ExamError` where debootstrap cannot run or fails, `DiskFull`.
    """
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise ExamError(
            f"No image registry answers, so {edition.base.image} cannot be pulled, and debootstrap "
            "needs root on Debian or Ubuntu: run `sudo exam images build` or connect to a registry."
        )
    if not shutil.which("debootstrap"):
        _run(["apt-get", "install", "-y", "-qq", "debootstrap"], "install debootstrap")
    with tempfile.TemporaryDirectory(prefix="exam-base-") as scratch:
        root = Path(scratch) / "root"
        line = ["debootstrap", "--variant=minbase", f"--arch={_DEBIAN_NAMES[architecture]}"]
        keyring = chosen_keyring()
        line += ["--force-check-gpg", *([f"--keyring={keyring}"] if keyring else [])]
        line += [edition.suite, str(root)]
        mirror = chosen_mirror() or host_mirror(edition.suite)
        _run([*line, mirror] if mirror else line, "make the Debian base with debootstrap")
        packages = installed((root / STATUS).read_text(encoding="utf-8"))
        check_base_lock(edition, architecture, packages, progress)
        _slim(root)
        _same_day(root, edition.epoch)
        archive = Path(scratch) / "base.tar"
        _pack(root, archive, edition.epoch)
        with archive.open("rb") as stream:
            engine.import_image(stream, reference)


def _same_day(root: Path, epoch: int) -> None:
    """Give every account the epoch's day for that of its last change: else it is today."""
    shadow = root / "etc/shadow"
    if shadow.is_file():
        rows = [line.split(":") for line in shadow.read_text(encoding="utf-8").splitlines()]
        lines = [":".join([*row[:2], str(epoch // 86400), *row[3:]]) for row in rows]
        shadow.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _slim(root: Path) -> None:
    """Take away what debian:*-slim lacks, and have dpkg do so with every package that follows."""
    rules = [line.split() for line in _SLIM.splitlines()]
    kept = {path for rule, glob in rules if rule == "path-include" for path in root.glob(glob[1:])}
    for rule, glob in rules:
        if rule != "path-exclude":
            continue
        for path in sorted(root.joinpath(glob[1:-2]).rglob("*"), reverse=True):
            if not path.is_dir():
                if path not in kept:
                    path.unlink()
            elif not path.is_symlink() and not any(path.iterdir()):
                path.rmdir()  # a link stays: packages share the folder of a copyright
    (root / "etc/dpkg/dpkg.cfg.d/docker").write_text(_SLIM, encoding="utf-8")


def _run(command: list[str], what: str) -> None:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        if "No space left on device" in done.stdout:
            raise DiskFull(f"The disk is full; could not {what}: free some space and run again.")
        lines = done.stdout.strip().splitlines()
        words = [line for line in lines if line.startswith("E:")] or lines or ["no output"]
        raise ExamError(
            f"Could not {what} ({words[-1].strip()}): check the network and run the same again."
        ) from RuntimeError(done.stdout[-4000:])


def _members(root: Path) -> Iterator[Path]:
    """Yield everything under a root that belongs in an image, relative, in a fixed order."""
    for folder, folders, files in os.walk(root):
        folders.sort()
        here = Path(folder).relative_to(root)
        links = [name for name in folders if (root / here / name).is_symlink()]
        for name in sorted({*folders, *files}):
            path = here / name
            if any(_is(path, pattern) for pattern in _LEFT_OUT):
                if name in folders:
                    folders.remove(name)
                continue
            yield path
        for name in links:
            if name in folders:
                folders.remove(name)


def _is(path: Path, pattern: str) -> bool:
    return len(path.parts) == len(Path(pattern).parts) and path.match(pattern)


def _pack(root: Path, archive: Path, epoch: int) -> None:
    """Write a root as an uncompressed tar whose bytes depend on its content alone."""
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as tar:
        for path in _members(root):
            source = root / path
            if stat.S_ISSOCK(source.lstat().st_mode):
                continue
            member = tar.gettarinfo(source, arcname=path.as_posix())
            member.mtime = epoch
            member.uname = member.gname = ""
            if member.isreg():
                with source.open("rb") as content:
                    tar.addfile(member, content)
            else:
                tar.addfile(member)
