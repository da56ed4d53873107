"""The port: what the program asks of a container engine, in its own words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Protocol, Self

Stream = Literal["stdout", "stderr"]

HEALTH_SECONDS = 30
# What a container that is to have GPUs is told, for NVIDIA's toolkit may go by it: all of them, to
# compute with, and `nvidia-smi`.
GPU_ENVIRONMENT = {
    "NVIDIA_VISIBLE_DEVICES": "all",
    "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
}
GPU_CAPABILITIES = ["gpu", "compute", "utility"]


@dataclass(frozen=True)
class Limits:
    """Caps on one container.

    Args:
        memory_bytes: memory, swap included.
        cpus: processor cores, as a number of cores' time.
        processes: processes and threads.
        open_files: file descriptors of a process; None leaves it at the engine's own limit.
        tmpfs: path -> bytes of a writable, non-executable memory disk; it holds one file for each
            page of these at most.
    """

    memory_bytes: int
    cpus: float
    processes: int
    open_files: int | None = None
    tmpfs: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Mount:
    """A host directory or a named volume at `target` inside the container."""

    kind: Literal["bind", "volume"]
    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class ContainerSpec:
    """Everything that describes a container before it exists.

    The defaults are those of a container that nobody trusts: no network, no mounts, a read-only
    root, no capabilities, no way to gain privileges. Whoever needs more asks for it by name.

    Args:
        user: "uid:gid" of every process in it.
        ports: container port -> host port on 127.0.0.1; 0 lets the engine choose.
        keep_log: whether the engine stores what the container prints.
        stdin: whether bytes will be sent to it.
        health: a command that ends with 0 while all is well inside; the engine runs it every
            `HEALTH_SECONDS`. None: nobody asks.
        seccomp: which of the kernel's calls it may make, as the engine's JSON; None for the
            engine's own profile.
        gpus: whether it gets all of the machine's NVIDIA GPUs, to compute with.
    """

    image: str
    command: Sequence[str]
    user: str
    limits: Limits
    name: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    working_dir: str | None = None
    network: Literal["none", "bridge", "host"] = "none"
    read_only: bool = True
    init: bool = False
    stdin: bool = False
    keep_log: bool = False
    mounts: Sequence[Mount] = ()
    ports: Mapping[int, int] = field(default_factory=dict)
    runtime: str | None = None
    seccomp: str | None = None
    gpus: bool = False
    health: Sequence[str] | None = None


@dataclass(frozen=True)
class Listed:
    """What a list of containers tells of one.

    It has `ended` once it ran and runs no more; it is `unhealthy` while it runs and its own health
    command says so.
    """

    id: str
    name: str
    image_id: str
    labels: Mapping[str, str]
    running: bool
    ended: bool
    unhealthy: bool = False


@dataclass(frozen=True)
class ContainerState:
    """What the engine says of a container now. `exit_code` is None while it runs."""

    id: str
    name: str
    image_id: str
    labels: Mapping[str, str]
    running: bool
    exit_code: int | None
    out_of_memory: bool
    ports: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ImageInfo:
    """An image on this engine: its id, unpacked size in bytes, layers' diff ids, bottom first.

    `config` says how its containers start, without times and without what is empty.
    """

    id: str
    tags: Sequence[str]
    size: int
    layers: Sequence[str]
    labels: Mapping[str, str]
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The environment digest: sha256 of the layers and the configuration.

        The same for every build of the same content. The `id` is not: it holds a creation time.
        """
        content = {"config": self.config, "layers": list(self.layers)}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


@dataclass(frozen=True)
class Component:
    """A program that the engine stands on, itself included.

    `build` is what the packager calls it: a commit, or the whole version of a Debian package.
    """

    version: str
    build: str = ""


@dataclass(frozen=True)
class EngineInfo:
    """The engine itself, as `exam doctor` shows it.

    Args:
        caps: which of "memory", "swap", "cpu" and "processes" the engine can limit.
        security: what it offers, by its own names: "seccomp", "apparmor", "selinux", "userns",
            "rootless", "cgroupns".
        components: by name, "Engine", "containerd" and "runc" among them.
        host: the name of the machine that it runs on, and the release of that one's `kernel`.
        live_restore: whether containers live on while it is restarted.
    """

    version: str
    architecture: str
    cpus: int
    memory_bytes: int
    cgroup_version: str
    rootless: bool
    runtimes: Sequence[str]
    root_directory: str
    caps: Collection[str] = ()
    security: Collection[str] = ()
    components: Mapping[str, Component] = field(default_factory=dict)
    host: str = ""
    kernel: str = ""
    operating_system: str = ""
    default_runtime: str = ""
    live_restore: bool = False


@dataclass(frozen=True)
class Event:
    """What happened to a container: it was started, was given another name, or ended."""

    kind: Literal["start", "rename", "die"]
    container: str
    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Executed:
    """What a command that ran inside a container left behind."""

    exit_code: int
    stdout: bytes
    stderr: bytes


class Channel(Protocol):
    """A container's standard streams, attached before it starts.

    Sending never waits for the container to read: a hostile program that does neither read nor
    write cannot hold the caller.
    """

    def send(self, chunks: Iterator[bytes]) -> None:
        """Send all chunks, in order, in the background. Closes nothing."""

    def receive(self, timeout: float) -> tuple[Stream, bytes] | None:
        """Return the next bytes and their stream, or None at the end.

        The end is that of the container, or of the engine: a program that closes its streams and
        runs on has only fallen silent. Raises `TimeoutError` when nothing came within `timeout`
        seconds.
        """

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class Events(Protocol):
    """What happens on an engine, from the moment that this was asked for."""

    def take(self) -> list[Event]:
        """Return what has happened since the last call, oldest first. Never waits, never raises.

        Once the engine has gone, nothing happens any more.
        """

    def close(self) -> None:
        """Stop listening."""


