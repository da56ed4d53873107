"""Debian packages, through apt inside a Debian container on the host's network.

apt itself checks the archive's signatures and hashes. It runs in a container so that a host that
is no Debian can do it as well, and so that the suite is the edition's, not the host's.

EXAM_DEBIAN_MIRROR names another archive than the machine's own: one nearby, or Debian's as it was
at some time. EXAM_DEBIAN_KEYRING is a file with the keys of whoever signs that one, where that is
not Debian.
"""

from __future__ import annotations

import base64
import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

from exam_cli.engine.port import ContainerSpec, Engine, Limits
from exam_cli.errors import ExamError

_SECONDS_OF_SILENCE = 300.0
_LOG_TAIL = 4000
_SCRIPT = r"""
set -eu
mkdir -p /tmp/lists/partial /tmp/out/partial /tmp/groups
cp /var/lib/dpkg/status /tmp/status
apt() {
    apt-get -qq -o APT::Sandbox::User=root -o Dir::State::Lists=/tmp/lists \
        -o Dir::Cache::archives=/tmp/out -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
        -o Dir::Etc::SourceParts="$PARTS" -o Dir::Etc::SourceList="$SOURCES" $PAST "$@" >&2
}
if [ -n "$KEYRING" ]; then
    echo "$KEYRING" | base64 -d >/tmp/keyring.gpg
    SIGNED="[signed-by=/tmp/keyring.gpg]"
fi
if [ -n "$MIRROR" ]; then
    echo "deb ${SIGNED:-} $MIRROR $SUITE main" >/tmp/sources.list
    SOURCES=/tmp/sources.list PARTS=/dev/null
else
    SOURCES=/etc/apt/sources.list PARTS=/etc/apt/sources.list.d
fi
apt update
sed -n 's/^Date: //p' /tmp/lists/*Release | head -n 1 >/tmp/groups/date
cd /tmp/out
number=0
for group in "$@"; do
    case $MODE in
    closure) apt install --no-install-recommends --download-only -y $group ;;
    exact) apt download "$group" ;;
    esac
    mkdir /tmp/groups/$number
    for file in *.deb; do
        found=$(find /tmp/groups -name "$file")
        [ -n "$found" ] || ln "$file" /tmp/groups/$number/
    done
    number=$((number + 1))
done
cd /tmp/groups && tar -cf - .
"""


@dataclass(frozen=True)
class Fetched:
    """Package files by group, and the time of the archive that they are from, as its name has it.

    That name is `20260102T030405Z`, as Debian's snapshots are named; empty when apt did not tell.
    """

    groups: list[list[Path]]
    archive: str


def chosen_mirror() -> str | None:
    """Return the archive that the user named; None leaves it to the machine."""
    return os.environ.get("EXAM_DEBIAN_MIRROR") or None


def chosen_keyring() -> Path | None:
    """Return the file of keys that the user named. Raises `ExamError` when there is none."""
    named = os.environ.get("EXAM_DEBIAN_KEYRING")
    if not named:
        return None
    path = Path(named).expanduser().resolve()
    if not path.is_file():
        raise ExamError(f"EXAM_DEBIAN_KEYRING names {path}, and there is no such file.")
    return path


def host_mirror(suite: str) -> str | None:
    """Return the mirror that this machine's own apt uses for a suite; None without one.

    Debian keeps its releases at one address, so a mirror of another one will do.
    """
    if shutil.which("apt-get") is None:
        return None
    line = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(COMPONENT) $(LABEL) $(CODENAME)"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    targets = [target.split() for target in done.stdout.splitlines()]
    mirrors = [fields for fields in targets if fields[1:3] == ["main", "Debian"]]
    own = [fields for fields in mirrors if fields[3:] == [suite]]
    return next((fields[0] for fields in own or mirrors), None)


def fetch_closures(
    engine: Engine, image: str, suite: str, groups: Sequence[Sequence[str]], directory: Path
) -> Fetched:
    """Fetch groups of packages and all they need beyond `image` into `directory`.

    Each group is without what the groups before it have.
    """
    joined = [" ".join(group) for group in groups]
    return _fetch(engine, image, suite, "closure", joined, directory)


def fetch_exact(
    engine: Engine, image: str, suite: str, package: str, version: str, directory: Path
) -> list[Path]:
    """Fetch one package of an exact version, without what it needs."""
    return _fetch(engine, image, suite, "exact", [f"{package}={version}"], directory).groups[0]


def _fetch(
    engine: Engine, image: str, suite: str, mode: str, groups: Sequence[str], directory: Path
) -> Fetched:
    directory.mkdir(parents=True, exist_ok=True)
    mirror, keyring = chosen_mirror(), chosen_keyring()
    spec = ContainerSpec(
        image=image,
        command=["/bin/sh", "-c", _SCRIPT, "apt", *groups],
        user="0:0",
        limits=Limits(1 << 30, 2, 256, tmpfs={"/tmp": 1 << 29}),
        labels={"exam.role": "fetch"},
        environment={
            "MODE": mode,
            "SUITE": suite,
            "MIRROR": mirror or host_mirror(suite) or "",
            "KEYRING": base64.b64encode(keyring.read_bytes()).decode() if keyring else "",
            # An archive as it was says, rightly, that it is out of date. It stays signed.
            "PAST": "-o Acquire::Check-Valid-Until=false" if mirror else "",
        },
        network="host",
    )
    container = engine.create(spec)
    output, log = bytearray(), bytearray()
    try:
        with engine.attach(container) as channel:
            engine.start(container)
            while (piece := channel.receive(_SECONDS_OF_SILENCE)) is not None:
                (output if piece[0] == "stdout" else log).extend(piece[1])
        state = engine.wait(container, 30)
    finally:
        engine.remove(container)
    if state.exit_code:
        words = [
            line for line in log[-_LOG_TAIL:].decode(errors="replace").splitlines() if line.strip()
        ]
        raise ExamError(
            f"Fetching {', '.join(groups)} from Debian's archive failed "
            f"({words[-1] if words else 'apt gave no reason'}): "
            f"check {f'EXAM_DEBIAN_MIRROR, {mirror},' if mirror else 'the network'} and run again."
        )
    fetched: list[list[Path]] = [[] for _ in groups]
    date = ""
    with tarfile.open(fileobj=io.BytesIO(bytes(output))) as archive:
        # By hand: early releases of Python 3.11, Debian's among them, cannot filter members.
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            if content is not None:
                name = Path(member.name)
                if name.name == "date":
                    date = content.read().decode().strip()
                    continue
                path = directory / name.name
                path.write_bytes(content.read())
                fetched[int(name.parent.name)].append(path)
    time = f"{parsedate_to_datetime(date):%Y%m%dT%H%M%SZ}" if date else ""
    return Fetched([sorted(files) for files in fetched], time)
