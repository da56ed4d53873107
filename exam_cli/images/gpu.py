"""Does an engine give its containers a GPU, with a driver that the locked CUDA runs on?

Asked in a container, by `nvidia-smi`, which NVIDIA's toolkit puts there: so it is the engine's
machine that is looked at, wherever that is. Any image of ours will do; where there is none yet, an
empty one tells whether the engine knows of GPUs at all, before minutes are spent on a build.
"""

from __future__ import annotations

import contextlib
import io
import secrets
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from exam_cli.config.edition import Edition
from exam_cli.engine.gpu_errors import sentence_for
from exam_cli.engine.port import GPU_ENVIRONMENT, ContainerSpec, Engine, Limits
from exam_cli.errors import ExamError, GpuMissing, OurFault
from exam_cli.images.build import architecture_of
from exam_cli.images.variants import cuda_of, least_driver

EMPTY = "exam-empty"
_REPOSITORIES = ("exam-grader", "exam-workspace", "exam-base")
_QUERY = (
    "nvidia-smi",
    "--query-gpu=name,driver_version,memory.total",
    "--format=csv,noheader,nounits",
)
_SECONDS = 60.0
_MOST_BYTES = 64 << 10
_LIMITS = Limits(memory_bytes=256 << 20, cpus=1.0, processes=64)


@dataclass(frozen=True)
class Gpu:
    """One GPU: its name, the driver's version, its memory in MiB."""

    name: str
    driver: str
    memory: int

    def __str__(self) -> str:
        return f"{self.name} with {self.memory / 1024:.0f} GB, driver {self.driver}"


class NoGpu(ExamError):
    """There is no GPU to be had, for a reason that whoever owns the machine can mend."""

    reason = "no_gpu"


def need_gpus(engine: Engine, edition: Edition) -> tuple[Gpu, ...]:
    """Return the GPUs that an engine's containers get; none when only an image can tell.

    An engine without any image of ours is asked in an empty one, where `nvidia-smi` does not run:
    ask again once there is one.
    Raises `NoGpu` with a sentence on what is missing, `OurFault` when it cannot be found out.
    """
    with _some_image(engine) as (image, empty):
        try:
            said, status = _ask(engine, image)
        except GpuMissing as missing:
            raise NoGpu(str(missing)) from missing
        except OurFault:
            if empty:  # the device was there to be had, and then no program was
                return ()
            raise
    found = tuple(_gpus(said)) if status == 0 else ()
    if not found:
        raise NoGpu(sentence_for(said) or _unknown(said))
    cuda = cuda_of(edition, architecture_of(engine))
    least = least_driver(cuda) if cuda else ()
    for gpu in found:
        if _numbers(gpu.driver) < least:
            raise NoGpu(
                f"The NVIDIA driver {gpu.driver} on the engine's machine is too old for CUDA "
                f"{cuda}, which needs {'.'.join(map(str, least))} or newer: install one there."
            )
    return found


def _ask(engine: Engine, image: str) -> tuple[str, int | None]:
    """Return what `nvidia-smi` printed and its exit status."""
    spec = ContainerSpec(
        image=image,
        command=_QUERY,
        user="65534:65534",
        limits=_LIMITS,
        labels={"exam.role": "gpu"},
        environment=GPU_ENVIRONMENT,
        gpus=True,
    )
    container = engine.create(spec)
    said = b""
    try:
        with engine.attach(container) as channel:
            engine.start(container)
            while (piece := channel.receive(_SECONDS)) is not None and len(said) < _MOST_BYTES:
                said += piece[1]
        return said.decode(errors="replace"), engine.wait(container, _SECONDS).exit_code
    except TimeoutError as error:
        raise OurFault(
            f"`nvidia-smi` did not answer within {_SECONDS:.0f} s in a container: the GPU or its "
            "driver hangs; restart the engine's machine."
        ) from error
    finally:
        engine.remove(container)


@contextlib.contextmanager
def _some_image(engine: Engine) -> Iterator[tuple[str, bool]]:
    """Yield an image to ask in, and whether it is an empty one, which goes afterwards."""
    for repository in _REPOSITORIES:
        for image in engine.images(repository):
            yield image.id if not image.tags else image.tags[0], False
            return
    name = f"{EMPTY}:{secrets.token_hex(4)}"
    with io.BytesIO() as tar:
        tarfile.open(fileobj=tar, mode="w").close()
        tar.seek(0)
        engine.import_image(tar, name)
    try:
        yield name, True
    finally:
        engine.remove_image(name)


def _gpus(said: str) -> Iterator[Gpu]:
    """Yield a GPU for each line of what was asked for; other lines are passed over."""
    for line in said.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) == 3 and fields[2].isdigit() and _numbers(fields[1]):
            yield Gpu(fields[0], fields[1], int(fields[2]))


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split(".")
    return tuple(map(int, parts)) if all(part.isdigit() for part in parts) else ()


def _unknown(said: str) -> str:
    words = " ".join(said.split())[:200] or "nothing"
    return f"No GPU could be used in a container of the engine: `nvidia-smi` said {words!r} there."
