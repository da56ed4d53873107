"""The Docker adapter: the only module that imports the engine's library."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import DeviceRequest, Healthcheck, LogConfig, Mount, Ulimit

from exam_cli.engine import docker_client, gpu_errors
from exam_cli.engine.docker_channel import DockerChannel
from exam_cli.engine.docker_events import KINDS, DockerEvents
from exam_cli.engine.docker_registry import RegistryError, fault_of
from exam_cli.engine.image_config import configuration
from exam_cli.engine.port import (
    GPU_CAPABILITIES,
    HEALTH_SECONDS,
    Channel,
    Component,
    ContainerSpec,
    ContainerState,
    EngineInfo,
    Events,
    Executed,
    ImageInfo,
    Limits,
    Listed,
)
from exam_cli.errors import DiskFull, EngineUnreachable, GpuMissing, ImageMissing, OurFault

_HTTP_TIMEOUT = 120
_PIECE = 1 << 20
_LOADED = re.compile(r"Loaded image.*?(sha256:[0-9a-f]{64})")
_PERIOD = 100_000  # microseconds, the kernel's own
# A file without content takes memory, too, and time to forget: on a memory disk there may be one
# for each page of its size. Otherwise, the kernel lets them have half of the machine's pages.
_PAGE = 4096
_BEHIND = 32  # of the 1,024 shares of processor time that a container has by default
# What the engine calls the limits that its kernel knows.
_CAPS = {
    "memory": ("MemoryLimit",),
    "swap": ("SwapLimit",),
    "cpu": ("CpuCfsPeriod", "CpuCfsQuota"),
    "processes": ("PidsLimit",),
}
# The words of a list of containers for what `ContainerState` calls running, and for what has ended.
_RUNNING = ("running", "paused", "restarting")
_ENDED = ("exited", "dead", "removing")
_START = "start a container"
_ALL_GPUS = DeviceRequest(count=-1, capabilities=[GPU_CAPABILITIES])
_VANISHED = "A container vanished while it was in use: try again."
_NO_ENGINE = (
    "No container engine answers: run `exam doctor --fix` as root to install and start one, or "
    "start Docker and try again."
)
_NOT_ALLOWED = (
    "A container engine runs but you may not use it: run `sudo usermod -aG docker $(id -un)` and "
    "log in again."
)


def _unreachable(error: Exception) -> EngineUnreachable:
    if "Permission denied" in str(error):
        return EngineUnreachable(_NOT_ALLOWED)
    address = os.environ.get("DOCKER_HOST")
    if address:
        return EngineUnreachable(
            f"No container engine answers at {address}, which DOCKER_HOST names: start that one, "
            "or unset the variable."
        )
    return EngineUnreachable(_NO_ENGINE)


@contextlib.contextmanager
def _translated(what: str) -> Iterator[None]:
    """Turn the library's errors into ours; `what` completes "could not ..."."""
    try:
        yield
    except (ImageNotFound, NotFound):
        raise
    except APIError as error:
        text = error.explanation or str(error)
        if "no space left on device" in text:
            raise DiskFull(
                "The engine's disk is full: free some space (`docker system df` shows what takes "
                "it) and try again."
            ) from error
        if what == _START and (sentence := gpu_errors.sentence_for(text)) is not None:
            raise GpuMissing(sentence) from error
        raise OurFault(f"The engine could not {what}: {text.strip()}") from error
    except (DockerException, requests.exceptions.RequestException, ConnectionError) as error:
        raise _unreachable(error) from error


class _Api(docker.APIClient):
    """The library's client. What the engine tells of its version is asked for once, and kept.

    An engine runs its runtime and its init to tell their versions, so each answer takes a while.
    """

    told: Any

    def version(self, api_version: bool = True) -> Any:
        """Ask for the version, as the library does to agree on an API version, and keep it."""
        self.told = super().version(api_version)
        return self.told

    def get_images(self, names: Sequence[str]) -> Iterator[bytes]:
        """Yield one archive of several images; the library's own call knows one image only."""
        library: Any = self  # its own building blocks, which its types do not tell of
        names = list(names)
        answer = library._get(library._url("/images/get"), params={"names": names}, stream=True)
        yield from library._stream_raw_result(answer, _PIECE, False)


