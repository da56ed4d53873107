"""Which known holes the engine, the kernel and the edition have, as far as their versions tell."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from exam_cli.config import advisories
from exam_cli.config.advisories import Advisory, Name
from exam_cli.config.edition import Architecture, Edition
from exam_cli.engine.port import Component, EngineInfo
from exam_cli.fetch.lockfile import read_lock

# Of an engine's own words, and of Debian's packages where it does not tell enough.
_COMPONENTS: dict[str, Name] = {"Engine": "docker", "containerd": "containerd", "runc": "runc"}
_RUNTIMES: dict[str, tuple[Name, str]] = {
    "runsc": ("gvisor", "runsc"),
    "nvidia": ("nvidia-toolkit", "nvidia-container-toolkit"),
}
_ENGINE_PACKAGE = "docker.io"
WHEELS: dict[str, Name] = {
    "keras": "keras",
    "tensorflow": "tensorflow",
    "tensorflow-cpu": "tensorflow",
}


@dataclass(frozen=True)
class Looked:
    """A component, its version, and its known holes: open, mended, or nobody can tell from here."""

    component: Name
    version: str
    open: tuple[Advisory, ...] = ()
    unknown: tuple[Advisory, ...] = ()
    mended: tuple[Advisory, ...] = ()
    by_debian: tuple[Advisory, ...] = ()  # of those that are mended


def is_here(info: EngineInfo) -> bool:
    """Return whether an engine runs on this machine, as far as names tell."""
    return info.host == platform.node() and info.kernel == os.uname().release


def of_engine(info: EngineInfo) -> list[Looked]:
    """Look at what containers run on."""
    here = is_here(info)
    packages = _debian_packages() if here else {}
    found = list(_looked_at(info, packages, here))
    return [_look(name, component) for name, component in found]


def of_edition(edition: Edition, architecture: Architecture) -> list[Looked]:
    """Look at an edition's wheels. Raises `OurFault` for a lock that is none."""
    pins = read_lock(edition.lock("tensorflow", architecture))
    return [_look(WHEELS[pin.name], Component(pin.version)) for pin in pins if pin.name in WHEELS]


def _looked_at(
    info: EngineInfo, packages: Mapping[str, str], here: bool
) -> Iterator[tuple[Name, Component]]:
    for name, component in info.components.items():
        if name == "Engine":
            # The engine tells the commit that it is from, and not the package.
            yield "docker", Component(component.version, packages.get(_ENGINE_PACKAGE, ""))
        elif name in _COMPONENTS:
            yield _COMPONENTS[name], component
    yield "kernel", Component((_upstream_kernel() if here else None) or info.kernel)
    for runtime, (name, package) in _RUNTIMES.items():
        if runtime in info.runtimes:
            version = packages.get(package, "of unknown version")
            yield name, Component(version, version)


def _look(name: Name, component: Component) -> Looked:
    states = [(one, one.state(component.version, component.build)) for one in advisories.of(name)]
    mended = tuple(one for one, state in states if state == "mended")
    return Looked(
        name,
        component.version,
        open=tuple(one for one, state in states if state == "open"),
        unknown=tuple(one for one, state in states if state == "unknown"),
        mended=mended,
        by_debian=tuple(one for one in mended if one.by_debian(component.version, component.build)),
    )


def _upstream_kernel() -> str | None:
    """Return which version of the kernel a distribution's own is made from, where it says so."""
    debian = re.search(r"Debian (\d+\.\d+\.\d+)", os.uname().version)
    if debian is not None:
        return debian[1]
    try:
        with open("/proc/version_signature", encoding="ascii") as stream:  # noqa: PTH123
            return stream.read(200).split()[-1]
    except (OSError, ValueError, IndexError):
        return None


def _debian_packages() -> dict[str, str]:
    """Return the versions of packages whose programs do not tell which they are."""
    query = shutil.which("dpkg-query")
    if query is None:
        return {}
    names = [_ENGINE_PACKAGE, *(package for _, package in _RUNTIMES.values())]
    form = "${Package} ${Version} ${db:Status-Status}\n"
    done = subprocess.run(
        [query, "--show", f"--showformat={form}", *names],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    rows = (line.split() for line in done.stdout.splitlines())
    return {row[0]: row[1] for row in rows if row[-1] == "installed"}
