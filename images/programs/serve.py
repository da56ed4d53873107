"""Answer one request after another, each in a process of its own.

What is imported is imported once, here; a request is read, and answered, by a fork of this process.
This one reads nothing, so nothing that a request brings can change it: it waits for its fork, ends
whatever that has left running, empties the memory disk and forks again. A fork that fails ends it,
too: whoever asked finds out why elsewhere.

Runs on Python 3.9.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
from pathlib import Path

SCRATCH = Path("/tmp")
PR_SET_DUMPABLE = 4  # prctl(2)


def serve(answer_one):
    """Call `answer_one` in fork after fork, for as long as each ends well; then return."""
    answered = True
    while answered:
        open_to_inspection(False)
        child = os.fork()
        if child == 0:
            open_to_inspection(True)
            answer_one()
            os._exit(0)  # nothing that was registered for the end may run
        _, status = os.waitpid(child, 0)
        sweep()
        answered = status == 0


def open_to_inspection(allowed):
    """Let other processes of this user look into this one and change it, or keep them out.

    What runs in a fork is a stranger's program under this very user: see prctl(2), PR_SET_DUMPABLE,
    and ptrace(2) on access to /proc/PID/mem.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, int(allowed), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def sweep():
    """Leave no process but this one, and no file."""
    if os.getpid() != 1:
        return  # not in a container: what runs and lies here is none of ours
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    for left in SCRATCH.iterdir():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
        else:
            left.unlink()
