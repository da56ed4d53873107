"""The second wall: which of the kernel's calls a predictor and a scorer may make.

An engine's own profile lets some 350 calls through, for it must suit any program. Ours are known:
they read standard input, files of the image and /tmp, compute in threads, and write one answer. So
all else is refused (EPERM): sockets of any kind, new processes, other processes' memory, shared
memory, name spaces, keys, BPF, io_uring, user faults, performance counters, mounts, 32-bit calls.

What is allowed was found by tracing the references of all sections, in every format, in predictors
cold, warm and serving (`strace -f`), and rounded up to what Python, its libraries and the engine's
runtime, which runs behind the filter until it gives way to the program, call on other versions.
The format is the engine's: docs.docker.com/engine/security/seccomp.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

_MEMORY = """
    brk madvise membarrier mincore mmap mprotect mremap msync munmap
"""
_FILES = """
    access chdir chmod close close_range dup dup2 dup3 faccessat faccessat2
    fadvise64 fallocate fchdir fchmod fchmodat fcntl fdatasync flock fstat fstatfs fsync ftruncate
    getcwd getdents getdents64 ioctl lseek lstat mkdir mkdirat newfstatat open openat pipe pipe2
    pread64 preadv pwrite64 pwritev read readlink readlinkat readv rename renameat renameat2 rmdir
    stat statfs statx truncate umask unlink unlinkat utimensat write writev
"""
_WAITING = """
    clock_getres clock_gettime clock_nanosleep epoll_create epoll_create1 epoll_ctl epoll_pwait
    epoll_wait eventfd eventfd2 futex getitimer gettimeofday nanosleep poll ppoll pselect6
    restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn rt_sigsuspend
    rt_sigtimedwait select sigaltstack tgkill time times
"""
_THREADS = """
    arch_prctl get_robust_list getcpu gettid rseq sched_get_priority_max sched_get_priority_min
    sched_getaffinity sched_getparam sched_getscheduler sched_yield set_robust_list set_tid_address
    wait4 waitid
"""
_ABOUT_ITSELF = """
    capget execve getegid geteuid getgid getgroups getpgid getpgrp getpid getppid getpriority
    getrandom getresgid getresuid getrlimit getrusage getsid getuid prctl sysinfo uname
"""
# What NVIDIA's driver calls beside that from within a program: it asks and says on which processor
# and memory its threads and buffers are, and pins them. All that it does to a GPU is an `ioctl` on
# the device files that the container was given. From the driver's open parts and what is known of
# traces of it: nobody could try it here, for want of a GPU. `mknod` and new processes, by which it
# would make missing device files, stay refused: NVIDIA's toolkit has made them.
_GPU = [
    "get_mempolicy",
    "mbind",
    "memfd_create",
    "mlock",
    "mlock2",
    "munlock",
    "sched_setaffinity",
    "set_mempolicy",
]
_ALWAYS = " ".join((_MEMORY, _FILES, _WAITING, _THREADS, _ABOUT_ITSELF)).split()

_CLONE_THREAD = 0x10000
_NEW_NAMESPACES = 0x7E020000  # every CLONE_NEW flag of clone(2)
_ENOSYS = 38
KILLED = 137  # the exit status of what SIGKILL has ended


@cache
def profile(*, forks: bool, gvisor: bool = False, gpu: bool = False) -> str:
    """Return the profile as the engine takes it, JSON text.

    Args:
        forks: whether the program answers in forks of itself, which it also kills and waits for.
            Others may start threads and nothing else.
        gvisor: whether it is for gVisor, whose own kernel is the wall. It heeds a profile only if
            told to (`--oci-seccomp`).
        gpu: whether it computes on a GPU.
    """
    return json.dumps(
        {
            "defaultAction": "SCMP_ACT_ERRNO",
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
            "syscalls": list(_rules(forks, gvisor, gpu)),
        }
    )


def _rules(forks: bool, gvisor: bool, gpu: bool) -> Iterator[dict[str, Any]]:
    yield _allow(*_ALWAYS, *(["kill"] if forks else []), *(_GPU if gpu else []))
    flags = _NEW_NAMESPACES if forks else _NEW_NAMESPACES | _CLONE_THREAD
    yield _allow("clone", argument=0, mask=flags, value=flags & _CLONE_THREAD)
    # Its flags lie in memory, where no filter sees them; told that there is none, libc uses clone.
    # gVisor of 2022 refuses with EPERM whatever it is told to, and then there would be no threads.
    unknown = {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS}
    yield _allow("clone3") if gvisor else unknown
    # It may look at limits, its own and others', and change none.
    yield _allow("prlimit64", argument=2, mask=2**64 - 1, value=0)
    # No program can end with the status of one that was killed, so whatever has that was killed
    # from outside: any other status differs from it in one bit at least.
    for bit in (1 << place for place in range(8)):
        yield _allow("exit", "exit_group", argument=0, mask=bit, value=bit & ~KILLED)


def _allow(
    *names: str, argument: int | None = None, mask: int = 0, value: int = 0
) -> dict[str, Any]:
    """Return the rule that allows calls; only where `argument & mask == value`, if one is given."""
    rule: dict[str, Any] = {"names": sorted(names), "action": "SCMP_ACT_ALLOW"}
    if argument is not None:
        test = {"index": argument, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"}
        rule["args"] = [test]
    return rule


if __name__ == "__main__":  # what compose.yaml names: Compose takes a file
    sys.stdout.write(json.dumps(json.loads(profile(forks=False)), indent=1) + "\n")
