"""The machine that was measured on, and how long one of its processes has computed."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from exam_cli.engine.port import Engine


def describe(engine: Engine) -> str:
    """Return the machine in a line: cores, memory, kernel, engine, Python."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    cpu = named[0] if named else platform.processor()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    about = engine.info()
    return (
        f"{os.cpu_count()} cores ({cpu}), {memory:.0f} GiB, Linux {platform.release()}, "
        f"Docker {about.version}, cgroups v{about.cgroup_version}, "
        f"Python {platform.python_version()}"
    )


def cpu_seconds(pid: int) -> float | None:
    """Return the seconds that a process and its ended children have computed; None when gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    # proc(5): utime, stime, cutime, cstime are fields 14 to 17; `fields` begins with the third.
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def peak_bytes(pid: int) -> int:
    """Return the most resident memory that a process has had so far; 0 when it is gone."""
    return _of_status(pid, "VmHWM")


def resident_bytes(pid: int) -> int:
    """Return the resident memory that a process has now; 0 when it is gone."""
    return _of_status(pid, "VmRSS")


def anonymous_bytes(container: str, pid: int) -> int:
    """Return the anonymous memory of all processes of a container; `pid` is one of them.

    File pages are left out: containers of one image share them. Raises OSError when it is gone, or
    has only begun and is no group of its own yet.
    """
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if container in path and controllers == "":
            return _stat(Path(f"/sys/fs/cgroup{path}"), "anon")
        if container in path and "memory" in controllers.split(","):
            return _stat(Path(f"/sys/fs/cgroup/memory{path}"), "total_rss")
    raise OSError(f"the process {pid} is not in a group of the container {container}")


def _stat(group: Path, name: str) -> int:
    lines = (group / "memory.stat").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.split()[0] == name))


def _of_status(pid: int, name: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith(f"{name}:")), 0)
