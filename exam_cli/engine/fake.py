"""An engine for quick tests: a container is a plain process of this machine, and isolates nothing.

It keeps the port's promises about streams, states, labels and removal (the conformance suite holds
it to them), so whatever is tested on it meets real pipes, real exit codes and real kills.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self

from exam_cli.engine.fake_images import FakeRegistry, Held, ImageStore, held
from exam_cli.engine.gpu_errors import sentence_for
from exam_cli.engine.port import (
    Channel,
    Component,
    ContainerSpec,
    ContainerState,
    EngineInfo,
    Event,
    Events,
    Executed,
    ImageInfo,
    Listed,
    Stream,
)
from exam_cli.errors import EngineUnreachable, GpuMissing, ImageMissing, OurFault

Program = Callable[[ContainerSpec], Sequence[str]]

# An engine with every wall but gVisor.
ABOUT = EngineInfo(
    version="99.0.0",
    architecture="x86_64",
    cpus=2,
    memory_bytes=8 << 30,
    cgroup_version="2",
    rootless=False,
    runtimes=("runc",),
    root_directory="/",
    caps=frozenset({"memory", "swap", "cpu", "processes"}),
    security=frozenset({"seccomp", "apparmor", "userns", "cgroupns"}),
    components={
        "Engine": Component("99.0.0"),
        "containerd": Component("99.0.0"),
        "runc": Component("99.0.0"),
    },
    host="fake",
    kernel="99.0.0",
    operating_system="none",
    default_runtime="runc",
    live_restore=True,
)


@dataclass
class _Container:
    id: str
    spec: ContainerSpec
    process: subprocess.Popen[bytes] | None = None
    channel: _PipeChannel | None = None
    out_of_memory: bool = False


@dataclass
class _Listener:
    """Keeps what happens, until it is taken."""

    labels: Mapping[str, str]
    kept: deque[Event] = field(default_factory=deque)

    def take(self) -> list[Event]:
        """Return what has happened since the last call."""
        return [self.kept.popleft() for _ in range(len(self.kept))]

    def close(self) -> None:
        """Hear nothing more."""
        self.labels = {"exam.nobody": "listens"}


@dataclass
class FakeEngine:
    """A `Engine` of plain processes.

    Args:
        known: references of the images that are "here", with nothing in them.
        store: images with content.
        registry: answers `push` and `fetch`.
        built: what building a stage gives.
        program: maps a specification to the command that stands in for it on this machine; by
            default the specification's own command.
        reachable: False makes every call raise `EngineUnreachable`.
        about: what it says of itself.
        gpu_trouble: what an engine says that has no GPU to give; None for one that has.
    """

    known: set[str] = field(default_factory=lambda: {"test:base"})
    program: Program = lambda spec: spec.command
    reachable: bool = True
    about: EngineInfo = ABOUT
    gpu_trouble: str | None = 'could not select device driver "" with capabilities: [[gpu]]'
    store: ImageStore = field(default_factory=ImageStore)
    registry: FakeRegistry = field(default_factory=lambda: FakeRegistry(reachable=False))
    built: dict[str, Held] = field(default_factory=dict)
    created: list[ContainerSpec] = field(default_factory=list)
    _containers: dict[str, _Container] = field(default_factory=dict)
    _ids: Iterator[int] = field(default_factory=itertools.count)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _listeners: list[_Listener] = field(default_factory=list)

    def _answer(self) -> None:
        if not self.reachable:
            raise EngineUnreachable("No container engine answers: start one and try again.")

    def info(self) -> EngineInfo:
        """Describe the engine."""
        self._answer()
        return self.about

    def architecture(self) -> str:
        """Return what `info` says."""
        return self.info().architecture

    def image(self, reference: str) -> ImageInfo | None:
        """Return an image that is already here, or None."""
        self._answer()
        name = reference.removeprefix("sha256:")  # an id is as good as a name
        return _image(name) if name in self.known else self.store.find(reference)

    def images(self, repository: str) -> list[ImageInfo]:
        """Return all images of a repository that are here."""
        self._answer()
        names = sorted({*self.known, *self.store.names})
        found = (self.image(name) for name in names if name.rpartition(":")[0] == repository)
        return [one for one in found if one is not None]

    def fetch(self, reference: str, told: Callable[[int, int], None]) -> None:
        """Take an image from the registry."""
        self._answer()
        image = self.registry.get(reference)
        told(len(image.config), len(image.config))
        self.store.keep(image, reference)

    def push(self, name: str, told: Callable[[int, int], None]) -> str:
        """Give an image to the registry."""
        self._answer()
        image = self.store.images[self.store.names[name]]
        told(len(image.config), len(image.config))
        return self.registry.push(name, image)

    def tag(self, reference: str, name: str) -> None:
        """Name an image."""
        self._answer()
        if reference in self.known:
            self.known.add(name)
        else:
            self.store.tag(reference, name)

    def save(self, references: Sequence[str]) -> Iterator[bytes]:
        """Yield images as a tar."""
        self._answer()
        yield from self.store.save(references)

    def load(self, tar: Iterable[bytes]) -> list[str]:
        """Take in images from a tar."""
        self._answer()
        return self.store.load(tar)

    def import_image(self, tar: IO[bytes], reference: str) -> None:
        """Keep an image of one layer."""
        self._answer()
        self.store.keep(held([tar.read()]), reference)

    def build(
        self,
        context: Path,
        target: str,
        tag: str,
        arguments: Mapping[str, str],
        *,
        cached: bool = True,
    ) -> Iterator[str]:
        """Take the image that `built` has for that stage, or one with nothing in it."""
        self._answer()
        yield f"building {target}"
        if target in self.built:
            self.store.keep(self.built[target], tag)
        else:
            self.known.add(tag)

    def build_leftovers(self) -> frozenset[str]:
        """Nothing is left."""
        self._answer()
        return frozenset()

    def remove_leftovers(self, leftovers: Collection[str]) -> None:
        """There is nothing to remove."""
        self._answer()

    def remove_image(self, reference: str) -> None:
        """Forget the reference."""
        self._answer()
        self.known.discard(reference)
        self.store.forget(reference)

    def create(self, spec: ContainerSpec) -> str:
        """Record a container."""
        self._answer()
        if self.image(spec.image) is None:
            raise ImageMissing(
                f"The image {spec.image} is not on this engine: `exam up` builds it."
            )
        with self._lock:
            if spec.name and self._find(spec.name):
                raise OurFault(f"The engine could not create a container: {spec.name} is taken")
            container = _Container(f"fake{next(self._ids):08d}", spec)
            self._containers[container.id] = container
            self.created.append(spec)
        return container.id

    def attach(self, container: str) -> Channel:
        """Return the channel that the process's pipes will feed."""
        self._answer()
        found = self._need(container)
        found.channel = _PipeChannel()
        return found.channel

    def start(self, container: str) -> None:
        """Start the process."""
        self._answer()
        found = self._need(container)
        if found.spec.gpus and self.gpu_trouble is not None:
            raise GpuMissing(sentence_for(self.gpu_trouble) or self.gpu_trouble)
        pipe = subprocess.PIPE if found.channel else subprocess.DEVNULL
        try:
            found.process = subprocess.Popen(
                list(self.program(found.spec)),
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                env={**os.environ, **found.spec.environment},
                start_new_session=True,  # so that a kill reaches its children, as an engine's does
            )
        except OSError as error:
            raise OurFault(f"The engine could not start a container: {error}") from error
        if found.channel:
            found.channel.connect(found.process)
        self._happened("start", found)

    def rename(self, container: str, name: str) -> bool:
        """Give a container another name; False when it is gone, or has that name already."""
        self._answer()
        with self._lock:
            found = self._find(container)
            if found is None or self._find(name) is not None:
                return False
            found.spec = replace(found.spec, name=name)
        self._happened("rename", found)
        return True

    def limit_memory(self, container: str, memory_bytes: int) -> None:
        """Note another cap on memory."""
        self._limit(container, memory_bytes=memory_bytes)

    def put_behind(self, container: str, cpus: float) -> None:
        """Note another cap on processor time."""
        self._limit(container, cpus=cpus)

    def _limit(self, container: str, **changed: float) -> None:
        self._answer()
        found = self._need(container)
        limits = replace(found.spec.limits, **changed)  # type: ignore[arg-type]
        found.spec = replace(found.spec, limits=limits)

    def state(self, container: str) -> ContainerState | None:
        """Return what is known of a container, or None."""
        self._answer()
        found = self._find(container)
        return _state(found) if found else None

    def wait(self, container: str, timeout: float) -> ContainerState:
        """Wait for the process to end."""
        self._answer()
        found = self._need(container)
        if found.process is not None:
            try:
                found.process.wait(timeout)
            except subprocess.TimeoutExpired as error:
                raise TimeoutError(f"the container runs after {timeout:.1f} s") from error
        return _state(found)

    def find(self, labels: Mapping[str, str]) -> list[Listed]:
        """Return all containers that carry all of these labels."""
        self._answer()
        return [
            _listed(container)
            for container in list(self._containers.values())
            if _carries(container.spec.labels, labels)
        ]

    def listen(self, labels: Mapping[str, str]) -> Events:
        """Listen to what is done to containers; that one ends by itself is not noticed."""
        self._answer()
        listener = _Listener(labels)
        self._listeners.append(listener)
        return listener

    def _happened(self, kind: Literal["start", "rename", "die"], container: _Container) -> None:
        spec = container.spec
        event = Event(kind, container.id, spec.name or "", spec.labels)
        for listener in self._listeners:
            if _carries(spec.labels, listener.labels):
                listener.kept.append(event)

    def stop(self, container: str, grace_seconds: int = 10) -> None:
        """Ask the process to end, then end it."""
        self._answer()
        found = self._find(container)
        if found and found.process and found.process.poll() is None:
            found.process.terminate()
            try:
                found.process.wait(grace_seconds)
            except subprocess.TimeoutExpired:
                _kill(found)

    def remove(self, container: str) -> None:
        """Kill and forget a container."""
        self._answer()
        found = self._find(container)
        if found:
            _kill(found)
            if self._containers.pop(found.id, None) and found.process is not None:
                self._happened("die", found)

    def put(self, container: str, directory: str, tar: bytes) -> None:
        """Take no notice: a plain process has no root of its own."""
        self._answer()
        self._need(container)

    def get(self, container: str, path: str) -> Iterator[bytes]:
        """Give nothing."""
        self._answer()
        self._need(container)
        return iter(())

    def execute(
        self,
        container: str,
        command: Sequence[str],
        *,
        user: str | None = None,
        working_dir: str | None = None,
    ) -> Executed:
        """Run a command on this machine."""
        self._answer()
        self._need(container)
        done = subprocess.run(list(command), capture_output=True, check=False)
        return Executed(done.returncode, done.stdout, done.stderr)

    def interact(
        self, container: str, command: Sequence[str], *, user: str, working_dir: str
    ) -> int:
        """Run a command on this machine with the caller's pipes."""
        self._answer()
        self._need(container)
        return subprocess.call(list(command), stdout=sys.stdout, stderr=sys.stderr)

    def remove_volume(self, name: str) -> None:
        """There are no volumes."""
        self._answer()

    def _find(self, container: str) -> _Container | None:
        by_id = self._containers.get(container)
        if by_id:
            return by_id
        named = (one for one in self._containers.values() if one.spec.name == container)
        return next(named, None)

    def _need(self, container: str) -> _Container:
        found = self._find(container)
        if found is None:
            raise OurFault("A container vanished while it was in use: try again.")
        return found


