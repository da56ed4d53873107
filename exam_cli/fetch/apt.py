"""Debian packages, through apt inside a Debian container on the host's network.

apt itself checks the archive's signatures and hashes. It runs in a container so that a host that
is no Debian can do it as well, and so that the suite is the edition's, not the host's.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
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
        -o Dir::Etc::SourceParts="$PARTS" -o Dir::Etc::SourceList="$SOURCES" "$@" >&2
}
if [ -n "$MIRROR" ]; then
    echo "deb $MIRROR $SUITE main" >/tmp/sources.list
    SOURCES=/tmp/sources.list PARTS=/dev/null
else
    SOURCES=/etc/apt/sources.list PARTS=/etc/apt/sources.list.d
fi
apt update
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
) -> list[list[Path]]:
    """Fetch groups of packages and all they need beyond `image` into `directory`.

    Returns the files of each group, without those of the groups before it.
    """
    joined = [" ".join(group) for group in groups]
    return _fetch(engine, image, suite, "closure", joined, directory)


def fetch_exact(
    engine: Engine, image: str, suite: str, package: str, version: str, directory: Path
) -> list[Path]:
    """Fetch one package of an exact version, without what it needs."""
    return _fetch(engine, image, suite, "exact", [f"{package}={version}"], directory)[0]


def _fetch(
    engine: Engine, image: str, suite: str, mode: str, groups: Sequence[str], directory: Path
) -> list[list[Path]]:
    directory.mkdir(parents=True, exist_ok=True)
    spec = ContainerSpec(
        image=image,
        command=["/bin/sh", "-c", _SCRIPT, "apt", *groups],
        user="0:0",
        limits=Limits(1 << 30, 2, 256, tmpfs={"/tmp": 1 << 29}),
        labels={"exam.role": "fetch"},
        environment={"MODE": mode, "SUITE": suite, "MIRROR": host_mirror(suite) or ""},
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
            f"({words[-1] if words else 'apt gave no reason'}): check the network and run again."
        )
    fetched: list[list[Path]] = [[] for _ in groups]
    with tarfile.open(fileobj=io.BytesIO(bytes(output))) as archive:
        # By hand: early releases of Python 3.11, Debian's among them, cannot filter members.
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            if content is not None:
                name = Path(member.name)
                path = directory / name.name
                path.write_bytes(content.read())
                fetched[int(name.parent.name)].append(path)
    return [sorted(files) for files in fetched]
