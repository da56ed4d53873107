"""The variant with CUDA on the real engine: asked for where there is no GPU; built; used.

To build it takes 3.4 GB of wheels, 24 GB of disk and minutes, so the tests of the image itself are
left out unless EXAM_TEST_GPU_IMAGE=1; those that compute on a GPU need one, too.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from exam_cli.config.edition import DEFAULT_EDITION, load_edition
from exam_cli.engine.docker import DockerEngine
from exam_cli.engine.port import GPU_ENVIRONMENT, ContainerSpec, Engine, ImageInfo, Limits
from exam_cli.grading.environment import Environment, Needs
from exam_cli.images.build import Images, ensure_images
from exam_cli.images.gpu import Gpu, NoGpu, need_gpus
from exam_cli.progress import SILENT
from tests.engine.road import Road
from tests.engine.test_images import run
from tests.engine.toolkit import said_by

pytestmark = pytest.mark.engine

GPU = load_edition(DEFAULT_EDITION, "gpu")
_SWITCH = "EXAM_TEST_GPU_IMAGE"

# Each CUDA library is loaded as it was trimmed. libcuda.so.1 is the driver's own and comes with it.
_LIBRARIES = """
import ctypes, pathlib, tensorflow as tf
site = pathlib.Path(tf.__file__).parent.parent
globs = ("*/include", "**/*.a", "**/*.h")
left = [str(one) for glob in globs for one in site.glob(f"nvidia/{glob}")]
assert not left, left
loaded = 0
for library in sorted(site.glob("nvidia/**/*.so*")):
    try:
        ctypes.CDLL(str(library))
        loaded += 1
    except OSError as error:
        assert str(error).startswith("libcuda.so.1: cannot open"), (library, error)
for name in ("bin/ptxas", "nvvm/libdevice/libdevice.10.bc"):
    assert (site / "nvidia/cuda_nvcc" / name).is_file(), name
built = tf.sysconfig.get_build_info()
assert built["is_cuda_build"] and built["cuda_version"].startswith("12."), built
print(loaded)
"""
_STEP = """
import keras, numpy, tensorflow as tf
assert tf.config.list_physical_devices("CPU")
print(len(tf.config.list_physical_devices("GPU")))
model = keras.Sequential([
    keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization(),
    keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax"),
])
model.compile("adam", "sparse_categorical_crossentropy")
before = [numpy.array(one) for one in model.get_weights()]
loss = model.train_on_batch(numpy.ones((4, 8, 8, 3), "float32"), numpy.zeros(4))
assert numpy.isfinite(loss)
assert any((one != other).any() for one, other in zip(before, model.get_weights()))
"""


class Bare(DockerEngine):
    """An engine that has no image of ours yet."""

    def images(self, repository: str) -> list[ImageInfo]:
        """There are none."""
        return []


def gpus_here(engine: Engine) -> tuple[Gpu, ...]:
    """Return the GPUs of this machine; skip the test, with the reason, where there is none."""
    try:
        return need_gpus(engine, GPU)
    except NoGpu as missing:
        pytest.skip(f"no GPU: {missing}")


@pytest.fixture(scope="module")
def images(docker_engine: Engine) -> Images:
    if os.environ.get(_SWITCH) != "1":
        pytest.skip(f"no CUDA image: it takes 3.4 GB to fetch and minutes to build; {_SWITCH}=1")
    return ensure_images(docker_engine, GPU, SILENT)


# --- no GPU


@pytest.fixture
def no_gpu(docker_engine: Engine) -> str:
    """What this machine lacks; a machine with a GPU lacks nothing, and shows nothing here."""
    try:
        need_gpus(docker_engine, GPU)
    except NoGpu as missing:
        return str(missing)
    pytest.skip("this machine has a GPU")


def test_a_candidate_without_a_gpu_is_told_and_nothing_is_made(no_gpu: str, tmp_path: Path) -> None:
    road = Road(tmp_path, tmp_path / "home")
    done = road.exam("up", "--gpu", "--json", timeout=60)
    assert done.status == 1 and done.json["reason"] == "no_gpu"
    assert done.json["message"] == f"{no_gpu} Without a GPU: `exam up`."
    assert not road.workspace.exists() and not list((road.home / "sessions").glob("*/session.json"))


def test_an_engine_without_any_image_is_asked_as_well(no_gpu: str) -> None:
    engine = Bare()
    with pytest.raises(NoGpu) as told:
        need_gpus(engine, GPU)
    assert str(told.value) == no_gpu
    assert DockerEngine().images("exam-empty") == [] and engine.find({"exam.role": "gpu"}) == []


# --- the image


@pytest.mark.slow
def test_cuda_s_libraries_load_as_they_were_trimmed(docker_engine: Engine, images: Images) -> None:
    assert int(run(docker_engine, images.grader, _LIBRARIES)) >= 25


@pytest.mark.slow
@pytest.mark.parametrize("role", ["grader", "workspace"])
def test_a_training_step_on_the_processor(docker_engine: Engine, images: Images, role: str) -> None:
    assert run(docker_engine, getattr(images, role), _STEP) == "0\n"


@pytest.mark.slow
def test_the_variants_differ_in_tensorflow_alone(
    docker_engine: Engine, images: Images, edition_images: Images
) -> None:
    gpu, cpu = (docker_engine.image(one.workspace) for one in (images, edition_images))
    assert gpu is not None and cpu is not None and len(gpu.layers) == len(cpu.layers)
    other = [here for here, there in zip(gpu.layers, cpu.layers, strict=True) if here != there]
    assert len(other) == 1


# --- a GPU


@pytest.mark.slow
def test_a_training_step_on_a_gpu(docker_engine: Engine, images: Images) -> None:
    found = gpus_here(docker_engine)
    spec = ContainerSpec(
        image=images.workspace,
        command=["python", "-c", _STEP],
        user="65534:65534",
        limits=Limits(8 << 30, 2, 512, tmpfs={"/tmp": 1 << 28}),
        environment={"HOME": "/tmp", **GPU_ENVIRONMENT},
        gpus=True,
    )
    assert said_by(docker_engine, spec) == f"{len(found)}\n"


@pytest.mark.slow
def test_a_predictor_computes_on_a_gpu_behind_its_walls(
    docker_engine: Engine, images: Images
) -> None:
    gpus_here(docker_engine)
    environment = Environment(
        docker_engine, images.grader, GPU.edition, "gpu", GPU.tensorflow, GPU.keras
    )
    spec = environment.container("predictor", Needs(3 << 30, 256 << 20))
    product = "import tensorflow as tf; print(tf.matmul(tf.ones((9, 9)), tf.ones((9, 9))).device)"
    assert "GPU:0" in said_by(docker_engine, replace(spec, command=["python", "-c", product]))