def _carries(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(name in labels and value in ("", labels[name]) for name, value in wanted.items())


def _image(reference: str) -> ImageInfo:
    return ImageInfo(f"sha256:{reference}", (reference,), 1, (), {})


def _kill(container: _Container) -> None:
    if container.process is not None and container.process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(container.process.pid, signal.SIGKILL)
        container.process.wait()


def _listed(container: _Container) -> Listed:
    now = _state(container)
    ended = now.exit_code is not None
    return Listed(now.id, now.name, now.image_id, now.labels, now.running, ended)


def _state(container: _Container) -> ContainerState:
    code = container.process.poll() if container.process else None
    return ContainerState(
        id=container.id,
        name=container.spec.name or container.id,
        image_id=f"sha256:{container.spec.image.removeprefix('sha256:')}",
        labels=container.spec.labels,
        running=container.process is not None and code is None,
        exit_code=128 - code if code is not None and code < 0 else code,
        out_of_memory=container.out_of_memory,
        ports={inside: outside or 1 for inside, outside in container.spec.ports.items()},
    )


class _PipeChannel:
    """A process's pipes as a `Channel`."""

    def __init__(self) -> None:
        self._started = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._selector = selectors.DefaultSelector()
        self._open = 2
        self._sender: threading.Thread | None = None
        self._closed = threading.Event()

    def connect(self, process: subprocess.Popen[bytes]) -> None:
        """Take over a process's pipes."""
        self._process = process
        self._selector.register(process.stdout, selectors.EVENT_READ, "stdout")  # type: ignore[arg-type]
        self._selector.register(process.stderr, selectors.EVENT_READ, "stderr")  # type: ignore[arg-type]
        self._started.set()

    def send(self, chunks: Iterator[bytes]) -> None:
        """Send all chunks in the background."""

        previous = self._sender

        def run() -> None:
            if previous is not None:
                previous.join()
            self._started.wait()
            if self._process is None:
                return
            with contextlib.suppress(OSError):
                for chunk in chunks:
                    self._write(chunk)

        self._sender = threading.Thread(target=run, daemon=True)
        self._sender.start()

    def _write(self, chunk: bytes) -> None:
        """Write to a program that may never read, without holding up who closes the channel."""
        assert self._process is not None and self._process.stdin is not None
        pipe = self._process.stdin.fileno()
        os.set_blocking(pipe, False)
        poller = select.poll()
        poller.register(pipe, select.POLLOUT)
        view = memoryview(chunk)
        while view:
            if self._closed.is_set():
                raise BrokenPipeError
            if poller.poll(50):
                view = view[os.write(pipe, view) :]

    def receive(self, timeout: float) -> tuple[Stream, bytes] | None:
        """Return the next bytes and their stream, or None once the process has ended."""
        deadline = time.monotonic() + timeout
        while self._open:
            ready = self._selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(f"nothing came within {timeout:.1f} s")
            key = ready[0][0]
            data = os.read(key.fd, 1 << 18)
            if data:
                return key.data, data
            self._selector.unregister(key.fileobj)
            self._open -= 1
        if self._process is not None:  # it may have closed its streams and run on
            try:
                self._process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired as error:
                raise TimeoutError(f"nothing came within {timeout:.1f} s") from error
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closed.set()
        self._started.set()  # or a sender would wait for a start that never comes
        if self._sender is not None:
            self._sender.join(timeout=5)
        self._selector.close()
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
