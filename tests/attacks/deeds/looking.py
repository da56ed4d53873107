"""Looking for labels and for a way out, and telling what was found."""
# ruff: noqa: PTH101, PTH116, PTH118, PTH123, PTH208

import contextlib
import ctypes
import json
import mmap
import os
import platform
import re
import signal
import socket
import stat
import struct

NEEDLES = {}  # name -> hexadecimal bytes to hunt for, with their bits flipped
IMAGE_TIME = 1767225600  # of all files of the image; whatever came later is of this container


def look_around(values):
    """Report, as one line of JSON, all that can be seen and done from in here."""
    seen = {"uid": os.getuid(), "gid": os.getgid(), "groups": os.getgroups()}
    seen["environment"] = dict(os.environ)
    seen["interfaces"] = sorted(os.listdir("/sys/class/net"))
    with open("/proc/self/status") as file:
        status = dict(line.strip().split(":\t", 1) for line in file if ":\t" in line)
    seen["status"] = {key: status[key] for key in ("CapEff", "CapBnd", "NoNewPrivs", "Seccomp")}
    with open("/proc/self/mounts") as file:
        seen["mounts"] = [line.split()[:4] for line in file]
    places = ["/", "/etc", "/opt/exam", "/var", "/home", "/root", "/dev", "/dev/shm", "/run"]
    places += ["/proc/sys/kernel", "/sys/fs/cgroup", "/workspace", "/var/tmp", "/tmp"]
    seen["writable"] = []
    for place in places:
        with contextlib.suppress(OSError), open(place + "/exam-was-here", "w") as file:
            file.write("x")
            seen["writable"].append(place)
    seen["executable_tmp"] = False
    with contextlib.suppress(OSError), open("/tmp/run", "wb+") as file:
        file.write(bytes(4096))
        file.flush()
        os.chmod("/tmp/run", 0o755)
        mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC).close()
        seen["executable_tmp"] = True
    names = ["/var/run/docker.sock", "/run/docker.sock", "/vault", "/dev/shm"]
    names += ["/dev/mem", "/dev/kvm", "/dev/nvidia0", "/dev/vda", "/dev/sda"]
    seen["there"] = [name for name in names if os.path.lexists(name)]
    seen["processes"] = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    seen["files"] = [path for path, status in files() if status.st_mtime != IMAGE_TIME]
    print("SEEN " + json.dumps(seen), flush=True)


def files():
    """Yield (path, status) of everything but directories, outside /proc and /sys."""
    for folder, folders, names in os.walk("/"):
        folders[:] = [name for name in folders if folder != "/" or name not in ("proc", "sys")]
        for path in (os.path.join(folder, name) for name in names):
            with contextlib.suppress(OSError):
                yield path, os.lstat(path)


def hunt(values):
    """Search all memory that can be read for the inputs, which are there, and the labels."""
    # The needles come with flipped bits, and so is what is searched: or they would find themselves.
    flip = bytes(number ^ 0x5A for number in range(256))
    found = dict.fromkeys(NEEDLES, 0)
    looked = 0
    for process in [name for name in os.listdir("/proc") if name.isdigit()]:
        with open(f"/proc/{process}/maps") as maps, open(f"/proc/{process}/mem", "rb", 0) as memory:
            for line in maps.read().splitlines():
                span, rights = line.split()[:2]
                start, end = (int(part, 16) for part in span.split("-"))
                if not rights.startswith("rw") or end - start > 1 << 28:
                    continue
                try:
                    memory.seek(start)
                    content = memory.read(end - start).translate(flip)
                except (OSError, OverflowError):
                    continue
                looked += len(content)
                for name, needle in NEEDLES.items():
                    found[name] += content.count(bytes.fromhex(needle))
    print("FOUND " + json.dumps({"looked": looked, **found}), flush=True)


