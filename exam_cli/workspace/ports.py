"""Ports of this machine, on 127.0.0.1 alone."""

from __future__ import annotations

import random
import socket

_OTHERS = range(20000, 32768)  # below those that the kernel gives to whoever dials out


def free_port(wanted: int) -> int:
    """Return `wanted` if nothing listens there on 127.0.0.1, else 0: let the engine choose."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return 0
    return wanted


def some_port(wanted: int) -> int:
    """Return `wanted` if nothing listens there, else another that is free.

    A port of the engine's own choice would change when the container is restarted, and an editor
    would not find it again.
    """
    found = free_port(wanted) if wanted else 0
    while found == 0:
        found = free_port(random.choice(_OTHERS))
    return found
