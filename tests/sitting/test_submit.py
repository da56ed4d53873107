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


def test_a_section_whose_last_model_was_rejected_counts_nothing(session: Session) -> None:
    attempts(session, SCORED, REJECTED)
    first = standing(session)[0].attempt
    assert first is not None and first["attempt"] == 2
    done = submit(session, no_engine, SILENT)  # there is no model to grade, so no engine is needed
    assert done.fresh and done.content["total"] == 0 and not done.content["passed"]
    assert [one["score"] for one in done.content["sections"]] == [0] * len(standing(session))


def test_an_exam_ends_once(session: Session) -> None:
    attempts(session, REJECTED)
    first = submit(session, no_engine, SILENT)
    again = submit(session, no_engine, SILENT)
    assert again.content == first.content and not again.fresh
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
