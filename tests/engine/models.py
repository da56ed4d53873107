"""The models that the engine tests grade, made once a session in containers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from exam_cli.config.section import Section
from exam_cli.engine.port import ContainerSpec, Engine, Limits, Mount
from exam_cli.grading.intake import Submission, take
from exam_cli.sections.vault import SectionData
from exam_cli.workspace.container import INTERPRETER, caller

_SECONDS = 300.0
_WINDOW = 64  # bytes: so many labels in a row stand nowhere by chance
_TESTS = Path(__file__).parent.parent


@dataclass(frozen=True)
class Models:
    """A directory that holds one workspace for each model."""

    directory: Path
    snapshots: Path

    def submission(self, name: str, section: Section) -> Submission:
        """Return a snapshot of a model, taken as `exam grade` takes it."""
        return take(section, self.directory / name, self.snapshots)


def needles(data: SectionData) -> dict[str, str]:
    """Return bytes of the hidden set, with flipped bits, for the models that hunt for them."""
    probe = data.sets["probe"]
    assert probe.labels is not None
    parts = {"inputs": probe.inputs[0], "labels": probe.labels}
    return {
        name: bytes(byte ^ 0x5A for byte in tensor.path.read_bytes()[:_WINDOW]).hex()
        for name, tensor in parts.items()
    }


def make_models(
    engine: Engine, image: str, sections: dict[int, Section], data: dict[int, SectionData], to: Path
) -> Models:
    """Make the honest, the mistaken and the hostile models in the workspace image."""
    made, train, snapshots = to / "made", to / "train", to / "snapshots"
    for directory in (made, train, snapshots):
        directory.mkdir()
    for number, section in sections.items():
        (train / section.directory).mkdir()
        for name, path in data[number].train.items():
            shutil.copyfile(path, train / section.directory / name)
    for folder in ("engine", "attacks"):
        shutil.copytree(_TESTS / folder, to / "tests" / folder)
    classes = str(sections[4].contract.output.shape[0])
    hunted = json.dumps(needles(data[1]))
    for script in (
        ["tests.engine.make_models", "made", "train"],
        ["tests.attacks.make", "made", hunted, classes],
    ):
        run_script(engine, image, to, ["-m", *script])
    return Models(made, snapshots)


def run_script(engine: Engine, image: str, directory: Path, script: Sequence[str]) -> None:
    """Run Python with these arguments in a directory, in a container."""
    spec = ContainerSpec(
        image=image,
        command=[INTERPRETER, *script],
        user=caller(),
        limits=Limits(memory_bytes=6 << 30, cpus=2, processes=512),
        labels={"exam.role": "test"},
        environment={"HOME": "/tmp", "TF_CPP_MIN_LOG_LEVEL": "3", "EXAM_MAKING_MODELS": "1"},
        working_dir="/making",
        read_only=False,
        mounts=[Mount("bind", str(directory), "/making")],
    )
    container = engine.create(spec)
    said = bytearray()
    try:
        with engine.attach(container) as channel:
            engine.start(container)
            while (piece := channel.receive(_SECONDS)) is not None:
                said += piece[1]
        state = engine.wait(container, 10)
    finally:
        engine.remove(container)
    assert state is not None and state.exit_code == 0, said.decode(errors="replace")