class _Client(docker.DockerClient):
    """Finds the engine as the `docker` command does, and gives it our client."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.api = _Api(*args, **options)


class DockerEngine:
    """A Docker engine over its HTTP interface, found as the `docker` command finds it."""

    def __init__(self) -> None:
        try:
            self._api: Any = _Client.from_env(timeout=_HTTP_TIMEOUT).api
        except (DockerException, requests.exceptions.RequestException) as error:
            raise _unreachable(error) from error

    def info(self) -> EngineInfo:
        """Describe the engine."""
        with _translated("describe itself"):
            info = self._api.info()
        # Each is "name=seccomp,profile=default", say; the oldest engines said just "seccomp".
        options = (str(one).split(",")[0] for one in info.get("SecurityOptions") or ())
        security = frozenset(one.removeprefix("name=") for one in options)
        return EngineInfo(
            version=info["ServerVersion"],
            architecture=info["Architecture"],
            cpus=info["NCPU"],
            memory_bytes=info["MemTotal"],
            cgroup_version=info.get("CgroupVersion", "1"),
            rootless="rootless" in security,
            runtimes=sorted(info.get("Runtimes") or ()),
            root_directory=info.get("DockerRootDir", ""),
            caps=frozenset(cap for cap, words in _CAPS.items() if all(map(info.get, words))),
            security=security,
            components={
                one["Name"]: Component(
                    one["Version"], (one.get("Details") or {}).get("GitCommit", "")
                )
                for one in self._api.told.get("Components") or ()
            },
            host=info.get("Name", ""),
            kernel=info.get("KernelVersion", ""),
            operating_system=info.get("OperatingSystem", ""),
            default_runtime=info.get("DefaultRuntime", ""),
            live_restore=bool(info.get("LiveRestoreEnabled")),
        )

    def architecture(self) -> str:
        """Return the engine's architecture, which it told when the API version was agreed on."""
        return str(self._api.told["Arch"])

    def image(self, reference: str) -> ImageInfo | None:
        """Return an image that is already here, or None. Never pulls."""
        try:
            with _translated("look for an image"):
                return _image_info(self._api.inspect_image(reference))
        except ImageNotFound:
            return None

    def images(self, repository: str) -> list[ImageInfo]:
        """Return all images of a repository that are here."""
        with _translated("list its images"):
            found = self._api.images(name=repository)
            return [_image_info(self._api.inspect_image(one["Id"])) for one in found]

    def fetch(self, reference: str, told: Callable[[int, int], None]) -> None:
        """Fetch an image by digest from its registry; tell (bytes done, bytes known of)."""
        with _translated("fetch an image"), fault_of(reference):
            _follow(self._api.pull(reference, stream=True, decode=True), told)

    def push(self, name: str, told: Callable[[int, int], None]) -> str:
        """Send an image that has this name to the name's registry; return its digest there."""
        with _translated("send an image"), fault_of(name):
            last = _follow(self._api.push(name, stream=True, decode=True), told)
        if "Digest" not in last:
            raise OurFault(f"The engine sent {name} and did not tell its digest: try again.")
        return str(last["Digest"])

    def tag(self, reference: str, name: str) -> None:
        """Give an image that is here one more name, taking it from whatever had it."""
        repository, _, tag = name.rpartition(":")
        with _translated("name an image"):
            self._api.tag(reference, repository, tag)

    def save(self, references: Sequence[str]) -> Iterator[bytes]:
        """Yield images as the tar that `docker save` writes; what they share is in it once."""
        with _translated("read an image"):
            yield from self._api.get_images(references)

    def load(self, tar: Iterable[bytes]) -> list[str]:
        """Take in images from a tar as `save` gives it; return their ids in its order."""
        found: list[str] = []
        with _translated("load images"):
            for event in self._api.load_image(iter(tar), quiet=False):
                if "error" in event:
                    raise APIError(event["error"], explanation=event["error"])
                found += _LOADED.findall(event.get("stream", ""))
        return found

    def import_image(self, tar: IO[bytes], reference: str) -> None:
        """Make an image of one layer from an uncompressed tar of a root file system."""
        repository, _, tag = reference.rpartition(":")
        # Pieces, not the file: the library announces chunks, and a file would travel whole.
        pieces = iter(lambda: tar.read(1 << 20), b"")
        with _translated("import the base image"):
            self._api.import_image_from_stream(pieces, repository=repository, tag=tag)

    def build(
        self,
        context: Path,
        target: str,
        tag: str,
        arguments: Mapping[str, str],
        *,
        cached: bool = True,
    ) -> Iterator[str]:
        """Build a stage of `context/Dockerfile` without network; yield the builder's lines."""
        return docker_client.build(context, target, tag, arguments, cached=cached)

    def build_leftovers(self) -> frozenset[str]:
        """Return BuildKit's records, and the classic builder's images without a name."""
        with _translated("list what builds left"):
            records = self._api.df().get("BuildCache") or ()
            nameless = self._api.images(all=True, filters={"dangling": True})
        return frozenset([*(one["ID"] for one in records), *(one["Id"] for one in nameless)])

    def remove_leftovers(self, leftovers: Collection[str]) -> None:
        """Remove some of these, again and again: what stands on others has to go first."""
        while True:
            there = self.build_leftovers()
            left = there.intersection(leftovers)
            for one in left:
                with contextlib.suppress(NotFound, OurFault), _translated("remove a build's step"):
                    if one.startswith("sha256:"):
                        self._api.remove_image(one)
                    else:
                        self._api.prune_builds(filters={"id": one}, all=True)
            if not left or len(self.build_leftovers().intersection(left)) == len(left):
                return

    def remove_image(self, reference: str) -> None:
        """Remove an image if it is here."""
        with contextlib.suppress(NotFound), _translated("remove an image"):
            self._api.remove_image(reference, force=True)

    def create(self, spec: ContainerSpec) -> str:
        """Create a container and return its id. Raises `ImageMissing`; never pulls."""
        limits = spec.limits
        with _translated("create a container"):
            host = self._api.create_host_config(
                network_mode=spec.network,
                read_only=spec.read_only,
                cap_drop=["ALL"],
                security_opt=_security(spec),
                mem_limit=limits.memory_bytes,
                memswap_limit=limits.memory_bytes,  # equal to memory: no swap
                **_cpu_time(limits.cpus),
                pids_limit=limits.processes,
                ulimits=_ulimits(limits),
                tmpfs={
                    path: f"size={size},nr_inodes={size // _PAGE},mode=1777,noexec,nosuid,nodev"
                    for path, size in limits.tmpfs.items()
                },
                # A container without a network has no one to share memory with either.
                ipc_mode="none" if spec.network == "none" else None,
                log_config=LogConfig(type="json-file" if spec.keep_log else "none"),
                init=spec.init,
                runtime=spec.runtime,
                device_requests=[_ALL_GPUS] if spec.gpus else [],
                port_bindings={
                    inside: ("127.0.0.1", outside or None) for inside, outside in spec.ports.items()
                },
                mounts=[
                    Mount(
                        target=mount.target,
                        source=mount.source,
                        type=mount.kind,
                        read_only=mount.read_only,
                    )
                    for mount in spec.mounts
                ],
            )
            try:
                created = self._api.create_container(
                    image=spec.image,
                    command=list(spec.command),
                    name=spec.name,
                    labels=dict(spec.labels),
                    environment=dict(spec.environment),
                    user=spec.user,
                    working_dir=spec.working_dir,
                    stdin_open=spec.stdin,
                    ports=list(spec.ports),
                    network_disabled=spec.network == "none",
                    entrypoint="",
                    healthcheck=_health(spec),
                    host_config=host,
                )
            except ImageNotFound as error:
                raise ImageMissing(
                    f"The image {spec.image} is not on this engine: `exam up` builds it."
                ) from error
        return str(created["Id"])

    @contextlib.contextmanager
    def _using(self, container: str, what: str) -> Iterator[None]:
        """Translate errors of work with a container that must be there."""
        try:
            with _translated(what):
                yield
        except NotFound as error:
            if self.state(container) is None:
                raise OurFault(_VANISHED) from error
            raise OurFault(f"The engine could not {what}: {error.explanation}") from error

    def attach(self, container: str) -> Channel:
        """Attach to a created container's streams."""
        with self._using(container, "attach to a container"):
            raw = self._api.attach_socket(
                container, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            )
        return DockerChannel(raw, getattr(raw, "_response", raw))

    def start(self, container: str) -> None:
        """Start a created container."""
        with self._using(container, _START):
            self._api.start(container)

    def rename(self, container: str, name: str) -> bool:
        """Give a container another name; False when it is gone, or has that name already."""
        try:
            # The engine refuses a name that is the container's own, under the container's lock.
            self._api.rename(container, name)
        except APIError as error:
            if error.response is not None and error.response.status_code < 500:
                return False
            raise OurFault(f"The engine could not rename a container: {error}") from error
        except (DockerException, requests.exceptions.RequestException) as error:
            raise _unreachable(error) from error
        return True

    def limit_memory(self, container: str, memory_bytes: int) -> None:
        """Change a container's cap on memory, swap included."""
        with self._using(container, "change a container's limits"):
            self._api.update_container(
                container, mem_limit=memory_bytes, memswap_limit=memory_bytes
            )

    def put_behind(self, container: str, cpus: float) -> None:
        """Change a container's cap on processor time, and its share where others want it, too."""
        with self._using(container, "change a container's limits"):
            self._api.update_container(container, cpu_shares=_BEHIND, **_cpu_time(cpus))

    def state(self, container: str) -> ContainerState | None:
        """Return what the engine knows of a container, or None if there is none of that name."""
        try:
            with _translated("look at a container"):
                return _container_state(self._api.inspect_container(container))
        except NotFound:
            return None

    def wait(self, container: str, timeout: float) -> ContainerState:
        """Wait for a container to end. Raises `TimeoutError`."""
        ended = True
        with self._using(container, "wait for a container"):
            try:
                self._api.wait(container, timeout=timeout)
            except (requests.exceptions.ReadTimeout, requests.exceptions.ConnectionError):
                ended = False
        # The library says ConnectionError when its own read times out, but also when the engine
        # has gone: only asking again tells which, and raises for the latter.
        state = self.state(container)
        if state is None:
            raise OurFault(_VANISHED)
        if not ended:
            raise TimeoutError(f"the container runs after {timeout:.1f} s")
        return state

    def find(self, labels: Mapping[str, str]) -> list[Listed]:
        """Return all containers, stopped ones too, that carry all of these labels."""
        with _translated("list its containers"):
            found = self._api.containers(all=True, filters={"label": _wanted(labels)})
        return [_listed(one) for one in found]

    def listen(self, labels: Mapping[str, str]) -> Events:
        """Listen to what happens to the containers that carry all of these labels."""
        wanted = {"type": "container", "event": list(KINDS), "label": _wanted(labels)}
        with _translated("tell what happens"):
            return DockerEvents(self._api.events(filters=wanted, decode=True))

    def stop(self, container: str, grace_seconds: int = 10) -> None:
        """Ask a container to end, then end it. Harmless when it is gone."""
        with contextlib.suppress(NotFound), _translated("stop a container"):
            self._api.stop(container, timeout=grace_seconds)

    def remove(self, container: str) -> None:
        """Kill and remove a container. Harmless when it is gone."""
        try:
            with contextlib.suppress(NotFound), _translated("remove a container"):
                self._api.remove_container(container, force=True, v=True)
        except OurFault as fault:
            if "already in progress" not in str(fault):
                raise
            # Somebody else is removing it: whoever asks here, too, wants it gone.
            with contextlib.suppress(NotFound), _translated("wait for a container's removal"):
                self._api.wait(container, timeout=_HTTP_TIMEOUT, condition="removed")

    def put(self, container: str, directory: str, tar: bytes) -> None:
        """Unpack an uncompressed tar in a directory of a container whose root is writable."""
        with self._using(container, "copy into a container"):
            self._api.put_archive(container, directory, tar)

    def get(self, container: str, path: str) -> Iterator[bytes]:
        """Return a path of a container as an uncompressed tar; nothing if it is not there."""
        with self._using(container, "copy out of a container"):
            try:
                stream, _ = self._api.get_archive(container, path)
            except NotFound:
                if self.state(container) is None:
                    raise
                return
            yield from stream

    def execute(
        self,
        container: str,
        command: Sequence[str],
        *,
        user: str | None = None,
        working_dir: str | None = None,
    ) -> Executed:
        """Run a command in a running container and collect what it prints."""
        with self._using(container, "run a command in a container"):
            job = self._api.exec_create(
                container, list(command), user=user or "", workdir=working_dir
            )["Id"]
            stdout, stderr = self._api.exec_start(job, demux=True)
            code = self._api.exec_inspect(job)["ExitCode"]
        return Executed(int(code), stdout or b"", stderr or b"")

    def interact(
        self, container: str, command: Sequence[str], *, user: str, working_dir: str
    ) -> int:
        """Run a command with the caller's own terminal or pipes; return its exit status."""
        return docker_client.interact(container, command, user=user, working_dir=working_dir)

    def remove_volume(self, name: str) -> None:
        """Remove a named volume. Harmless when it is gone."""
        with contextlib.suppress(NotFound), _translated("remove a volume"):
            self._api.remove_volume(name, force=True)


