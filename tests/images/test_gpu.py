"""The variant with CUDA: what its lock holds, and what is said where there is no GPU for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from exam_cli.config.edition import DEFAULT_EDITION, load_edition
from exam_cli.engine.fake import ABOUT, FakeEngine
from exam_cli.engine.gpu_errors import sentence_for
from exam_cli.engine.port import ContainerSpec
from exam_cli.errors import DiskFull, OurFault, UsageError
from exam_cli.fetch.lockfile import Pin, read_lock
from exam_cli.images import build
from exam_cli.images.build import ensure_images, references
from exam_cli.images.gpu import Gpu, NoGpu, need_gpus
from exam_cli.images.listing import listing
from exam_cli.images.variants import cuda_of, least_driver
from exam_cli.progress import SILENT

CPU, GPU = (load_edition(DEFAULT_EDITION, variant) for variant in ("cpu", "gpu"))
H200 = "NVIDIA H200, 570.124.06, 143771"
# What engines and drivers have been seen to say, and a word of what is to be done then.
SAID = {
    'could not select device driver "" with capabilities: [[gpu]]': "nvidia-container-toolkit",
    "unknown or invalid runtime name: nvidia": "nvidia-container-toolkit",
    "error setting CDI devices: unresolvable CDI devices nvidia.com/gpu=all": "nvidia-ctk cdi",
    "nvidia-container-cli: container error: cgroup subsystem devices not found: unknown": "cgroups",
    "nvidia-container-cli: mount error: failed to add device rules: bpf_prog_query(BPF_CGROUP_DEV"
    "ICE) failed": "cgroups",
    "nvidia-container-cli: initialization error: nvml error: driver not loaded": "no NVIDIA driver",
    "nvidia-container-cli: initialization error: load library failed: libnvidia-ml.so.1": (
        "no NVIDIA driver"
    ),
    "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.5": "too old",
    "Failed to initialize NVML: Driver/library version mismatch": "restart",
}


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    """One that has a GPU to give, and an image of ours."""
    engine = FakeEngine(known={references(CPU, "x86_64").grader}, gpu_trouble=None)
    yield engine
    assert engine.find({}) == [] and not any("empty" in name for name in engine.known)


def prints(engine: FakeEngine, text: str, status: int = 0) -> None:
    """Have `nvidia-smi` print that, and end so."""

    def smi(spec: ContainerSpec) -> list[str]:
        assert spec.gpus and spec.command[0] == "nvidia-smi" and spec.network == "none"
        return ["/bin/sh", "-c", 'printf "%s\n" "$1"; exit "$2"', "smi", text, str(status)]

    engine.program = smi


def pins(edition: object) -> dict[str, Pin]:
    return {pin.name: pin for pin in read_lock(edition.lock("tensorflow", "x86_64"))}  # type: ignore[attr-defined]


# --- the lock


def test_both_variants_have_the_same_of_all_that_both_have() -> None:
    cpu, gpu = pins(CPU), pins(GPU)
    assert cpu.pop("tensorflow-cpu").version == gpu.pop("tensorflow").version == GPU.tensorflow
    cuda = {name for name in gpu if name.startswith("nvidia-")}
    assert set(gpu) - cuda == set(cpu) and len(cuda) >= 10
    assert {name: gpu[name] for name in cpu} == cpu
    for layer in ("tools", "workspace", "debian"):
        assert GPU.lock(layer, "x86_64") == CPU.lock(layer, "x86_64")


def test_the_driver_that_the_locked_cuda_needs_is_known() -> None:
    cuda = cuda_of(GPU, "x86_64")
    assert cuda is not None and cuda.startswith("12.") and least_driver(cuda) == (525, 60, 13)
    assert cuda_of(CPU, "x86_64") is None


def test_a_variant_has_images_of_its_own() -> None:
    cpu, gpu = (references(edition, "x86_64") for edition in (CPU, GPU))
    assert gpu.grader.startswith(f"exam-grader:{DEFAULT_EDITION}-gpu-") and gpu != cpu
    rows = {(row.edition, row.variant): row for row in listing(FakeEngine(known={gpu.grader}))}
    row = rows[DEFAULT_EDITION, "gpu"].as_json()
    assert row["images"]["grader"]["id"] and not row["images"]["workspace"]["id"]
    assert ("cert-2023", "gpu") not in rows


def test_a_variant_that_there_is_not_is_told_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match=r"no gpu variant for aarch64, .*: it has cpu there\."):
        references(GPU, "aarch64")
    with pytest.raises(UsageError, match=r"cert-2023 has no gpu variant for x86_64: it has cpu"):
        ensure_images(FakeEngine(), load_edition("cert-2023", "gpu"), SILENT)
    arm = FakeEngine(about=replace(ABOUT, architecture="aarch64"))
    assert {row.variant for row in listing(arm)} == {"cpu"}


def test_cuda_takes_more_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "free_bytes", lambda path: 12 << 30)
    with pytest.raises(DiskFull, match=r"needs about 24 GB .* has 12\.0 GB free"):
        ensure_images(FakeEngine(), GPU, SILENT)


# --- what is looked at


def test_gpus_that_are_there_are_named(engine: FakeEngine) -> None:
    prints(engine, f"{H200}\n{H200}")
    assert need_gpus(engine, GPU) == (Gpu("NVIDIA H200", "570.124.06", 143771),) * 2
    assert str(need_gpus(engine, GPU)[0]) == "NVIDIA H200 with 140 GB, driver 570.124.06"


@pytest.mark.parametrize(("driver", "enough"), [("525.60.13", True), ("525.60.12", False)])
def test_an_old_driver_is_told_with_what_cuda_needs(
    engine: FakeEngine, driver: str, enough: bool
) -> None:
    prints(engine, f"NVIDIA A100, {driver}, 40960")
    if enough:
        assert need_gpus(engine, GPU)
        return
    with pytest.raises(
        NoGpu, match=rf"{driver} .* too old for CUDA 12\.\d, .*525\.60\.13 or newer"
    ):
        need_gpus(engine, GPU)


@pytest.mark.parametrize("said", SAID)
def test_each_thing_that_an_engine_lacks_has_its_sentence(engine: FakeEngine, said: str) -> None:
    engine.gpu_trouble = f"OCI runtime create failed: {said}"
    with pytest.raises(NoGpu, match=SAID[said]) as told:
        need_gpus(engine, GPU)
    assert (told.value.exit_status, told.value.reason) == (1, "no_gpu")


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("No devices were found", "no GPU that it could use"),
        ("Failed to initialize NVML: Unknown Error", "cgroups"),
        ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver", "driver"),
        ("something new", "said 'something new' there"),
        ("", "said 'nothing' there"),
    ],
)
def test_what_nvidia_smi_says_is_understood(engine: FakeEngine, said: str, word: str) -> None:
    prints(engine, said, 9)
    with pytest.raises(NoGpu, match=word):
        need_gpus(engine, GPU)


def test_an_engine_without_an_image_is_asked_in_an_empty_one(engine: FakeEngine) -> None:
    engine.known.clear()
    engine.program = lambda spec: ["/nowhere/nvidia-smi"]
    assert need_gpus(engine, GPU) == (), "it has GPUs to give; which, nobody can tell yet"
    assert engine.known == set() and len(engine.created) == 1
    engine.gpu_trouble = 'could not select device driver "" with capabilities: [[gpu]]'
    with pytest.raises(NoGpu, match="nvidia-container-toolkit"):
        need_gpus(engine, GPU)


def test_a_broken_engine_is_not_taken_for_one_without_a_gpu(engine: FakeEngine) -> None:
    engine.program = lambda spec: ["/nowhere/nvidia-smi"]
    with pytest.raises(OurFault, match="could not start"):
        need_gpus(engine, GPU)


def test_other_words_are_not_about_a_gpu() -> None:
    assert sentence_for("driver failed programming external connectivity") is None
    assert sentence_for("cgroups: cannot find cgroup mount destination: unknown") is None