def search_files(values):
    """Look for labels by name, and by content in all that is not the image's."""
    needle = bytes.fromhex(NEEDLES["labels"]).translate(bytes(n ^ 0x5A for n in range(256)))
    found, looked = [], 0
    for path, status in files():
        if status.st_mtime == IMAGE_TIME or not stat.S_ISREG(status.st_mode):
            continue
        looked += 1
        if re.search("label|target|answer|vault|probe|final|y_test", path.lower()):
            found.append(path)
        with contextlib.suppress(OSError), open(path, "rb") as file:
            if needle in file.read(1 << 28):
                found.append(path)
    print("LOOKED", looked > 0, "LABELS", found, flush=True)


def read_processes(values):
    """Read what /proc tells of every process, and what it holds open, and go through its root."""
    others = []
    for number in [name for name in os.listdir("/proc") if name.isdigit()]:
        for name in ("environ", "cmdline", "mountinfo", "cgroup"):
            with contextlib.suppress(OSError), open(f"/proc/{number}/{name}", "rb") as file:
                text = file.read()
                if re.search(rb"seed|vault|label|/home/|session", text):
                    others.append((number, name))
        for name in ("root/vault", "root/workspace", "cwd/../vault"):
            with contextlib.suppress(OSError):
                others += os.listdir(f"/proc/{number}/{name}")
        if int(number) not in (os.getpid(), os.getppid()):
            others.append(number)
    print("OTHERS", others, flush=True)


def read_shared_memory(values):
    """Attach to every System V segment, and list /dev/shm and the message queues."""
    libc = ctypes.CDLL(None, use_errno=True)
    found = [number for number in range(4096) if libc.shmget(number, 0, 0) >= 0]
    for place in ("/dev/shm", "/dev/mqueue", "/run/shm"):
        with contextlib.suppress(OSError):
            found += os.listdir(place)
    with contextlib.suppress(OSError), open("/proc/sysvipc/shm") as file:
        found += file.read().splitlines()[1:]
    print("SHARED", found, flush=True)


def read_the_question(values):
    """Read on where the model and its inputs came from, and in everything else that is open."""
    more = 0
    for descriptor in range(64):
        with contextlib.suppress(OSError):
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                continue  # the model's own file
            os.set_blocking(descriptor, False)
            more += len(os.read(descriptor, 1 << 20) or b"")
    print("MORE", more, flush=True)


def call_home(values):
    """Open connections to the outside, the engine, the host and the cloud's metadata."""
    for family, address in (
        (socket.AF_INET, ("1.1.1.1", 53)),
        (socket.AF_INET, ("172.17.0.1", 8888)),
        (socket.AF_INET, ("169.254.169.254", 80)),
        (socket.AF_INET6, ("2606:4700:4700::1111", 53)),
        (socket.AF_INET6, ("fd00:ec2::254", 80)),
        (socket.AF_UNIX, "/var/run/docker.sock"),
        (socket.AF_UNIX, "/run/containerd/containerd.sock"),
        (socket.AF_UNIX, "\0docker"),
    ):
        try:
            with socket.socket(family) as connection:
                connection.settimeout(2)
                connection.connect(address)
            print("CONNECTED", address)
        except OSError as error:
            print("REFUSED", address, error)


