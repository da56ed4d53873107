"""The variant with CUDA on the real engine: asked for where there is no GPU; built; used.

To build it takes 3.4 GB of wheels, 24 GB of disk and minutes, so the tests of the image itself are
left out unless EXAM_TEST_GPU_IMAGE=1; those that compute on a GPU need one, too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from exam_cli.config.edition import DEFAULT_EDITION, load_edition
from exam_cli.engine.docker import DockerEngine
from exam_cli.engine.port import GPU_ENVIRONMENT, ContainerSpec, Engine, ImageInfo, Limits
from exam_cli.errors import OurFault
from exam_cli.grading.environment import Environment, Needs
from exam_cli.images.build import Images, ensure_images
from exam_cli.images.gpu import Gpu, NoGpu, need_gpus
from exam_cli.progress import SILENT
from tests.engine.private import PrivateEngine, skip_unless_possible
from tests.engine.road import Road
from tests.engine.test_images import run

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


# --- an engine with a toolkit, and a driver of the tests' own

_HOOK = """#!/bin/sh
# In the place of NVIDIA's: it puts a program into the container that is about to start, or fails.
root=$(python3 -c '
import json, os, sys
bundle = json.load(sys.stdin)["bundle"]
with open(os.path.join(bundle, "config.json")) as file:
    print(os.path.join(bundle, json.load(file)["root"]["path"]))')
[ ! -s HERE/trouble ] || { cat HERE/trouble >&2; exit 1; }
cp HERE/nvidia-smi "$root/usr/bin/nvidia-smi"
"""
_SMI = """#!/bin/sh
[ "$NVIDIA_VISIBLE_DEVICES $NVIDIA_DRIVER_CAPABILITIES" = "all compute,utility" ] || exit 8
echo "A test's own, VERSION, 24576"
"""


@dataclass(frozen=True)
class Toolkit:
    """An engine whose toolkit is a script; what that does lies in a folder."""

    engine: Engine
    image: str
    folder: Path

    def driver(self, version: str) -> None:
        """Have that driver."""
        path = self.folder / "nvidia-smi"
        path.write_text(_SMI.replace("VERSION", version))
        path.chmod(0o755)

    def trouble(self, words: str) -> None:
        """Say that, and give nothing."""
        (self.folder / "trouble").write_text(words)


@pytest.fixture
def toolkit(
    docker_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Toolkit]:
    skip_unless_possible()
    base = next((tag for one in docker_engine.images("exam-base") for tag in one.tags), None)
    if base is None:
        pytest.skip("no base image: `exam images build`")
    hook = tmp_path / "nvidia-container-runtime-hook"
    hook.write_text(_HOOK.replace("HERE", str(tmp_path)))
    hook.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    private = PrivateEngine(tmp_path)
    try:
        private.start()
        private.load(base)
        monkeypatch.setenv("DOCKER_HOST", private.address)
        yield Toolkit(DockerEngine(), base, tmp_path)
    finally:
        private.clear()


def test_an_engine_s_own_way_leads_to_a_gpu_or_to_a_sentence(toolkit: Toolkit) -> None:
    toolkit.driver("570.124.06")
    assert need_gpus(toolkit.engine, GPU) == (Gpu("A test's own", "570.124.06", 24576),)
    # And so it does behind the walls of a grade.
    environment = Environment(toolkit.engine, toolkit.image, "", "gpu", "", "")
    spec = environment.container("predictor", Needs(256 << 20, 1 << 20))
    assert said_by(toolkit.engine, replace(spec, command=["nvidia-smi"])).startswith("A test's own")
    with pytest.raises(OurFault):  # nvidia-smi is not there where no GPU was asked for
        said_by(toolkit.engine, replace(spec, command=["nvidia-smi"], gpus=False))
    toolkit.driver("470.57.02")
    with pytest.raises(NoGpu, match=r"470\.57\.02 .* too old for CUDA 12\."):
        need_gpus(toolkit.engine, GPU)
    toolkit.trouble("nvidia-container-cli: initialization error: nvml error: driver not loaded")
    with pytest.raises(NoGpu, match="no NVIDIA driver that works"):
        need_gpus(toolkit.engine, GPU)
    toolkit.trouble("nvidia-container-cli: container error: cgroup subsystem devices not found")
    with pytest.raises(NoGpu, match="cgroups"):
        need_gpus(toolkit.engine, GPU)
    assert toolkit.engine.find({}) == []


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


def said_by(engine: Engine, spec: ContainerSpec) -> str:
    """Run a container to its end and return what it printed."""
    container = engine.create(spec)
    said = b""
    try:
        with engine.attach(container) as channel:
            engine.start(container)
            while (piece := channel.receive(300)) is not None:
                said += piece[1] if piece[0] == "stdout" else b""
        state = engine.wait(container, 30)
    finally:
        engine.remove(container)
    assert state.exit_code == 0
    return said.decode()