def _wanted(labels: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" if value else name for name, value in labels.items()]


def _follow(
    events: Iterable[Mapping[str, Any]], told: Callable[[int, int], None]
) -> Mapping[str, Any]:
    """Tell how far a transfer is; return what the engine says of its end.

    Raises `RegistryError` with the engine's words.
    """
    layers: dict[str, tuple[int, int]] = {}
    last: Mapping[str, Any] = {}
    for event in events:
        if "error" in event:
            raise RegistryError(str(event["error"]))
        last = event.get("aux") or last
        if event.get("status") in ("Downloading", "Pushing"):
            detail = event.get("progressDetail") or {}
            done, total = int(detail.get("current") or 0), int(detail.get("total") or 0)
            layers[str(event.get("id"))] = done, max(done, total)
            sums = [sum(column) for column in zip(*layers.values(), strict=True)]
            told(sums[0], sums[1])
    return last


def _cpu_time(cpus: float) -> dict[str, int]:
    # As quota and period: what was given as one number cannot be changed by this library.
    return {"cpu_period": _PERIOD, "cpu_quota": int(cpus * _PERIOD)}


def _security(spec: ContainerSpec) -> list[str]:
    # Over the interface the profile travels as text: only the `docker` command reads files.
    profile = [] if spec.seccomp is None else [f"seccomp={spec.seccomp}"]
    return ["no-new-privileges", *profile]


def _health(spec: ContainerSpec) -> Healthcheck | None:
    if spec.health is None:
        return None
    nanoseconds = HEALTH_SECONDS * 10**9
    return Healthcheck(
        test=["CMD", *spec.health], interval=nanoseconds, timeout=nanoseconds, retries=2
    )


def _ulimits(limits: Limits) -> list[Ulimit]:
    caps = {"core": 0}
    if limits.open_files is not None:
        caps["nofile"] = limits.open_files
    return [Ulimit(name=name, soft=cap, hard=cap) for name, cap in caps.items()]


def _image_info(raw: Mapping[str, Any]) -> ImageInfo:
    return ImageInfo(
        id=raw["Id"],
        tags=tuple(raw.get("RepoTags") or ()),
        size=raw["Size"],
        layers=tuple(raw["RootFS"].get("Layers") or ()),
        labels=raw["Config"].get("Labels") or {},
        config=configuration(raw["Config"], raw),
    )


def _listed(raw: Mapping[str, Any]) -> Listed:
    # One that is linked to has further names; its own is the one without another's before it.
    names = [name[1:] for name in raw["Names"] if "/" not in name[1:]]
    return Listed(
        id=raw["Id"],
        name=names[0] if names else "",
        image_id=raw["ImageID"],
        labels=raw.get("Labels") or {},
        running=raw["State"] in _RUNNING,
        ended=raw["State"] in _ENDED,
        unhealthy="(unhealthy)" in raw["Status"],
    )


def _container_state(raw: Mapping[str, Any]) -> ContainerState:
    state = raw["State"]
    running = bool(state["Running"]) or state["Status"] == "created"
    published = (raw["NetworkSettings"].get("Ports") or {}).items()
    return ContainerState(
        id=raw["Id"],
        name=raw["Name"].lstrip("/"),
        image_id=raw["Image"],
        labels=raw["Config"].get("Labels") or {},
        running=bool(state["Running"]),
        exit_code=None if running else int(state["ExitCode"]),
        out_of_memory=bool(state["OOMKilled"]),
        ports={
            int(re.sub(r"\D.*", "", inside)): int(hosts[0]["HostPort"])
            for inside, hosts in published
            if hosts
        },
    )
