"""Using up time, memory, processes, files and disk."""
# ruff: noqa: PTH102, PTH123

import contextlib
import mmap
import os
import sys
import threading
import time

import numpy

kept = []


def sleep_for_ever(values):
    """Wait."""
    time.sleep(10**6)


def spin(values):
    """Compute for ever, in more threads than there are cores."""

    def turn():
        while True:
            pass

    for _ in range(8):
        threading.Thread(target=turn).start()
    turn()


def eat_memory(values):
    """Take 20 GB and touch every page of it."""
    kept.extend(numpy.ones(1 << 27) for _ in range(20))


def eat_shared_memory(values):
    """Take 20 GB that belong to whoever comes, and to no process."""
    for _ in range(20):
        kept.append(mmap.mmap(-1, 1 << 30))
        for page in range(0, 1 << 30, 4096):
            kept[-1][page] = 1


def fork_bomb(values):
    """Double for ever."""
    while True:
        with contextlib.suppress(OSError):
            os.fork()


def thread_bomb(values):
    """Start threads until no more are to be had."""
    try:
        while True:
            threading.Thread(target=time.sleep, args=(10**6,), daemon=True).start()
    except RuntimeError as error:
        print("THREADS", error)


def open_everything(values):
    """Hold as many files open as there may be."""
    try:
        while True:
            kept.append(open("/dev/null", "rb"))  # noqa: SIM115
    except OSError as error:
        print("FILES", error.strerror)


def fill_disk(values):
    """Write to /tmp until it is full."""
    try:
        with open("/tmp/full", "wb") as file:
            while True:
                file.write(bytes(1 << 20))
    except OSError as error:
        print("DISK", error.strerror)


def fill_disk_with_names(values):
    """Make files without content, for as long as the disk takes them or the clock runs."""
    number = 0
    with contextlib.suppress(OSError):
        while True:
            os.mkdir(f"/tmp/{number}")
            number += 1
    time.sleep(10**6)


def recurse(values):
    """Call oneself until there is no stack left."""
    sys.setrecursionlimit(1 << 30)

    def deeper(one):
        return sorted([one], key=deeper)

    deeper(1)
