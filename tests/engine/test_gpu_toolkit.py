"""What `exam up --gpu` comes to on an engine that has a toolkit: see toolkit.py."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from exam_cli.config.edition import DEFAULT_EDITION, load_edition
from exam_cli.engine.docker import DockerEngine
from exam_cli.engine.port import Engine
from exam_cli.errors import OurFault
from exam_cli.grading.environment import Environment, Needs
from exam_cli.images.build import Images, architecture_of, references
from exam_cli.images.gpu import Gpu, NoGpu, need_gpus
from exam_cli.paths import resource
from exam_cli.sections.vault import SectionData
from exam_cli.session.ledger import Ledger
from tests.engine.private import skip_unless_possible
from tests.engine.road import EXAM, Road
from tests.engine.toolkit import Toolkit, said_by, with_toolkit

pytestmark = [pytest.mark.engine, pytest.mark.slow]

GPU = load_edition(DEFAULT_EDITION, "gpu")
_SMI = """
import pathlib, shutil, subprocess
(pathlib.Path.home() / "kept").touch()
print(subprocess.run("nvidia-smi", capture_output=True, text=True, check=True).stdout
      if shutil.which("nvidia-smi") else "none")
"""


def test_an_engine_s_own_way_leads_to_a_gpu_or_to_a_sentence(
    docker_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_unless_possible()
    base = next((tag for one in docker_engine.images("exam-base") for tag in one.tags), None)
    if base is None:
        pytest.skip("no base image: `exam images build`")
    with with_toolkit(tmp_path) as toolkit:
        toolkit.engine.load(base)
        monkeypatch.setenv("DOCKER_HOST", toolkit.engine.address)
        engine = DockerEngine()
        toolkit.driver("570.124.06")
        assert need_gpus(engine, GPU) == (Gpu("A test's own", "570.124.06", 24576),)
        # And so it does behind the walls of a grade.
        environment = Environment(engine, base, "", "gpu", "", "")
        spec = environment.container("predictor", Needs(256 << 20, 1 << 20))
        assert said_by(engine, replace(spec, command=["nvidia-smi"])).startswith("A test's own")
        with pytest.raises(OurFault):  # it is not there where no GPU was asked for
            said_by(engine, replace(spec, command=["nvidia-smi"], gpus=False))
        toolkit.driver("470.57.02")
        with pytest.raises(NoGpu, match=r"470\.57\.02 .* too old for CUDA 12\."):
            need_gpus(engine, GPU)
        toolkit.trouble("nvidia-container-cli: initialization error: nvml error: driver not loaded")
        with pytest.raises(NoGpu, match="no NVIDIA driver that works"):
            need_gpus(engine, GPU)
        toolkit.trouble("nvidia-container-cli: container error: cgroup subsystem devices not found")
        with pytest.raises(NoGpu, match="cgroups"):
            need_gpus(engine, GPU)
        assert engine.find({}) == []


@pytest.fixture(scope="module")
def toolkit(
    docker_engine: Engine, edition_images: Images, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Toolkit]:
    """One with all images; those with CUDA are the others under another name, for want of room."""
    skip_unless_possible()
    gpu = references(GPU, architecture_of(docker_engine))
    with with_toolkit(tmp_path_factory.mktemp("toolkit"), bridge=True) as toolkit:
        for here, there in (
            (edition_images.grader, gpu.grader),
            (edition_images.workspace, gpu.workspace),
        ):
            toolkit.engine.load(here)
            toolkit.engine.client.images.get(here).tag(there)
        toolkit.driver("570.124.06")
        yield toolkit


def test_a_sitting_with_a_gpu_and_then_without(
    toolkit: Toolkit, data: dict[int, SectionData], tmp_path: Path
) -> None:
    environment = {"DOCKER_HOST": toolkit.engine.address}
    road = Road(tmp_path, tmp_path / "home", toolkit.engine.inside(EXAM), environment)
    (tmp_path / "exam.yaml").write_text("exam: deep\nduration: null\nsections: [{section: 1}]\n")
    up = road.exam("up", "--gpu", "--exam", "exam.yaml", "--port", "0", "--json")
    try:
        assert up.status == 0 and up.json["variant"] == "gpu", up
        folder = road.workspace / "1-regression"
        (folder / "smi.py").write_text(_SMI)
        assert "A test's own" in road.exam("run", str(folder / "smi.py")).out
        shutil.copy(resource("sections", "1-regression", "reference.py"), folder)
        assert road.exam("run", str(folder / "reference.py")).status == 0
        graded = road.exam("grade", "1", "--json")
        assert graded.status == 0 and graded.json["score"] == 5, graded
        assert graded.json["environment"]["variant"] == "cpu"
        assert "COMPOSE_FILE=compose.yaml:compose.gpu.yaml\n" in road.exam("attach", "compose").out
        again = road.exam("up", "--port", "0")
        assert "A test's own with 24 GB, driver 570.124.06; graded on the CPU" in again.out, again
        assert "`exam up --cpu` goes on without" in again.out
        toolkit.trouble("nvidia-container-cli: initialization error: nvml error: driver not loaded")
        gone = road.exam("up", "--port", "0", "--json")
        assert gone.status == 1 and gone.json["reason"] == "no_gpu"
        assert gone.json["message"].endswith("To go on without a GPU: `exam up --cpu`.")
        without = road.exam("up", "--cpu", "--port", "0", "--json")
        assert without.status == 0 and without.json["variant"] == "cpu", without
        assert road.exam("run", str(folder / "smi.py")).out.strip() == "none"
        kept = road.exam("run", str(folder / "reference.py"))
        assert kept.status == 0 and road.attempts(1) == [1] and road.problems() == []
        with Ledger(road.record() / "ledger.sqlite") as ledger:
            (event,) = ledger.events("variant")
            assert event.payload == {"variant": "cpu", "before": "gpu"}
            assert ledger.events("started")[0].payload["variant"] == "gpu"
    finally:
        toolkit.trouble("")
        road.exam("down", "--purge", "--yes")


def test_a_grade_on_a_gpu_asks_the_engine_for_it(
    toolkit: Toolkit, data: dict[int, SectionData], tmp_path: Path
) -> None:
    """The image has no code for a GPU, which is noticed before a model is loaded."""
    environment = {"DOCKER_HOST": toolkit.engine.address}
    road = Road(tmp_path, tmp_path / "home", toolkit.engine.inside(EXAM), environment)
    (tmp_path / "exam.yaml").write_text(
        "exam: deep\nduration: null\ngrade_on: gpu\nsections: [{section: 1}]\n"
    )
    up = road.exam("up", "--exam", "exam.yaml", "--port", "0", "--json")
    try:
        assert up.status == 0 and up.json["variant"] == "cpu", up
        script = road.workspace / "1-regression" / "starter.py"
        assert road.exam("run", str(script)).status == 0
        graded = road.exam("grade", "1", "--official", "--json")  # its walls stand with a GPU, too
        assert graded.status == 3 and graded.json["reason"] == "no_gpu", graded
        assert graded.json["environment"]["variant"] == "gpu"
        assert "TensorFlow found none" in graded.json["message"] and road.attempts(1) == []
    finally:
        road.exam("down", "--purge", "--yes")
