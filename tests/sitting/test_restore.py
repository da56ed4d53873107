"""A graded model comes back, and nothing that lies in its place is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from exam_cli.config.exam import Exam
from exam_cli.errors import ExamError
from exam_cli.grading.intake import take
from exam_cli.sections.catalog import shipped_section
from exam_cli.session.ledger import Ledger
from exam_cli.session.session import Session, start_session
from exam_cli.sitting.restore import restore

SECTION = shipped_section(1)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("EXAM_HOME", str(tmp_path / "home"))
    return start_session(tmp_path / "workspace", Exam(exam="test"), "tf2.21", "cpu")


@pytest.fixture
def place(session: Session) -> Path:
    directory = session.workspace / SECTION.directory
    directory.mkdir()
    return directory


def attempt(session: Session) -> None:
    taken = take(SECTION, session.workspace, session.snapshots)
    with Ledger(session.ledger_path) as ledger:
        payload = {"verdict": "scored", "score": 1, "model": taken.record.as_json()}
        ledger.append_attempt(SECTION.section, payload)


def test_a_model_comes_back(session: Session, place: Path) -> None:
    (place / "model.keras").write_text("first")
    attempt(session)
    (place / "model.keras").write_text("second")
    attempt(session)
    done = restore(session, SECTION, 1)
    assert done.model.read_text() == "first"
    assert done.replaced is not None
    assert (done.replaced / "model.keras").read_text() == "second"
    assert take(SECTION, session.workspace, session.snapshots).record.bytes == len("first")
    assert restore(session, SECTION, 2).model.read_text() == "second"


def test_after_everything_was_deleted(session: Session, place: Path) -> None:
    for name in ("saved_model.pb", "variables/variables.index"):
        (place / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "mine" / name).write_text(name)
    attempt(session)
    graded = take(SECTION, session.workspace, session.snapshots).record
    for path in sorted(place.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    place.rmdir()
    done = restore(session, SECTION, 1)
    assert done.replaced is None
    assert take(SECTION, session.workspace, session.snapshots).record.sha256 == graded.sha256


def test_models_of_other_names_step_aside(session: Session, place: Path) -> None:
    (place / "model.keras").write_text("first")
    attempt(session)
    (place / "model.keras").rename(place / "mine.h5")
    (place / "starter.py").write_text("mine")
    done = restore(session, SECTION, 1)
    assert done.replaced is not None and (done.replaced / "mine.h5").is_file()
    assert {path.name for path in place.iterdir()} == {
        "model.keras", "starter.py", done.replaced.name,
    }  # fmt: skip


def test_there_is_no_such_attempt(session: Session, place: Path) -> None:
    with pytest.raises(ExamError, match="nothing of it was graded"):
        restore(session, SECTION, 1)
    (place / "model.keras").write_text("first")
    attempt(session)
    with pytest.raises(ExamError, match="it has 1 to 1"):
        restore(session, SECTION, 2)
