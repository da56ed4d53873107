"""The models that the engine tests grade, made once a session in a container."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from exam_cli.config.section import Section
from exam_cli.engine.port import ContainerSpec, Engine, Limits, Mount
from exam_cli.grading.intake import Submission, take
from exam_cli.sections.vault import SectionData
from exam_cli.workspace.container import INTERPRETER, caller

_SECONDS = 180.0
_WINDOW = 64  # bytes: so many labels in a row stand nowhere by chance


@dataclass(frozen=True)
class Models:
    """A directory that holds one workspace for each model."""

    directory: Path
    snapshots: Path

    def submission(self, name: str, section: Section) -> Submission:
        """Return a snapshot of a model, taken as `exam grade` takes it."""
        return take(section, self.directory / name, self.snapshots)


def needles(data: SectionData) -> dict[str, str]:
    """Return bytes of the hidden set, with flipped bits, for the model that hunts for them."""
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
    """Run the script in the workspace image and return what it made."""
    made, train, snapshots = to / "made", to / "train", to / "snapshots"
    for directory in (made, train, snapshots):
        directory.mkdir()
    for number, section in sections.items():
        (train / section.directory).mkdir()
        for name, path in data[number].train.items():
            shutil.copyfile(path, train / section.directory / name)
    for script in ("make_models.py", "attacks.py"):
        shutil.copyfile(Path(__file__).with_name(script), to / script)
    spec = ContainerSpec(
        image=image,
        command=[INTERPRETER, "make_models.py", "made", "train", json.dumps(needles(data[1]))],
        user=caller(),
        limits=Limits(memory_bytes=4 << 30, cpus=2, processes=512),
        labels={"exam.role": "test"},
        environment={"HOME": "/tmp", "TF_CPP_MIN_LOG_LEVEL": "3", "EXAM_MAKING_MODELS": "1"},
        working_dir="/making",
        read_only=False,
        mounts=[Mount("bind", str(to), "/making")],
    )
    container = engine.create(spec)
    said = bytearray()
    try:
        with engine.attach(container) as channel:
            engine.start(container)
            while (piece := channel.receive(_SECONDS)) is not None:
                said += piece[1]
    finally:
        engine.remove(container)
    assert (made / "complete").exists(), said.decode(errors="replace")
    return Models(made, snapshots)
