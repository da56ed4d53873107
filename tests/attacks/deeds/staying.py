"""Ending early, going on afterwards, and leaving something behind."""
# ruff: noqa: PTH101, PTH102, PTH103, PTH211

import atexit
import contextlib
import ctypes
import os
import resource
import signal
import struct
import sys
import threading
import time
import weakref

from channel import write_everywhere


def exit_quietly(values):
    """End the process as if all had gone well."""
    os._exit(0)


def kill_itself(values):
    """Send oneself what nobody can ignore, and if nothing comes of it end with its status."""
    signal.raise_signal(signal.SIGKILL)
    time.sleep(0.5)  # a container's first process is spared by its own signals
    os._exit(137)


def die_of_signal(values):
    """Read address 0."""
    ctypes.string_at(0)


def poke(values):
    """Write over what the interpreter itself is made of."""
    ctypes.memset(id(type), 0x5A, 256)
    type("x", (), {})


def lock_itself_in(values):
    """Have the kernel kill this process at its next call, whichever that is."""
    kill = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x80000000))
    program = struct.pack("HxxxxxxP", 1, ctypes.addressof(kill))
    ctypes.CDLL(None).prctl(22, 2, program)


def become_another(values):
    """Replace the predictor by a program that waits."""
    os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(10**6)"])


def kill_the_others(values):
    """Kill the parent, and every process that may be signalled."""
    with contextlib.suppress(OSError):
        if os.getppid() > 1:
            os.kill(os.getppid(), signal.SIGKILL)
    for target in (-1, *range(2, 300)):
        with contextlib.suppress(OSError):
            os.kill(target, signal.SIGKILL)
    print("KILLED")


def trap_signals(values):
    """Ignore every signal that may be, and never end."""
    for signum in range(1, 65):
        with contextlib.suppress(OSError, ValueError):
            signal.signal(signum, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    while True:
        time.sleep(10**6)


def leave_process_behind(values):
    """Leave a child that outlives this process if it can, and holds its streams."""
    if os.fork() == 0:
        with contextlib.suppress(OSError):
            os.setsid()
        if os.fork() == 0:
            time.sleep(10**6)
        os._exit(0)


def leave_threads_behind(values):
    """Leave threads that compute while the predictor answers, and would go on."""

    def turn():
        while True:
            sum(range(10**6))

    for _ in range(4):
        threading.Thread(target=turn).start()


def leave_words_behind(values):
    """Register for the end, in every way that there is, a word into the grader's channel."""

    def last():
        write_everywhere(b"I was here last")

    class Dying:
        def __del__(self):
            last()

    atexit.register(last)
    threading._register_atexit(last)
    sys.modules["__main__"].dying = Dying()
    weakref.finalize(sys.modules["__main__"].dying, last)
    for signum in (signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM, signal.SIGPIPE):
        with contextlib.suppress(ValueError):
            signal.signal(signum, lambda *_: last())
    with contextlib.suppress(OSError):
        if os.fork() == 0:
            os._exit(0)  # so that SIGCHLD comes


def lie_in_wait(values):
    """Leave a process that takes what is asked next, and says something to it."""
    if os.fork() == 0:
        with contextlib.suppress(OSError):
            os.setsid()
        if os.fork() == 0:
            for signum in range(1, 32):
                with contextlib.suppress(OSError, ValueError):
                    signal.signal(signum, signal.SIG_IGN)
            time.sleep(0.5)  # until this model's own answer is out
            while True:
                with contextlib.suppress(OSError):
                    os.read(0, 1 << 20)
                write_everywhere(b"I was here first")
        os._exit(0)


def hamper_the_server(values):
    """Leave the process that will fork for the next model little to live on."""
    with contextlib.suppress(OSError, ValueError):
        resource.prlimit(1, resource.RLIMIT_NOFILE, (4, 4))
    with contextlib.suppress(OSError, ValueError):
        resource.prlimit(1, resource.RLIMIT_AS, (1 << 20, 1 << 20))


def interrupt_the_server(values):
    """Send it every signal that it may have an ear for."""
    for signum in range(1, 65):
        with contextlib.suppress(OSError):
            os.kill(1, signum)


def litter(values):
    """Leave what is hard to sweep up."""
    os.makedirs("/tmp/a/b/c")
    os.chmod("/tmp/a/b", 0)
    path = "/tmp/deep"
    os.mkdir(path)
    os.chdir(path)
    for _ in range(2000):
        os.mkdir("d")
        os.chdir("d")
    os.chdir("/tmp")
    with contextlib.suppress(OSError):
        os.symlink("/tmp/model", "/tmp/link")