class Engine(Protocol):
    """A container engine. Every method raises `EngineUnreachable` when it does not answer.

    Methods that work with a container raise `OurFault` when there is none of that name or id,
    unless they say otherwise.
    """

    def info(self) -> EngineInfo:
        """Describe the engine."""

    def architecture(self) -> str:
        """Return the processor architecture of the engine's machine, in the engine's own word."""

    def image(self, reference: str) -> ImageInfo | None:
        """Return an image that is already here, or None. Never pulls."""

    def images(self, repository: str) -> list[ImageInfo]:
        """Return all images of a repository that are here."""

    def fetch(self, reference: str, told: Callable[[int, int], None]) -> None:
        """Fetch an image by digest from its registry, with what the user's own login allows.

        `told` hears (bytes done, bytes known of so far). Raises `ExamError` that says why not, by
        reason: "registry_unreachable", "registry_denied", "not_there", "registry_failed".
        """

    def push(self, name: str, told: Callable[[int, int], None]) -> str:
        """Send an image that has this name to the registry that the name begins with.

        Returns the digest that it has there. Raises as `fetch` does.
        """

    def tag(self, reference: str, name: str) -> None:
        """Give an image that is here one more name, taking it from whatever had it."""

    def save(self, references: Sequence[str]) -> Iterator[bytes]:
        """Yield images as one tar, laid out as `docker save` does; what they share is in it once.

        A symbolic link may stand for a layer that is there already.
        """

    def load(self, tar: Iterable[bytes]) -> list[str]:
        """Take in images from a tar laid out as that of `save`; return their ids in its order.

        Layers may be gzipped. An engine names an image only as the tar's `manifest.json` says, and
        takes in nothing when the tar ends early or raises. Raises `OurFault`, or `DiskFull`.
        """

    def import_image(self, tar: IO[bytes], reference: str) -> None:
        """Make an image of one layer from an uncompressed tar of a root file system."""

    def build(
        self,
        context: Path,
        target: str,
        tag: str,
        arguments: Mapping[str, str],
        *,
        cached: bool = True,
    ) -> Iterator[str]:
        """Build a stage of `context/Dockerfile` without network; yield the builder's lines.

        `cached` says whether steps that were built before may be taken as they are.

        Raises `OurFault` with the builder's last words, or `DiskFull`.
        """

    def build_leftovers(self) -> frozenset[str]:
        """Return what builders keep beside images: steps, by id, of builds that are over."""

    def remove_leftovers(self, leftovers: Collection[str]) -> None:
        """Remove such steps. Those that are in use, or that others stand on, stay."""

    def remove_image(self, reference: str) -> None:
        """Remove an image if it is here."""

    def create(self, spec: ContainerSpec) -> str:
        """Create a container and return its id. Raises `ImageMissing`; never pulls."""

    def attach(self, container: str) -> Channel:
        """Attach to a created container's streams. Do it before `start`, or bytes are lost."""

    def start(self, container: str) -> None:
        """Start a created container.

        Raises `GpuMissing`, with a sentence on what to do, where it is to have GPUs and cannot.
        """

    def rename(self, container: str, name: str) -> bool:
        """Give a container another name; False when it is gone, or has that name already.

        Of several callers that give one container the same name, exactly one gets True.
        """

    def limit_memory(self, container: str, memory_bytes: int) -> None:
        """Change a container's cap on memory, swap included."""

    def put_behind(self, container: str, cpus: float) -> None:
        """Have a container go on behind all others, and with at most this many cores' time.

        It gets what the other containers leave, and next to nothing where they want all.
        """

    def state(self, container: str) -> ContainerState | None:
        """Return what the engine knows of a container, or None if there is none of that name."""

    def wait(self, container: str, timeout: float) -> ContainerState:
        """Wait for a container to end. Raises `TimeoutError`."""

    def find(self, labels: Mapping[str, str]) -> list[Listed]:
        """Return all containers, stopped ones too, that carry all of these labels.

        An empty value stands for any. It is one question, however many containers there are.
        """

    def listen(self, labels: Mapping[str, str]) -> Events:
        """Listen to what happens to the containers that carry all of these labels."""

    def stop(self, container: str, grace_seconds: int = 10) -> None:
        """Ask a container to end, then end it. Harmless when it is gone."""

    def remove(self, container: str) -> None:
        """Kill and remove a container. Harmless when it is gone."""

    def put(self, container: str, directory: str, tar: bytes) -> None:
        """Unpack an uncompressed tar in a directory of a container whose root is writable."""

    def get(self, container: str, path: str) -> Iterator[bytes]:
        """Return a path of a container as an uncompressed tar; nothing if it is not there."""

    def execute(
        self,
        container: str,
        command: Sequence[str],
        *,
        user: str | None = None,
        working_dir: str | None = None,
    ) -> Executed:
        """Run a command in a running container and collect what it prints."""

    def interact(
        self, container: str, command: Sequence[str], *, user: str, working_dir: str
    ) -> int:
        """Run a command with the caller's own terminal or pipes; return its exit status."""

    def remove_volume(self, name: str) -> None:
        """Remove a named volume. Harmless when it is gone."""
