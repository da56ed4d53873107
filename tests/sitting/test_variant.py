"""A session with a GPU and without: what is refused, what is noted, what follows which variant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from exam_cli.config.edition import DEFAULT_EDITION, Variant, load_edition
from exam_cli.config.exam import Exam
from exam_cli.engine.fake import FakeEngine
from exam_cli.engine.port import ContainerSpec
from exam_cli.errors import UsageError
from exam_cli.images.build import references
from exam_cli.images.gpu import NoGpu
from exam_cli.progress import SILENT, Silent
from exam_cli.session.ledger import Ledger
from exam_cli.session.session import Session, all_sessions, find_session, start_session
from exam_cli.sitting.doctor import Finding, examine
from exam_cli.sitting.editions import grading_edition, workspace_edition
from exam_cli.sitting.grade import environment_of
from exam_cli.sitting.pool import fill
from exam_cli.sitting.up import up
from exam_cli.sitting.variant import go_on_in, gpus_for, wanted
from exam_cli.workspace.container import container_name, ensure_container, runs_variant

SMI = ["echo", "NVIDIA H200, 570.124.06, 143771"]
IMAGES = [
    image
    for variant in ("cpu", "gpu")
    for names in [references(load_edition(DEFAULT_EDITION, variant), "x86_64")]
    for image in (names.grader, names.workspace)
]


def program(spec: ContainerSpec) -> list[str]:
    return SMI if spec.command[0] == "nvidia-smi" else ["sleep", "60"]


@dataclass
class Listening(Silent):
    """Keeps what is said."""

    said: list[str] = field(default_factory=list)

    def say(self, sentence: str) -> None:
        self.said.append(sentence)


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    """One with all images, and a GPU."""
    engine = FakeEngine(known=set(IMAGES), program=program, gpu_trouble=None)
    yield engine
    for state in engine.find({}):
        engine.remove(state.id)


def session_of(directory: Path, variant: Variant = "cpu", **rules: object) -> Session:
    exam = Exam(exam="practice", **rules)  # type: ignore[arg-type]
    return start_session(directory / "workspace", exam, DEFAULT_EDITION, variant)


def refused(workspace: Path, exam: Exam | None = None, asked: Variant | None = "gpu") -> str:
    with pytest.raises(NoGpu) as told:
        up(workspace, exam, DEFAULT_EDITION, 0, FakeEngine(), SILENT, asked)
    return str(told.value)


# --- refusals


def test_a_machine_without_a_gpu_is_told_before_anything_is_made(tmp_path: Path) -> None:
    sentence = refused(tmp_path / "workspace")
    assert "nvidia-container-toolkit" in sentence and sentence.endswith("Without a GPU: `exam up`.")
    assert all_sessions() == [] and not (tmp_path / "workspace").exists()


def test_a_session_that_cannot_have_a_gpu_stays_as_it_is(tmp_path: Path) -> None:
    session = session_of(tmp_path)
    assert refused(session.workspace).endswith("Without a GPU: `exam up`.")
    assert find_session(session.workspace) == session
    with Ledger(session.ledger_path) as ledger:
        assert ledger.events() == []


def test_a_session_whose_gpu_has_gone_is_told_how_to_go_on(tmp_path: Path) -> None:
    session = session_of(tmp_path, "gpu")
    assert refused(session.workspace, asked=None).endswith("without a GPU: `exam up --cpu`.")


def test_an_exam_that_is_graded_on_a_gpu_needs_one(tmp_path: Path) -> None:
    exam = Exam(exam="deep", grade_on="gpu")
    assert "deep is graded on a GPU" in refused(tmp_path / "workspace", exam, asked=None)
    assert all_sessions() == []


def test_an_edition_without_the_variant_says_which_it_has(
    tmp_path: Path, engine: FakeEngine
) -> None:
    with pytest.raises(UsageError, match=r"cert-2023 has no gpu variant .* it has cpu"):
        up(tmp_path / "workspace", None, "cert-2023", 0, engine, SILENT, "gpu")
    assert all_sessions() == []


# --- which variant


@pytest.mark.parametrize(
    ("asked", "had", "comes"),
    [
        (None, None, "cpu"), ("gpu", None, "gpu"), (None, "gpu", "gpu"),
        ("cpu", "gpu", "cpu"), ("gpu", "cpu", "gpu"), (None, "cpu", "cpu"),
    ],
)  # fmt: skip
def test_a_session_keeps_its_variant_unless_told(
    tmp_path: Path, asked: Variant | None, had: Variant | None, comes: Variant
) -> None:
    assert wanted(asked, session_of(tmp_path, had) if had else None) == comes


def test_what_is_worked_in_and_what_is_graded_in_are_two_things(tmp_path: Path) -> None:
    session = session_of(tmp_path, "gpu")
    assert workspace_edition(session).variant == "gpu"
    assert grading_edition(session).variant == "cpu"
    other = session_of(tmp_path / "other", "cpu", grade_on="gpu")
    assert workspace_edition(other).variant == "cpu"
    assert grading_edition(other).variant == "gpu"


def test_only_who_needs_a_gpu_looks_for_one(tmp_path: Path, engine: FakeEngine) -> None:
    assert gpus_for("cpu", DEFAULT_EDITION, Exam(exam="x"), None, engine) == ()
    assert engine.created == []
    (gpu,) = gpus_for("gpu", DEFAULT_EDITION, Exam(exam="x"), None, engine)
    assert gpu.name == "NVIDIA H200"


# --- the change


def test_the_workspace_is_made_anew_and_nothing_is_lost(tmp_path: Path, engine: FakeEngine) -> None:
    cpu = session_of(tmp_path)
    (cpu.workspace / "notes.txt").write_text("mine")
    before = ensure_container(engine, cpu, IMAGES[1], 0)
    listening = Listening()
    gpu = go_on_in("gpu", cpu, engine, listening)
    assert "your files and your home stay" in listening.said[0]
    assert find_session(cpu.workspace) == gpu and gpu.variant == "gpu"
    after = ensure_container(engine, gpu, IMAGES[3], 0)
    assert after.id != before.id and engine.state(before.id) is None
    assert runs_variant(engine, gpu) == "gpu"
    spec = engine.created[-1]
    assert spec.gpus and spec.image == IMAGES[3] and spec.mounts == engine.created[0].mounts
    assert spec.environment["NVIDIA_DRIVER_CAPABILITIES"] == "compute,utility"
    assert (cpu.workspace / "notes.txt").read_text() == "mine"
    assert ensure_container(engine, gpu, IMAGES[3], 0).id == after.id
    with Ledger(gpu.ledger_path) as ledger:
        (event,) = ledger.events("variant")
        assert event.payload == {"variant": "gpu", "before": "cpu"} and ledger.problems() == []
    back = go_on_in("cpu", gpu, engine, listening)
    assert "without a GPU" in listening.said[1]
    ensure_container(engine, back, IMAGES[1], 0)
    assert not engine.created[-1].gpus and "NVIDIA_VISIBLE_DEVICES" not in (
        engine.created[-1].environment
    )


def test_what_stays_is_not_noted_again(tmp_path: Path, engine: FakeEngine) -> None:
    session = session_of(tmp_path, "gpu")
    listening = Listening()
    assert go_on_in("gpu", session, engine, listening) is session and listening.said == []
    with Ledger(session.ledger_path) as ledger:
        assert ledger.events("variant") == []


# --- grading


@pytest.mark.parametrize("grade_on", ["cpu", "gpu"])
def test_a_grade_says_what_it_was_made_on(
    tmp_path: Path, engine: FakeEngine, grade_on: Variant
) -> None:
    session = session_of(tmp_path, "cpu" if grade_on == "gpu" else "gpu", grade_on=grade_on)
    edition = grading_edition(session)
    image = references(edition, "x86_64").grader
    environment = environment_of(session, edition, image, engine)
    assert environment.describe()["variant"] == grade_on == environment.variant
    assert image.startswith(f"exam-grader:{DEFAULT_EDITION}-{grade_on}-")


def test_no_predictor_waits_on_a_gpu(tmp_path: Path, engine: FakeEngine) -> None:
    session = session_of(tmp_path, grade_on="gpu")
    ensure_container(engine, session, IMAGES[1], 0)
    fill(session, engine)
    waiting = sorted(state.labels["exam.role"] for state in engine.find({}))
    assert waiting == ["scorer", "workspace"]
    assert engine.state(container_name(session)) is not None


# --- the doctor


def told(engine: FakeEngine) -> Finding:
    (found,) = (one for one in examine(lambda: engine) if one.topic == "gpu")
    return found


def test_the_doctor_names_a_gpu(engine: FakeEngine) -> None:
    found = told(engine)
    assert found.ok and "NVIDIA H200 with 140 GB" in found.text and "`exam up --gpu`" in found.text


def test_a_gpu_is_needed_only_where_one_is_used(tmp_path: Path) -> None:
    assert not told(FakeEngine()).needed and "none is needed" in told(FakeEngine()).text
    session_of(tmp_path, "gpu")
    found = told(FakeEngine())
    assert found.needed and not found.ok and found.text.startswith("The engine cannot give")
