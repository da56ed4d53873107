"""Debian's packages, those of the base and those beyond it, against the edition's locks.

`base.ARCHITECTURE.lock` names the base's packages, a name and a version a line, below a line that
says of which time the archive was. `debian.ARCHITECTURE.lock` names what comes on top, with the
sha256 of each file.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from exam_cli.config.edition import Architecture, Edition
from exam_cli.engine.port import ContainerSpec, Engine, Limits
from exam_cli.errors import OurFault
from exam_cli.fetch.apt import chosen_mirror, fetch_closures
from exam_cli.fetch.lockfile import sha256_of
from exam_cli.paths import cache_dir
from exam_cli.progress import Progress

STATUS = "var/lib/dpkg/status"
_ARCHIVE = re.compile(r"^# .*?(\d{8}T\d{6}Z)")
_SHOWN = 12


@dataclass(frozen=True)
class DebianFiles:
    """Debian packages: those that Python needs, and those that the workspace adds.

    `archive` is the time of the archive that they are from, such as 20260102T030405Z, or empty.
    """

    python: Sequence[Path]
    workspace: Sequence[Path]
    archive: str


def fetch_debian(
    engine: Engine,
    edition: Edition,
    architecture: Architecture,
    base: str,
    progress: Progress,
    *,
    fresh: bool = False,
) -> DebianFiles:
    """Fetch the Debian packages beyond the base, once per base image, locks and list of names.

    `fresh` fetches them again.
    """
    image, lock = engine.image(base), edition.lock("debian", architecture)
    locked = sha256_of(lock) if lock.is_file() else ""
    wanted = f"{edition.debian!r} {image.id if image else base} {chosen_mirror()} {locked}"
    name = f"{edition.suite}-{architecture}-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    directory = cache_dir() / "debian" / name
    if fresh or not (directory / "archive").is_file():
        progress.step("Debian packages")
        scratch = directory.with_name(f"{name}.{os.getpid()}.part")
        try:
            groups = [edition.debian.python, edition.debian.workspace]
            found = fetch_closures(engine, base, edition.suite, groups, scratch)
            for layer, files in zip(("python", "workspace"), found.groups, strict=True):
                (scratch / layer).mkdir()
                for path in files:
                    path.rename(scratch / layer / path.name)
            (scratch / "archive").write_text(found.archive)
            shutil.rmtree(directory, ignore_errors=True)
            with contextlib.suppress(OSError):  # somebody else has just put it there
                scratch.rename(directory)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return DebianFiles(
        sorted((directory / "python").iterdir()),
        sorted((directory / "workspace").iterdir()),
        (directory / "archive").read_text(),
    )


def installed(status: str) -> dict[str, str]:
    """Return the version of each package that dpkg's status file says is installed.

    Format: https://manpages.debian.org/dpkg-query (paragraphs of `Field: value`).
    """
    found = {}
    for paragraph in status.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Version|Status): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            found[fields["Package"]] = fields["Version"]
    return found


def packages_of(engine: Engine, image: str) -> dict[str, str]:
    """Return the version of each Debian package in an image; nothing if it is no Debian."""
    import io
    import tarfile

    spec = ContainerSpec(
        image, ["true"], "0:0", Limits(1 << 26, 1, 8), labels={"exam.role": "look"}
    )
    container = engine.create(spec)
    try:
        content = b"".join(engine.get(container, f"/{STATUS}"))
    finally:
        engine.remove(container)
    if not content:
        return {}
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        file = tar.extractfile(tar.getmembers()[0])
        return installed(file.read().decode()) if file else {}


def debian_lock_lines(files: Iterable[Path]) -> list[str]:
    """Return a lock's lines for package files: name, version, sha256."""
    lines = []
    for path in files:
        name, version, _ = path.name.removesuffix(".deb").split("_")
        lines.append(f"{name} {version.replace('%3a', ':')} {sha256_of(path)}")
    return sorted(lines)


