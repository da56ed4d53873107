"""Start a workspace container: the candidate's account and an SSH server, then what is to run.

    workspace.py COMMAND...     becomes COMMAND, with an SSH server beside it
    workspace.py --healthy      ends with 0 when the SSH server and Jupyter answer

All of it runs as the candidate, without any capability. An SSH server that ends is started again,
and the container's log says so; when COMMAND ends, so does the container. Without the keys in
/etc/exam there is no SSH server, and COMMAND runs alone.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

TYPE_CHECKING = False  # the module of that name is slow to import
if TYPE_CHECKING:
    from collections.abc import Mapping

SSH_PORT = 2222
JUPYTER_PORT = 8888
USER = "candidate"
HOME = "/home/candidate"
SSHD = "/usr/sbin/sshd"
HOST_KEY = "/etc/exam/ssh_host_ed25519_key"
AUTHORIZED = "/etc/exam/authorized_keys"

# What of the container's environment a session over SSH has, too: sshd gives it nothing by itself.
SHARED = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "HOME",
    "SHELL",
    "PYTHONUNBUFFERED",
    "TF_CPP_MIN_LOG_LEVEL",
    "JUPYTER_TOKEN_FILE",
)

# The number of the architecture, as <linux/audit.h> has it, and of chroot, setgroups and socket.
_CALLS = {"x86_64": (0xC000003E, 161, 116, 41), "aarch64": (0xC00000B7, 51, 159, 198)}
_AF_NETLINK, _NETLINK_AUDIT, _EPROTONOSUPPORT = 16, 9, 93


def accounts(passwd: str, group: str, uid: int, gid: int) -> tuple[str, str]:
    """Return /etc/passwd and /etc/group with the candidate in them.

    An SSH server lets in nobody who has no account. Whoever is root on their own machine is uid 0
    here, too: then sshd's own account has to be the same one, see `resigned`.
    """
    names = [line.split(":")[0] for line in passwd.splitlines()]
    if USER not in names:
        passwd += "%s:x:%d:%d:Candidate:%s:/bin/bash\n" % (USER, uid, gid, HOME)
    if uid == 0:
        lines = passwd.splitlines()
        own = "sshd:x:0:%d::/run/sshd:/usr/sbin/nologin" % gid
        passwd = "".join("%s\n" % (own if line.split(":")[0] == "sshd" else line) for line in lines)
    if not any(line.split(":")[2:3] == [str(gid)] for line in group.splitlines()):
        group += "%s:x:%d:\n" % (USER, gid)
    return passwd, group


def quoted(value: str) -> str:
    """Return a word of sshd's configuration that stands for `value`."""
    return '"%s"' % value.replace("\\", "\\\\").replace('"', '\\"')


def configuration(environment: Mapping[str, str], uid: int) -> list[str]:
    """Return the lines of sshd's configuration: one user, one key, no password, no root by name."""
    shared = [name for name in SHARED if environment.get(name)]
    return [
        "Port %d" % SSH_PORT,
        "HostKey %s" % HOST_KEY,
        "AuthorizedKeysFile %s" % AUTHORIZED,
        "PidFile none",
        "UsePAM no",
        "AllowUsers %s" % USER,
        # The candidate may be uid 0, who has no more rights here than anybody else.
        "PermitRootLogin %s" % ("no" if uid else "prohibit-password"),
        "AuthenticationMethods publickey",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        # Keys are mounted from the session's record, whose directories may belong to anybody.
        "StrictModes no",
        "AllowTcpForwarding yes",  # PyCharm's debugger dials back through it
        "GatewayPorts no",
        "X11Forwarding no",
        "PrintMotd no",  # one byte before the command's own breaks sftp
        "PrintLastLog no",
        "UseDNS no",
        "MaxSessions 64",  # editors open many over one connection
        "MaxStartups 64",
        "LogLevel ERROR",
        "Subsystem sftp internal-sftp",
        "SetEnv " + " ".join(quoted("%s=%s" % (name, environment[name])) for name in shared),
    ]


