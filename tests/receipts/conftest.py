"""A candidate on an engine of plain processes: hidden data in the vault, a model that answers."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exam_cli.config.edition import load_edition, programs
from exam_cli.config.exam import Choice, Exam
from exam_cli.config.section import Section
from exam_cli.engine.fake import FakeEngine
from exam_cli.engine.port import ContainerSpec
from exam_cli.images.build import references
from exam_cli.receipts.issue import receipts_dir
from exam_cli.sections.catalog import shipped_section
from exam_cli.session.ledger import Ledger
from exam_cli.session.session import Session, start_session
from exam_cli.sitting.grade import Graded, grade_section
from tests.grading.conftest import keras_bytes
from tests.grading.test_grade import PRELUDE
from tests.programs.conftest import load

ROWS = 8
GOOD = "import numpy as np\n" + PRELUDE + "ready(); predictions(inputs()[:, :1])"
OTHER = "import numpy as np\n" + PRELUDE + "ready(); predictions(inputs()[:, :1] + 400)"
BAD = PRELUDE + "ready(); sys.exit(3)"

Sit = Callable[..., "Sitting"]


@dataclass
class Sitting:
    """A session of section 1 alone, and the engine it is graded on."""

    session: Session
    engine: FakeEngine
    section: Section
    folder: Path  # of the programs that stand for those in the image

    def connect(self) -> FakeEngine:
        """Return the engine."""
        return self.engine

    def model(self, word: str = "first") -> None:
        """Save a model; `word` makes it another one."""
        place = self.session.workspace / self.section.directory
        place.mkdir(exist_ok=True)
        (place / "model.keras").write_bytes(keras_bytes({"note": word.encode()}))

    def grade(self, word: str = "first", predictor: str = GOOD) -> Graded:
        """Save a model and have it graded."""
        self.model(word)
        self.answers(predictor)
        return grade_section(self.section, self.session, self.connect)

    def answers(self, predictor: str) -> None:
        """Have a program of ours answer for the models."""
        (self.folder / "predictor.py").write_text(predictor)

    def receipts(self) -> list[Path]:
        """The receipts, by the order of their rows."""
        return sorted(receipts_dir(self.session).glob("*.json"))

    def rows(self) -> list[Any]:
        """The ledger's rows."""
        with Ledger(self.session.ledger_path) as ledger:
            return ledger.events()

    def tamper(self, statement: str, *values: object) -> None:
        """Change the ledger behind its back, as its owner can."""
        with closing(sqlite3.connect(self.session.ledger_path)) as connection:
            for name in ("events_keep", "events_stay", "events_follow"):
                connection.execute(f"DROP TRIGGER IF EXISTS {name}")
            connection.execute(statement, values)
            connection.commit()


def hidden_data(section: Section, vault: Path) -> None:
    """Put a vault there as if it had been built: labels are the first feature and a hundred."""
    tensors = load("tensors")
    directory = vault / section.directory
    directory.mkdir(parents=True)
    width = section.contract.inputs[0].shape[0]
    parts = []
    for start, which in enumerate(("sample", "probe", "final")):
        features = np.arange(ROWS * width, dtype=np.float32).reshape(ROWS, width) + start
        for kind, name, array in (
            ("inputs", "features", features),
            ("labels", "labels", features[:, :1] + 100),
        ):
            if kind == "labels" and which == "sample":
                continue
            description, body = tensors.encode(name, array)
            file = f"{which}-{name}.bin"
            (directory / file).write_bytes(body)
            sha256 = hashlib.sha256(body).hexdigest()
            parts.append(
                {**description, "kind": kind, "set": which, "file": file, "sha256": sha256}
            )
    (directory / "manifest.json").write_text(json.dumps({"parts": parts}))


@pytest.fixture
def sit(tmp_path: Path) -> Iterator[Sit]:
    """Return a maker of sessions by the rules that it is given."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for path in programs():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "predictor.py").write_text(GOOD)
    images = references(load_edition("tf2.21"), "x86_64")

    def stand_in(spec: ContainerSpec) -> Sequence[str]:
        program, *arguments = spec.command[spec.command.index("-su") + 1 :]
        return [sys.executable, "-sE", str(folder / Path(program).name), *arguments]

    engine = FakeEngine(known={images.grader, images.workspace}, program=stand_in)

    def make(name: str = "workspace", **rules: Any) -> Sitting:
        exam = Exam(**{"exam": "test", "sections": (Choice(section=1),), **rules})
        session = start_session(tmp_path / name, exam, "tf2.21", "cpu")
        section = shipped_section(1)
        hidden_data(section, session.vault)
        return Sitting(session, engine, section, folder)

    yield make
    assert engine.find({"exam.role": ""}) == []


@pytest.fixture
def sitting(sit: Sit) -> Sitting:
    """A practice session."""
    return sit()
