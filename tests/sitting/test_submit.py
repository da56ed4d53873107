"""The end of an exam, as far as it needs no engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import pytest

from exam_cli.config.exam import Exam
from exam_cli.errors import EngineUnreachable, ExamError
from exam_cli.progress import SILENT
from exam_cli.sections.catalog import shipped_section
from exam_cli.session.ledger import Ledger
from exam_cli.session.session import Session, start_session
from exam_cli.sitting.rules import attempting
from exam_cli.sitting.submit import result, standing, submit

MODEL = {"path": "1-regression/model.keras", "sha256": "0" * 64, "bytes": 1, "format": "keras"}
SCORED = {"verdict": "scored", "score": 4, "metric": {"value": 400.0}, "model": MODEL}
REJECTED = {"verdict": "rejected", "score": 0, "metric": None, "model": MODEL}


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("EXAM_HOME", str(tmp_path / "home"))
    return start_session(tmp_path / "workspace", Exam(exam="test"), "tf2.21", "cpu")


def attempts(session: Session, *payloads: Any) -> None:
    with Ledger(session.ledger_path) as ledger:
        for payload in payloads:
            ledger.append_attempt(1, payload)


def no_engine() -> NoReturn:
    raise EngineUnreachable("No container engine answers.")


def test_nothing_was_graded(session: Session) -> None:
    with pytest.raises(ExamError, match="nothing to submit"):
        submit(session, no_engine, SILENT)
    assert result(session) is None


def test_a_rejected_model_takes_nothing_away(session: Session) -> None:
    attempts(session, SCORED, REJECTED)
    first = standing(session)[0].attempt
    assert first is not None and first["attempt"] == 1


def test_only_rejected_models(session: Session) -> None:
    attempts(session, REJECTED)
    with pytest.raises(ExamError, match="nothing to submit"):
        submit(session, no_engine, SILENT)


def test_an_exam_ends_once(session: Session) -> None:
    with Ledger(session.ledger_path) as ledger:
        ledger.append("submitted", {"total": 80})
    again = submit(session, no_engine, SILENT)
    assert again.content == {"total": 80} and not again.fresh
    with Ledger(session.ledger_path) as ledger:
        assert len(ledger.events("submitted")) == 1
    with (
        pytest.raises(ExamError, match="has been submitted"),
        attempting(shipped_section(1), session),
    ):
        raise AssertionError("let through")


def test_without_an_engine_nothing_is_submitted(session: Session) -> None:
    attempts(session, SCORED)
    session.snapshots.mkdir()
    (session.snapshots / f"{'0' * 64}.keras").write_bytes(b"x")
    with pytest.raises(ExamError):
        submit(session, no_engine, SILENT)
    assert result(session) is None