def spy_on_the_wire(values):
    """Listen to all packets, and speak to the kernel about network, audit and devices."""
    for family, kind, protocol in (
        (socket.AF_PACKET, socket.SOCK_RAW, 3),
        (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
        (getattr(socket, "AF_VSOCK", 40), socket.SOCK_STREAM, 0),
    ):
        try:
            with socket.socket(family, kind, protocol) as one:
                if family == getattr(socket, "AF_VSOCK", 40):
                    one.settimeout(2)
                    one.connect((2, 22))  # the host, from a virtual machine
            print("CONNECTED", family)
        except OSError as error:
            print("REFUSED", family, error)


NUMBERS = {  # of system calls that the C library has no name for
    "x86_64": {"bpf": 321, "keyctl": 250, "add_key": 248, "perf_event_open": 298}
    | {"userfaultfd": 323, "kexec_load": 246, "pivot_root": 155, "move_mount": 429},
    "aarch64": {"bpf": 280, "keyctl": 219, "add_key": 217, "perf_event_open": 241}
    | {"userfaultfd": 282, "kexec_load": 104, "pivot_root": 41, "move_mount": 429},
}


def break_out(values):
    """Try what gains rights, other namespaces or the kernel's ear; report what was granted."""
    libc = ctypes.CDLL(None, use_errno=True)
    numbers = NUMBERS[platform.machine()]
    gained = []

    def tried(name, *arguments):
        call = getattr(libc, name, None)
        if name in numbers:
            arguments, call = (ctypes.c_long(numbers[name]), *arguments), libc.syscall
        if call(*arguments) not in (-1, 0xFFFFFFFF):
            gained.append(name)

    for flag in (0x10000000, 0x20000, 0x40000000, 0x20000000, 0x8000000, 0x4000000):
        tried("unshare", flag)  # user, mount, network, process, IPC and host name namespaces
    for place in ("/proc/1/ns/mnt", "/proc/1/ns/net"):
        with open(place) as file:
            tried("setns", file.fileno(), 0)
    tried("mount", b"none", b"/tmp", b"tmpfs", 0, None)
    tried("mount", b"/proc/self/ns", b"/tmp", None, 4096, None)
    tried("umount2", b"/proc/kcore", 2)
    tried("chroot", b"/tmp")
    tried("pivot_root", b"/tmp", b"/tmp")
    tried("move_mount", -100, b"/tmp", -100, b"/var", 0)
    tried("setuid", 0)
    tried("setgid", 0)
    tried("setgroups", 1, (ctypes.c_int * 1)(0))
    tried("mknod", b"/tmp/disk", stat.S_IFBLK | 0o666, os.makedev(8, 0))
    tried("swapon", b"/tmp/model", 0)
    tried("acct", b"/tmp/log")
    tried("sethostname", b"x", 1)
    tried("settimeofday", struct.pack("qq", 0, 0), None)
    tried("init_module", b"", 0, b"")
    tried("iopl", 3)
    tried("ptrace", 16, 1, None, None)  # attach to the first process, be it this one
    tried("bpf", 0, bytes(72), 72)
    tried("keyctl", 0, -3, 1)
    tried("add_key", b"user", b"x", b"y", 1, -3)
    tried("perf_event_open", bytes(120), 0, -1, -1, 0)
    tried("userfaultfd", 0)
    tried("kexec_load", 0, 0, None, 0)
    for path in ("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/1/oom_score_adj"):
        with contextlib.suppress(OSError), open(path, "wb", 0) as file:
            file.write(b"-1000")
            gained.append(path)
    for path in ("/proc/kcore", "/proc/kallsyms", "/proc/timer_list", "/sys/firmware", "/dev/mem"):
        with contextlib.suppress(OSError), open(path, "rb") as file:
            if re.search(rb"[1-9a-f]", file.read(16)):  # without rights, kallsyms tells zeros
                gained.append(path)
    print("GAINED", gained, flush=True)


def reach_for_the_server(values):
    """Report what can be done to the process that will fork for the next model."""
    if os.getpid() == 1:
        return  # there is none: this is it
    libc = ctypes.CDLL(None, use_errno=True)
    reached = []
    for name in ("mem", "fd/0", "fd/1", "maps", "environ"):
        with contextlib.suppress(OSError), open(f"/proc/1/{name}", "rb+", 0) as file:
            file.read(1)
            reached.append(name)
    attach = 16
    if libc.ptrace(attach, 1, 0, 0) == 0:
        reached.append("ptrace")
    for signum in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
        os.kill(1, signum)
    with contextlib.suppress(OSError):
        if os.stat("/proc/self/fd/0").st_rdev != os.stat("/dev/null").st_rdev:
            reached.append("standard input")
    print("REACHED " + json.dumps(reached), flush=True)
