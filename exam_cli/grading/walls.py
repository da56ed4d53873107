"""The walls around a container that the engine offers: there or missing, and what to do then.

An exam may require them by name (`walls:` in exam.yaml) for official grading.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from exam_cli.engine.port import EngineInfo

_CAPS = {"memory": "memory", "cpu": "CPU", "processes": "processes", "swap": "swap"}
_NEEDED_CAPS = frozenset({"memory", "cpu", "processes"})
_GVISOR = (
    '"runtimes": {"runsc": {"path": "/usr/bin/runsc", "runtimeArgs": ["--network=none", '
    '"--ignore-cgroups", "--platform=ptrace", "--oci-seccomp"]}}'
)
_DAEMON_JSON = "/etc/docker/daemon.json"


@dataclass(frozen=True)
class Wall:
    """One wall: a stable name, whether it is there, and what that means or what to do.

    Only one that is `needed` keeps an exam from being held at all.
    """

    name: str
    there: bool
    text: str
    needed: bool = False


@dataclass(frozen=True)
class _Kind:
    """How a wall is seen, and what is said of it; `missing` may depend on what is there instead."""

    seen: Callable[[EngineInfo], bool]
    there: Callable[[EngineInfo], str]
    missing: Callable[[EngineInfo], str]
    needed: Callable[[EngineInfo], bool] = lambda info: False


def _caps_hold(info: EngineInfo) -> bool:
    return not _caps_are_ignored(info) and set(_CAPS) <= set(info.caps)


def _caps_are_ignored(info: EngineInfo) -> bool:
    """A rootless engine on cgroup v1 takes limits and ignores them."""
    return info.rootless and info.cgroup_version == "1"


def _missing_caps(info: EngineInfo) -> str:
    if _caps_are_ignored(info):
        return "a rootless engine on cgroup v1 ignores limits: boot with cgroup v2, or use root's"
    names = [word for name, word in _CAPS.items() if name not in info.caps]
    if names == ["swap"]:
        return (
            "the kernel does not limit swap, so that a model may fill it: boot with swapaccount=1 "
            "or cgroup v2, or turn swap off"
        )
    return f"the kernel does not limit {', '.join(names)}: boot with cgroup v2"


def _text(sentence: str) -> Callable[[EngineInfo], str]:
    return lambda info: sentence


# name -> how it is seen, what it does, what to do without it
WALLS: dict[str, _Kind] = {
    "caps": _Kind(
        seen=_caps_hold,
        there=lambda info: (
            f"memory, swap, CPU and process limits hold (cgroup v{info.cgroup_version})"
        ),
        missing=_missing_caps,
        needed=lambda info: _caps_are_ignored(info) or not set(info.caps) >= _NEEDED_CAPS,
    ),
    "no_new_privileges": _Kind(
        seen=lambda info: True,
        there=_text("no container can gain privileges, and none has capabilities: always"),
        missing=_text(""),
    ),
    "seccomp": _Kind(
        seen=lambda info: "seccomp" in info.security,
        there=_text("a model can make only those of the kernel's calls that it needs"),
        missing=_text(
            "the engine cannot filter the kernel's calls: use a kernel with CONFIG_SECCOMP_FILTER "
            "and an engine built with seccomp"
        ),
    ),
    "access_control": _Kind(
        seen=lambda info: bool({"apparmor", "selinux"} & set(info.security)),
        there=lambda info: (
            ("SELinux" if "selinux" in info.security else "AppArmor")
            + " confines what containers may open"
        ),
        missing=_text(
            "neither AppArmor nor SELinux confines containers: `apt-get install apparmor`, boot a "
            "kernel that has it on, and restart the engine"
        ),
    ),
    "user_namespaces": _Kind(
        seen=lambda info: bool({"userns", "rootless"} & set(info.security)),
        there=lambda info: (
            "root in a container is nobody outside"
            + (" (rootless engine)" if info.rootless else " (userns-remap)")
        ),
        missing=_text(
            "root in a container would be root outside. Nothing of a grade runs as root, but to be "
            f'sure add "userns-remap": "default" to {_DAEMON_JSON} and restart the engine. It is '
            "the engine's setting, not ours: images are stored anew (`exam up` builds them again), "
            "and workspaces, which are mounted, must be writable for the shifted users"
        ),
    ),
    "gvisor": _Kind(
        seen=lambda info: "runsc" in info.runtimes,
        there=_text("runsc is there: `runtime: runsc` in exam.yaml keeps models from the kernel"),
        missing=_text(
            "no gVisor (runsc): grading rests on the kernel and runc alone. `apt-get install "
            f"runsc`, add {_GVISOR} to {_DAEMON_JSON}, restart the engine, and say `runtime: "
            "runsc` in exam.yaml"
        ),
    ),
}


def walls(info: EngineInfo) -> list[Wall]:
    """Return every wall that is known, in the order of `WALLS`, as this engine has it."""
    found = []
    for name, kind in WALLS.items():
        there = kind.seen(info)
        text = kind.there(info) if there else kind.missing(info)
        found.append(Wall(name, there, text, kind.needed(info)))
    return found
