"""Kept models take no more room than the exam allows, and nothing that matters is dropped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exam_cli.config.exam import Exam
from exam_cli.errors import ExamError
from exam_cli.grading.intake import take
from exam_cli.grading.kept import kept_models
from exam_cli.sections.catalog import shipped_section
from exam_cli.session.ledger import Ledger
from exam_cli.session.session import Session, start_session
from exam_cli.sitting import leftovers, storage
from exam_cli.sitting.restore import restore

SECTION = shipped_section(1)  # lower is better
KB = 1000


def session_of(tmp_path: Path, kilobytes: float, **rules: Any) -> Session:
    exam = Exam(exam="test", keep_gigabytes=kilobytes * KB / 1e9, **rules)
    session = start_session(tmp_path / "workspace", exam, "tf2.21", "cpu")
    (session.workspace / SECTION.directory).mkdir()
    return session


def graded(session: Session, word: str, score: int = 3, verdict: str = "scored") -> str:
    """Grade a model of 1 KB; return what its copy is called."""
    (session.workspace / SECTION.directory / "model.keras").write_text(word * (KB // len(word)))
    record = take(SECTION, session.workspace, session.snapshots).record
    metric = {"value": 1000.0 - 100 * score} if verdict == "scored" else None
    payload = {"verdict": verdict, "score": score, "metric": metric, "model": record.as_json()}
    with Ledger(session.ledger_path) as ledger:
        ledger.append_attempt(1, payload)
    return f"{record.sha256}.keras"


def test_the_oldest_go_and_the_ledger_says_so(tmp_path: Path) -> None:
    session = session_of(tmp_path, 3.5)
    first, best, third, last = (
        graded(session, word, score) for word, score in (("aa", 1), ("bb", 5), ("cc", 2), ("dd", 3))
    )
    said = storage.make_room(session)
    assert set(kept_models(session.snapshots)) == {best, third, last}
    assert said[0] == "Dropped the kept models of section 1 attempt 1." and "keep_gig" in said[1]
    with Ledger(session.ledger_path) as ledger:
        (row,) = ledger.events(storage.DROPPED)
        assert ledger.problems() == []
    assert row.payload["attempts"] == [[1, 1]] and f"{row.payload['sha256']}.keras" == first
    with pytest.raises(ExamError, match=r"attempt 1 was dropped on .* \(row 5 of the ledger\)"):
        restore(session, SECTION, 1)
    assert restore(session, SECTION, 2).model.read_text().startswith("bb")


@pytest.mark.parametrize("counts", ["last", "best"])
def test_what_counts_is_never_dropped(tmp_path: Path, counts: str) -> None:
    session = session_of(tmp_path, 0.5, counts=counts)
    best = graded(session, "aa", 5)
    graded(session, "bb", 1)
    scored = graded(session, "cc", 2)
    graded(session, "dd", 0, "rejected")
    last = graded(session, "ee", 0, "rejected")
    storage.make_room(session)
    # Where the last one counts, that is the last scored one.
    expected = {best, last} | ({scored} if counts == "last" else set())
    assert set(kept_models(session.snapshots)) == expected
    assert "Kept models take" in storage.make_room(session)[0], "it stays too much, and is said"


def test_it_is_announced_before_anything_goes(tmp_path: Path) -> None:
    session = session_of(tmp_path, 2.3)
    graded(session, "aa")
    assert storage.make_room(session) == []
    graded(session, "bb")
    (said,) = storage.make_room(session)
    assert "2e-06 GB of the 2.3e-06 GB" in said
    assert len(kept_models(session.snapshots)) == 2


def test_one_model_of_many_attempts_goes_by_the_last_of_them(tmp_path: Path) -> None:
    session = session_of(tmp_path, 3.5)
    again = graded(session, "aa", 1)
    older = graded(session, "bb", 1)
    best = graded(session, "cc", 5)
    assert graded(session, "aa", 1) == again
    last = graded(session, "dd", 1)
    storage.make_room(session)
    assert set(kept_models(session.snapshots)) == {again, best, last}
    assert older not in kept_models(session.snapshots)


def test_a_dropped_model_that_is_graded_again_is_kept_again(tmp_path: Path) -> None:
    session = session_of(tmp_path, 2.5)
    first = graded(session, "aa", 1)
    graded(session, "bb", 5)
    graded(session, "cc", 2)
    storage.make_room(session)
    assert first not in kept_models(session.snapshots)
    assert graded(session, "aa", 1) == first
    assert restore(session, SECTION, 1).model.read_text().startswith("aa")


def test_nothing_is_dropped_while_a_grade_runs(tmp_path: Path) -> None:
    session = session_of(tmp_path, 2.5)
    for word in ("aa", "bb", "cc"):
        graded(session, word)
    with leftovers.grading(session):
        storage.make_room(session)
        assert len(kept_models(session.snapshots)) == 3
    storage.make_room(session)
    assert len(kept_models(session.snapshots)) == 2


def test_what_is_being_graded_is_not_dropped(tmp_path: Path) -> None:
    session = session_of(tmp_path, 1.5)
    graded(session, "aa")
    (session.workspace / SECTION.directory / "model.keras").write_text("new" * 400)
    new = take(SECTION, session.workspace, session.snapshots).record
    storage.make_room(session)
    assert f"{new.sha256}.keras" in kept_models(session.snapshots)


def test_a_savedmodel_goes_whole(tmp_path: Path) -> None:
    session = session_of(tmp_path, 2.2)
    place = session.workspace / SECTION.directory
    (place / "mine").mkdir()
    (place / "mine" / "saved_model.pb").write_text("x" * KB)
    record = take(SECTION, session.workspace, session.snapshots).record
    with Ledger(session.ledger_path) as ledger:
        payload = {"verdict": "rejected", "score": 0, "metric": None, "model": record.as_json()}
        ledger.append_attempt(1, payload)
    (place / "mine" / "saved_model.pb").unlink()
    (place / "mine").rmdir()
    graded(session, "aa", 5)
    last = graded(session, "bb", 1)
    storage.make_room(session)
    assert last in kept_models(session.snapshots) and len(kept_models(session.snapshots)) == 2
    assert not list(session.snapshots.glob(".part-*"))
