"""Where a grade is made: the engine, the image, and the walls around a stranger's program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from exam_cli.engine.port import GPU_ENVIRONMENT, ContainerSpec, Engine, ImageInfo, Limits
from exam_cli.errors import ExamError, OurFault
from exam_cli.files import locked
from exam_cli.grading.seccomp import profile
from exam_cli.paths import data_dir

_PROGRAMS = "/opt/exam/programs"
_NOBODY = "65534:65534"
CPUS = 2.0
# How the containers that wait for a request are told from those that have one: both bear the label,
# and who takes one gives it a name that begins so.
WAITING = "exam.warm"
CLAIMED = "exam-claimed-"
_PROCESSES = 128
_OPEN_FILES = 1024
# What would let the same model answer otherwise the next time, or on another machine: the order of
# Python's sets, and kernels chosen by the processor. Newer instructions than AVX2 round otherwise,
# and save nothing measurable on the sections' references. predictor.py does the rest: threads,
# seeds, deterministic operations.
_STEADY = {
    "PYTHONHASHSEED": "0",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
}
# On a GPU, too: deterministic kernels, and no rounding to TF32, which only some GPUs have. What is
# left is that kinds of GPUs sum up in other orders. A model takes what memory it needs of the GPU,
# not all, for others may be at work there.
_ON_GPU = {
    **GPU_ENVIRONMENT,
    "TF_DETERMINISTIC_OPS": "1",
    "TF_CUDNN_DETERMINISTIC": "1",
    "NVIDIA_TF32_OVERRIDE": "0",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "CUDA_CACHE_DISABLE": "1",  # of compiled kernels, on a disk that nobody reads again
}
# What the driver and CUDA's libraries take beside the model: memory of the machine, and threads.
_GPU_MEMORY = 4 << 30
_GPU_PROCESSES = 512
_GPU_SECONDS = 1800.0


@dataclass(frozen=True)
class Needs:
    """What a program may take: memory, and of that the memory disk at /tmp, in bytes."""

    memory_bytes: int
    tmpfs_bytes: int


@dataclass(frozen=True)
class Environment:
    """What a grade is made in.

    Args:
        engine: holds the image and runs the containers.
        image: reference of the grader image.
        edition: name of the edition.
        variant: cpu or gpu.
        tensorflow: the edition's version, for advice.
        keras: likewise.
        runtime: the engine's runtime; None for its default.
        labels: put on every container, so that they can be found again.
        image_id: identity of that image, where it is known already.
        image_layers: the diff ids of its layers, bottom first, likewise.
        image_digest: its environment digest (`ImageInfo.digest`), likewise.
        lock_sha256: the fingerprint of the edition that the image was made of.
        walls: names of those that were seen to stand, in official grading.
        used: takes the containers that have answered, for the caller to remove when nobody waits
            for it; None has each removed as soon as it is done with.
    """

    engine: Engine
    image: str
    edition: str
    variant: str
    tensorflow: str
    keras: str
    runtime: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    image_id: str | None = None
    image_layers: tuple[str, ...] = ()
    image_digest: str | None = None
    lock_sha256: str | None = None
    walls: tuple[str, ...] = ()
    used: list[str] | None = None

    def of_image(self, image: ImageInfo) -> Environment:
        """Return this environment with an image of the engine, and all known of it."""
        return replace(
            self, image_id=image.id, image_layers=tuple(image.layers), image_digest=image.digest
        )

    @property
    def on_gpu(self) -> bool:
        """Whether models are loaded on a GPU."""
        return self.variant == "gpu"

    @property
    def driver_bytes(self) -> int:
        """Memory of the machine that a predictor gets beside what a section allows a model."""
        return _GPU_MEMORY if self.on_gpu else 0

    @contextmanager
    def gpu_alone(self) -> Iterator[None]:
        """Hold this machine's GPUs alone where they are graded on, for nothing caps their memory.

        Grades wait for each other. Raises `OurFault` after half an hour of it.
        """
        if not self.on_gpu:
            yield
            return
        data_dir().mkdir(mode=0o700, parents=True, exist_ok=True)
        with ExitStack() as held:
            try:
                held.enter_context(locked(data_dir() / "gpu.lock", _GPU_SECONDS))
            except ExamError as error:
                raise OurFault("Other grades have held the GPU for long: try again.") from error
            yield

    def discard(self, container: str) -> None:
        """See to the removal of a container that has answered."""
        if self.used is None:
            self.engine.remove(container)
        else:
            self.used.append(container)

    def isolation(self) -> dict[str, Any]:
        """Return the `isolation` object of `exam grade --json`."""
        official = {"walls": list(self.walls)} if self.walls else {}
        return {"runtime": self.runtime or "runc", "network": "none", **official}

    def describe(self, versions: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the `environment` object of `exam grade --json`; `versions` as the image told."""
        told = versions or {}
        return {
            "edition": self.edition,
            "variant": self.variant,
            "image": None,
            "digest": self.image_digest,
            "lock_sha256": self.lock_sha256,
            "tensorflow": told.get("tensorflow", self.tensorflow),
            "python": told.get("python"),
        }

    def container(self, program: str, needs: Needs, *arguments: str) -> ContainerSpec:
        """Return the container of one of our programs.

        No mounts, no network, a read-only root, no capabilities, nobody's user: those are the
        defaults of `ContainerSpec`. Everything that it may use up has a cap, and it makes only the
        kernel's calls that it needs.
        """
        gpu = self.on_gpu and program == "predictor"  # nothing else loads a model
        # Unbuffered: what a model printed is in the practice log however the process ends.
        command: Sequence[str] = (
            "/opt/exam/bin/python",
            "-su",
            f"{_PROGRAMS}/{program}.py",
            *arguments,
        )
        return ContainerSpec(
            image=self.image_id or self.image,  # what was looked at, whoever bears its name by now
            command=command,
            user=_NOBODY,
            limits=Limits(
                memory_bytes=needs.memory_bytes + (self.driver_bytes if gpu else 0),
                cpus=CPUS,
                processes=_GPU_PROCESSES if gpu else _PROCESSES,
                open_files=_OPEN_FILES,
                tmpfs={"/tmp": needs.tmpfs_bytes},
            ),
            labels={"exam.role": program, **self.labels},
            environment={
                "HOME": "/tmp",
                "TF_CPP_MIN_LOG_LEVEL": "3",
                **_STEADY,
                **(_ON_GPU if gpu else {}),
            },
            working_dir="/tmp",
            stdin=True,
            runtime=self.runtime,
            seccomp=profile(forks="--serve" in arguments, gvisor=self.runtime == "runsc", gpu=gpu),
            gpus=gpu,
        )