def resigned(machine: str) -> None:
    """Let sshd under uid 0 do without root's rights, which it would end for lack of.

    It gives up root before it talks to a stranger, and the kernel refuses chroot and setgroups to
    whoever has no capabilities: there is nothing to give up, so both succeed without doing
    anything. It tells the kernel's audit of each terminal, unless there is no audit: there is none.

    This holds for the process and its children. The filter is a classic BPF program, see
    seccomp(2): of several filters with the same action the last one's value counts.
    """
    import ctypes

    arch, chroot, setgroups, socket_ = _CALLS[machine]
    load, equal, give = 0x20, 0x15, 0x06  # BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ, BPF_RET
    allow, fail = 0x7FFF0000, 0x00050000  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO: 0 is success
    program = [  # places in struct seccomp_data: 0 the call, 4 the architecture, 16 + 8n arguments
        (load, 0, 0, 4),
        (equal, 0, 8, arch),
        (load, 0, 0, 0),
        (equal, 7, 0, chroot),
        (equal, 6, 0, setgroups),
        (equal, 0, 4, socket_),
        (load, 0, 0, 16),
        (equal, 0, 2, _AF_NETLINK),
        (load, 0, 0, 32),
        (equal, 2, 0, _NETLINK_AUDIT),
        (give, 0, 0, allow),
        (give, 0, 0, fail),
        (give, 0, 0, fail | _EPROTONOSUPPORT),
    ]

    class Step(ctypes.Structure):
        _fields_ = [
            ("code", ctypes.c_ushort),
            ("true", ctypes.c_ubyte),
            ("false", ctypes.c_ubyte),
            ("value", ctypes.c_uint32),
        ]

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.POINTER(Step))]

    steps = (Step * len(program))(*[Step(*step) for step in program])
    filter_ = Program(len(program), steps)
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, seccomp, by_filter = 38, 22, 2
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) or libc.prctl(
        seccomp, by_filter, ctypes.byref(filter_), 0, 0
    ):
        raise OSError(ctypes.get_errno(), "no filter for sshd")


def settle() -> None:
    """Write the account of whoever runs this."""
    uid, gid = os.getuid(), os.getgid()
    passwd, group = Path("/etc/passwd"), Path("/etc/group")
    before = passwd.read_text(), group.read_text()
    after = accounts(*before, uid=uid, gid=gid)
    if after != before:
        passwd.write_text(after[0])
        group.write_text(after[1])
    if uid == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)


def keep_sshd() -> None:
    """Run sshd for ever: when it ends, say so and start it again."""
    options = [part for line in configuration(os.environ, os.getuid()) for part in ("-o", line)]
    while True:
        child = os.fork()
        if child == 0:
            try:
                if os.getuid() == 0:
                    resigned(os.uname().machine)
                os.execv(SSHD, [SSHD, "-D", "-e", "-f", "/dev/null", *options])
            except BaseException as error:
                tell("sshd cannot start: %s" % error)
                os._exit(1)
        _, status = os.waitpid(child, 0)
        tell("sshd ended with status %d; it is started again" % (status >> 8 or status))
        time.sleep(1)


def tell(sentence: str) -> None:
    """Say something in the container's log."""
    os.write(2, ("workspace: %s\n" % sentence).encode())


def answers(port: int, hello: bytes, greeting: bytes) -> bool:
    """Say whether a server on this port says `greeting` first when it is told `hello`."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(hello)
            return connection.recv(64).startswith(greeting)
    except OSError:
        return False


def healthy() -> bool:
    """Say whether all answers that is to answer."""
    asked = b"GET /api HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"
    found = {"Jupyter": answers(JUPYTER_PORT, asked, b"HTTP/1.1 200")}
    if Path(HOST_KEY).exists():
        found["sshd"] = answers(SSH_PORT, b"SSH-2.0-health\r\n", b"SSH-2.0-")
    for name in found:
        if not found[name]:
            sys.stdout.write("%s does not answer\n" % name)
    return all(found.values())


def main(arguments: list[str]) -> None:
    """Do what the command line says."""
    if arguments == ["--healthy"]:
        sys.exit(not healthy())
    try:
        settle()
        if os.access(HOST_KEY, os.R_OK) and os.fork() == 0:
            try:
                keep_sshd()
            finally:
                os._exit(1)
    except OSError as error:  # Jupyter is worth having all the same
        tell("no SSH server: %s" % error)
    os.execvp(arguments[0], arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
