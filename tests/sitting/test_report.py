"""Reports of a session as they are made and kept, as far as that needs no engine."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from exam_cli.config.exam import Exam
from exam_cli.errors import EngineUnreachable, ExamError
from exam_cli.grading import predictions
from exam_cli.session.ledger import Ledger
from exam_cli.session.session import Session, start_session
from exam_cli.sitting.report import is_made, make, report
from exam_cli.sitting.submit import proper_name

CONTENT = b"a model"
MODEL = {
    "path": "1-regression/model.keras",
    "sha256": hashlib.sha256(CONTENT).hexdigest(),
    "bytes": len(CONTENT),
    "format": "keras",
}
METRIC = {"name": "mae", "value": 424.2, "next_band": None, "noise": 9.0, "borderline": False}
SCORED = {
    "verdict": "scored", "reason": None, "message": "Scored 4 of 5; 5 needs mae at most 385.",
    "score": 4, "metric": METRIC, "model": MODEL,
}  # fmt: skip


def session_of(tmp_path: Path, **rules: Any) -> Session:
    found = start_session(tmp_path / "workspace", Exam(exam="test", **rules), "tf2.21", "cpu")
    found.snapshots.mkdir()
    (found.snapshots / f"{MODEL['sha256']}.keras").write_bytes(CONTENT)
    with Ledger(found.ledger_path) as ledger:
        ledger.append("started", {})
        ledger.append_attempt(1, SCORED)
    return found


def submitted(session: Session) -> Session:
    """End the exam with what a submission writes."""
    grade = {**SCORED, "told": "Scored 4 of 5.", "predictions_sha256": "0" * 64}
    one = {"section": 1, "slug": "regression", "title": "Diamond prices", "form": "a"}
    section = {**one, "weight": 10.0, "attempt": 1, "score": 4, "grade": grade}
    none = {"section": 2, "slug": "classification", "title": "Clothing", "form": "a"}
    second = {**none, "weight": 15.0, "attempt": None, "score": 0, "grade": None}
    content = {"exam": "test", "recipient": {"name": "Ada"}, "total": 32.0, "pass_mark": 90.0}
    more = {"passed": False, "official": False, "sections": [section, second]}
    with Ledger(session.ledger_path) as ledger:
        ledger.append("submitted", {**content, **more})
    return session


def no_engine() -> NoReturn:
    raise EngineUnreachable("No container engine answers.")


def test_before_the_end_there_is_a_report_and_no_certificate(tmp_path: Path) -> None:
    session = session_of(tmp_path)
    made = make(session, no_engine)
    assert made.names == ("report.html",) and made.shown == session.workspace / "result"
    text = (made.shown / "report.html").read_text()
    assert "Practice report" in text and "424.2" in text and not is_made(session)


def test_after_it_there_is_all_that_a_candidate_gets(tmp_path: Path) -> None:
    session = submitted(session_of(tmp_path))
    (session.directory / "receipts").mkdir()
    (session.directory / "receipts" / "0003-submission.json").write_text("{}")
    made = make(session, no_engine)
    assert is_made(session) and made.facts.candidate == "Ada"
    report_html, paper, data, archive = made.names
    assert (report_html, paper, data) == ("report.html", "statement.pdf", "result.json")
    for name in made.names:
        assert (made.shown / name).read_bytes() == (made.directory / name).read_bytes()
    told = json.loads((made.shown / data).read_text())
    assert told["total"] == 32 and told["passed"] is False and told["candidate"] == "Ada"
    assert [one["score"] for one in told["sections"]] == [4, 0]
    with zipfile.ZipFile(made.shown / archive) as package:
        assert set(package.namelist()) == {
            "1-regression/model.keras", "record/ledger.jsonl",
            "record/receipts/0003-submission.json",
            "result/report.html", "result/statement.pdf", "result/result.json",
        }  # fmt: skip
        assert package.read("1-regression/model.keras") == CONTENT
        seed = session.seed.hex()
        assert all(seed not in package.read(name).decode("latin-1") for name in package.namelist())


def test_it_can_be_made_again_and_changes_nothing_that_counts(tmp_path: Path) -> None:
    session = submitted(session_of(tmp_path))
    first = make(session, no_engine)
    before = {name: (first.directory / name).read_bytes() for name in first.names}
    again = make(session, no_engine)
    assert {name: (again.directory / name).read_bytes() for name in again.names} == before
    with Ledger(session.ledger_path) as ledger:
        assert len(ledger.events()) == 3 and ledger.problems() == []


@pytest.mark.parametrize("feedback", ["scores", "summary", "full"])
def test_no_file_tells_more_than_the_exam_does(tmp_path: Path, feedback: Any) -> None:
    session = submitted(session_of(tmp_path, feedback=feedback))
    made = make(session, no_engine)
    with zipfile.ZipFile(made.directory / made.names[-1]) as package:
        everything = b"".join(package.read(name) for name in package.namelist())
    everything += (made.directory / "report.html").read_bytes()
    assert (b"424.2" in everything) == (feedback != "scores")
    assert (b"5 needs mae" in everything) == (feedback == "full")


def test_a_workspace_that_is_a_trap_is_left_alone(tmp_path: Path) -> None:
    session = submitted(session_of(tmp_path))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (session.workspace / "result").symlink_to(elsewhere)
    made = make(session, no_engine)
    assert list(elsewhere.iterdir()) == []
    assert made.shown == made.directory and any("in the way" in note for note in made.notes)
    (session.workspace / "result").unlink()
    (session.workspace / "result").mkdir()
    (session.workspace / "result" / "report.html").symlink_to(elsewhere / "x")
    make(session, no_engine)
    assert list(elsewhere.iterdir()) == []
    assert not (session.workspace / "result" / "report.html").is_symlink()


def test_a_model_that_is_gone_is_told(tmp_path: Path) -> None:
    session = submitted(session_of(tmp_path))
    for path in session.snapshots.iterdir():
        path.unlink()
    made = make(session, no_engine)
    assert any("gone" in note for note in made.notes)
    with zipfile.ZipFile(made.directory / made.names[-1]) as package:
        assert "result/report.html" in package.namelist()
        assert "1-regression/model.keras" not in package.namelist()


def test_without_an_engine_pictures_are_missing_and_it_says_so(tmp_path: Path) -> None:
    session = session_of(tmp_path)
    sha256 = hashlib.sha256(b"1234").hexdigest()
    predictions.keep(session.directory, sha256, b"1234")
    assert predictions.kept(session.directory, sha256) == b"1234"
    next((session.directory / "predictions").iterdir()).write_bytes(b"12345")
    assert predictions.kept(session.directory, sha256) is None
    facts, notes = report(replace(session), no_engine)
    assert notes == [] and facts.sections[0].study is None  # nothing was kept, nothing to look at


def test_names_are_as_people_write_them() -> None:
    assert proper_name("  Ada \n Lovelace ") == "Ada Lovelace"
    assert (
        proper_name("") is None and proper_name(None) is None and proper_name(" \x00\u202e") is None
    )
    assert proper_name("e\u0301") == "é"
    with pytest.raises(ExamError, match="shorten"):
        proper_name("x" * 101)
