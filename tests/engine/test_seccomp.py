"""The kernel's calls that a predictor's program may make, tried from inside its container."""

from __future__ import annotations

import errno
import json
import platform
from dataclasses import replace
from typing import Any

import pytest

from exam_cli.engine.port import ContainerState
from exam_cli.grading.environment import Environment
from exam_cli.grading.scorer import SCORER_NEEDS

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of calls are x86-64's"),
]

# Numbers of arch/x86/entry/syscalls/syscall_64.tbl. Each is called with arguments of -1, so that
# none would do anything if it were let through.
REFUSED = {
    "shmget": 29, "sendfile": 40, "socket": 41, "connect": 42, "socketpair": 53, "fork": 57,
    "vfork": 58, "msgget": 68, "link": 86, "symlink": 88, "ptrace": 101, "syslog": 103,
    "setuid": 105, "setpgid": 109, "setsid": 112, "mknod": 133, "personality": 135,
    "modify_ldt": 154, "pivot_root": 155, "setrlimit": 160, "chroot": 161, "acct": 163,
    "settimeofday": 164, "mount": 165, "umount2": 166, "swapon": 167, "reboot": 169, "iopl": 172,
    "init_module": 175, "quotactl": 179, "setxattr": 188, "io_setup": 206, "clock_settime": 227,
    "mbind": 237, "mq_open": 240, "kexec_load": 246, "add_key": 248, "request_key": 249,
    "keyctl": 250, "unshare": 272, "splice": 275, "vmsplice": 278, "timerfd_create": 283,
    "inotify_init1": 294, "perf_event_open": 298, "fanotify_init": 300, "name_to_handle_at": 303,
    "open_by_handle_at": 304, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311,
    "kcmp": 312, "finit_module": 313, "memfd_create": 319, "bpf": 321, "execveat": 322,
    "userfaultfd": 323, "copy_file_range": 326, "io_uring_setup": 425, "open_tree": 428,
    "fsopen": 430, "pidfd_open": 434, "process_madvise": 440, "landlock_create_ruleset": 444,
    "memfd_secret": 447,
}  # fmt: skip
ONCE_ALONE = {"kill": 62}
NO = {errno.EPERM, errno.ENOSYS}  # the latter for calls that are newer than the runtime

TRY = """
import ctypes, json, os, threading
libc = ctypes.CDLL(None, use_errno=True)
def errno_of(number):
    ctypes.set_errno(0)
    return ctypes.get_errno() if libc.syscall(number, -1, -1, -1, -1, -1, -1) == -1 else 0
found = {name: errno_of(number) for name, number in json.loads('CALLS').items()}
thread = threading.Thread(target=lambda: found.update(thread=0))
thread.start()
thread.join()
try:
    child = os.fork()
    if child == 0:
        os._exit(7)
    found["os.fork"] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
except OSError as error:
    found["os.fork"] = -error.errno
print(json.dumps(found), flush=True)
"""


def run(grader: Environment, script: str, *arguments: str) -> tuple[bytes, ContainerState]:
    """Run a script in place of the predictor's program, behind its walls; return what it said."""
    engine = grader.engine
    spec = grader.container("predictor", SCORER_NEEDS, *arguments)
    container = engine.create(replace(spec, command=[spec.command[0], "-sEuc", script]))
    said = b""
    try:
        with engine.attach(container) as channel:
            engine.start(container)
            while (piece := channel.receive(60)) is not None:
                said += piece[1]
        return said, engine.wait(container, 60)
    finally:
        engine.remove(container)


def tried(grader: Environment, *arguments: str) -> dict[str, Any]:
    said, _ = run(grader, TRY.replace("CALLS", json.dumps(REFUSED | ONCE_ALONE)), *arguments)
    found: dict[str, Any] = json.loads(said)
    return found


def test_a_program_for_one_answer_makes_no_call_that_it_does_not_need(grader: Environment) -> None:
    found = tried(grader)
    assert found.pop("thread") == 0
    assert found.pop("os.fork") == -errno.EPERM
    assert {name: code for name, code in found.items() if code not in NO} == {}
    assert len(found) == len(REFUSED | ONCE_ALONE)


def test_one_that_serves_may_fork_and_end_its_forks_and_no_more(grader: Environment) -> None:
    found = tried(grader, "--serve")
    assert found.pop("thread") == 0
    assert found.pop("os.fork") == 7
    assert {name for name, code in found.items() if code not in NO} == set(ONCE_ALONE)


@pytest.mark.parametrize("arguments", [(), ("--serve",)], ids=["once", "serving"])
@pytest.mark.parametrize("status", [137, 137 + 256, 137 - 256])
def test_nobody_ends_as_if_killed(
    status: int, arguments: tuple[str, ...], grader: Environment
) -> None:
    """So what ends with 137 was killed from outside: see `faults.ended`."""
    _, state = run(grader, f"import os; os._exit({status})", *arguments)
    assert state.exit_code not in (None, 137)


# exit(137) as 32-bit programs make it: mov eax, 1; mov ebx, 137; int 0x80; ret
OF_32_BITS = """
import ctypes, mmap
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(bytes.fromhex("b801000000bb89000000cd80c3"))
ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
"""


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(OF_32_BITS, id="as 32 bits"),
        pytest.param("import ctypes; ctypes.CDLL(None).syscall(0x40000000 + 231, 137)", id="x32"),
        pytest.param("import ctypes; ctypes.CDLL(None).syscall(60, 137)", id="as a thread"),
        pytest.param("import os; os.execv('/bin/sh', ['sh', '-c', 'exit 137'])", id="as a shell"),
    ],
)
def test_nor_by_another_road(script: str, grader: Environment) -> None:
    _, state = run(grader, script)
    assert state.exit_code not in (None, 137)


@pytest.mark.parametrize("status", [0, 1, 9, 136, 139, 255])
def test_any_other_end_is_told_as_it_was(status: int, grader: Environment) -> None:
    _, state = run(grader, f"import os; os._exit({status})")
    assert (state.exit_code, state.out_of_memory) == (status, False)


def test_what_is_killed_from_inside_was_not_killed_from_outside(grader: Environment) -> None:
    """The first process of a container cannot be killed from within it, nor kill itself."""
    script = "import os, signal; signal.raise_signal(signal.SIGKILL); print('alive'); os._exit(3)"
    said, state = run(grader, script)
    assert (said, state.exit_code) == (b"alive\n", 3)