def lock_debian(
    edition: Edition,
    engine: Engine,
    architecture: Architecture,
    base: str,
    draft: Path,
    progress: Progress,
) -> None:
    """Write the locks of a base's packages and of those beyond it into a directory."""
    debian = fetch_debian(engine, edition, architecture, base, progress, fresh=True)
    lines = debian_lock_lines([*debian.python, *debian.workspace])
    lock = draft / edition.lock("debian", architecture).name
    lock.write_text("\n".join(lines) + "\n", encoding="utf-8")
    packages = packages_of(engine, base)
    lines = [f"# Debian's archive of {debian.archive}"] if debian.archive else []
    lines += [f"{name} {version}" for name, version in sorted(packages.items())]
    lock = draft / edition.lock("base", architecture).name
    lock.write_text("\n".join(lines) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Locked:
    """What the locks say: versions by package, and of which time the archive was, if they tell."""

    base: Mapping[str, str]
    beyond: Mapping[str, str]
    archive: str | None


def read_debian_locks(edition: Edition, architecture: Architecture) -> Locked:
    """Return what an edition's locks say of Debian's packages; nothing where there are none."""
    texts = []
    for layer in ("base", "debian"):
        lock = edition.lock(layer, architecture)
        texts.append(lock.read_text(encoding="utf-8") if lock.is_file() else "")
    base, beyond = (
        {
            line.split()[0]: line.split()[1]
            for line in text.splitlines()
            if line[:1] not in ("", "#")
        }
        for text in texts
    )
    named = _ARCHIVE.match(texts[0])
    return Locked(base, beyond, named[1] if named else None)


def moved(locked: Mapping[str, str], found: Mapping[str, str], *, whole: bool = False) -> list[str]:
    """Return what differs between a lock's versions and those found, in words.

    `whole` says that what is found is all there is, so that what only one of them has counts.
    """
    told = [
        f"{name} {version} is now {found[name]}"
        for name, version in sorted(locked.items())
        if name in found and found[name] != version
    ]
    if whole and locked:
        told += [f"{name} {locked[name]} is gone" for name in sorted(locked.keys() - found.keys())]
        told += [f"{name} {found[name]} is new" for name in sorted(found.keys() - locked.keys())]
    return told


def moved_sentence(edition: Edition, architecture: Architecture, told: Sequence[str]) -> str:
    """Return what to tell of an archive that has moved on, and how to build what is locked."""
    archive = read_debian_locks(edition, architecture).archive
    since = f" of {archive[:4]}-{archive[4:6]}-{archive[6:8]}" if archive else ""
    shown = [*told[:_SHOWN], *([f"and {len(told) - _SHOWN} more"] if told[_SHOWN:] else [])]
    sentence = f"Debian's archive has moved on since the lock{since}: {'; '.join(shown)}."
    if archive:
        sentence += (
            " To build what is locked, set EXAM_DEBIAN_MIRROR to Debian's archive as it was then, "
            f"which its snapshot service keeps at archive/debian/{archive}/, and run `exam images "
            f"build --again --edition {edition.edition}`."
        )
    return sentence


def check_base_lock(
    edition: Edition, architecture: Architecture, found: Mapping[str, str], progress: Progress
) -> None:
    """Tell which packages of a base that was just made are not those of the lock."""
    told = moved(read_debian_locks(edition, architecture).base, found, whole=True)
    if told:
        progress.say(moved_sentence(edition, architecture, told))


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
    versions = {}
    for line in debian_lock_lines(files):
        name, version, digest = line.split()
        versions[name] = version
        if locked.get(name, ("", ""))[0] == version and locked[name][1] != digest:
            raise OurFault(
                f"The Debian package {name} {version} is not the one that {lock.name} names: "
                "its sha256 differs. Do not use it; fetch again from another mirror."
            )
    # The pulled base lacks less, or more, than the one made here: only versions are compared.
    told = moved({name: words[0] for name, words in locked.items()}, versions)
    if told:
        progress.say(moved_sentence(edition, architecture, told))
