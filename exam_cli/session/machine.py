"""What a machine says of the time: a wall clock that anyone may set, and one that nobody can.

The second counts the seconds since the machine was started, those asleep included. It begins again
with each start, so it means something only beside the identity of that start.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Reading:
    """Both clocks at one moment.

    Args:
        wall: the machine's own opinion, with a time zone.
        boot: names this start of this machine; None where it tells none.
        up: seconds since then.
    """

    wall: datetime
    boot: str | None
    up: float


Read = Callable[[], Reading]


def read() -> Reading:
    """Read the clocks of this machine.

    Linux has CLOCK_BOOTTIME, see clock_gettime(2), and a random id for each start, see random(4).
    macOS has CLOCK_MONOTONIC_RAW, which counts on in sleep and is no function of the wall clock, as
    its CLOCK_MONOTONIC is, and `kern.bootsessionuuid`.
    """
    name = "CLOCK_MONOTONIC_RAW" if sys.platform == "darwin" else "CLOCK_BOOTTIME"
    up = time.clock_gettime(getattr(time, name, time.CLOCK_MONOTONIC))
    return Reading(datetime.now(UTC), _boot(), up)


@cache
def _boot() -> str | None:
    if sys.platform == "darwin":
        return _sysctl(b"kern.bootsessionuuid")
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip() or None
    return None


def _sysctl(name: bytes) -> str | None:
    """Return a text that macOS's kernel tells under a name, see sysctlbyname(3)."""
    text = ctypes.create_string_buffer(64)
    size = ctypes.c_size_t(len(text))
    status = ctypes.CDLL(None).sysctlbyname(name, text, ctypes.byref(size), None, 0)
    return text.value.decode("ascii", "replace") or None if status == 0 else None
