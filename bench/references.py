"""The models that everything is measured with: each section's reference, trained once and kept."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.stage import Stage
from exam_cli.config.exam import load_exam
from exam_cli.config.section import Section
from exam_cli.paths import resource
from exam_cli.sections.catalog import sections_of
from exam_cli.sections.vault import DataSet, Tensor, read_section_data

# The seed makes the hidden rows the same in every session and every cohort of a run, and of all.
_EXAM = """\
exam: bench
duration: null
seed: "measured in the open"
"""


@dataclass(frozen=True)
class References:
    """A session with a trained reference for each section.

    Args:
        exam: the exam.yaml that is sat.
        workspace: of a session of it, containers up.
        session: its id.
        sections: in order.
        models: a trained model for each section, by its directory's name.
        data: a directory a section, as `programs/naive.py` takes them: model, rows, answers.
    """

    exam: Path
    workspace: Path
    session: str
    sections: tuple[Section, ...]
    models: dict[str, Path]
    data: Path

    @property
    def names(self) -> list[str]:
        """The sections' directories, in order."""
        return [section.directory for section in self.sections]

    def hand_in(self, section: Section, workspace: Path | None = None) -> None:
        """Put a section's model where a candidate saves it."""
        place = (workspace or self.workspace) / section.directory / "model.keras"
        shutil.copyfile(self.models[section.directory], place)


def references(stage: Stage) -> References:
    """Bring a session up, train what was not trained before, lay out rows for the naive way."""
    exam = stage.work / "exam.yaml"
    exam.write_text(_EXAM)
    workspace = stage.work / "workspace"
    stage.say("a session of the five sections")
    told = stage.exam_json("up", "--workspace", workspace, "--exam", exam, "--port", "0")
    session = told["session"]
    sections = tuple(sections_of(load_exam(str(exam))))
    vault = stage.work / "home" / "sessions" / session / "vault"
    models = {}
    for section in sections:
        model = stage.kept / "models" / f"{_key(stage, section, vault)}.keras"
        if not model.exists():
            _train(stage, section, workspace, model)
        models[section.directory] = model
        data = read_section_data(vault / section.directory).sets["probe"]
        lay_out(section, data, model, stage.work / "data" / section.directory)
    return References(exam, workspace, session, sections, models, stage.work / "data")


def _key(stage: Stage, section: Section, vault: Path) -> str:
    """Return the hash of all that decides a trained model."""
    digest = hashlib.sha256(f"{stage.edition.tensorflow} {stage.edition.keras}".encode())
    digest.update((section.folder / "reference.py").read_bytes())
    digest.update((vault / section.directory / "manifest.json").read_bytes())
    return f"{section.directory}-{digest.hexdigest()[:16]}"


def _train(stage: Stage, section: Section, workspace: Path, model: Path) -> None:
    stage.say(f"training the reference of {section.directory}, once")
    script = workspace / section.directory / "reference.py"
    shutil.copyfile(section.folder / "reference.py", script)
    stage.exam("run", "--workspace", workspace, script)
    model.parent.mkdir(exist_ok=True)
    draft = model.with_suffix(".part")
    shutil.copyfile(script.with_name("model.keras"), draft)
    draft.replace(model)


def lay_out(section: Section, data: DataSet, model: Path, to: Path) -> None:
    """Write a model, rows in the section's first form, and answers, for whoever runs the image."""
    to.mkdir(parents=True, mode=0o755, exist_ok=True)
    shutil.copyfile(model, to / "model.keras")
    inputs = _array(data.inputs[0])
    if inputs.dtype == object:
        (to / "inputs.json").write_text(json.dumps(inputs.tolist()))
    else:
        np.save(to / "inputs.npy", inputs)
    assert data.labels is not None, "hidden sets have labels"
    np.save(to / "labels.npy", _array(data.labels))
    (to / "task.json").write_text(json.dumps({"metric": section.metric.name}))


def _array(tensor: Tensor) -> np.ndarray:
    """Return an array of the vault, by the very code that reads it in the containers."""
    path = resource("images", "programs", "tensors.py")
    spec = importlib.util.spec_from_file_location("tensors", path)
    assert spec is not None and spec.loader is not None
    tensors = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tensors)
    array: np.ndarray = tensors.decode(tensor.description, tensor.path.read_bytes())
    return array
