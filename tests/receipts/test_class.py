"""Receipts of a class: one a grade, made from the examiner's book and compared with it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from exam_cli.cohort.book import Book
from exam_cli.cohort.candidates import Candidate, Roll
from exam_cli.cohort.grade import Graded
from exam_cli.cohort.receipts import write_receipts
from exam_cli.config.exam import Exam
from exam_cli.progress import SILENT
from exam_cli.sitting.verify import verify
from tests.receipts.conftest import Sit
from tests.receipts.test_issue import told
from tests.receipts.test_verify import no_engine, wrong


@pytest.fixture
def out(sit: Sit, tmp_path: Path) -> Path:
    """The results of a class of two: one handed a model in, one nothing."""
    sitting = sit(feedback="scores")
    sitting.grade()
    place = tmp_path / "results"
    place.mkdir()
    grade = dict(sitting.rows()[-1].payload)
    with closing(Book(place / "grades.jsonl", "context")) as book:
        lines = {
            ("ann", 1): book.write("ann", 1, grade["model"]["sha256"], {**grade, "attempt": None}),
            ("bob", 1): book.write("bob", 1, None, {"verdict": "rejected", "model": None}),
        }
    candidates = tuple(Candidate(name, place) for name in ("ann", "bob"))
    exam = Exam(exam="test")
    graded = Graded(exam, (sitting.section,), Roll(candidates, ()), lines, 1, 1)
    write_receipts(graded, place)
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*.json")}
    write_receipts(replace(graded, fresh=0), place)
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*.json")} == before
    return place


def test_who_handed_in_has_one(out: Path) -> None:
    (receipt,) = (out / "receipts").rglob("*.json")
    assert receipt == out / "receipts" / "ann" / "1-regression.json"
    said = told(receipt)["predicate"]
    assert (said["candidate"], said["verdict"], said["metric"]) == ("ann", "scored", None)
    assert said["withheld"] == ["metric", "predictions_sha256"]


def test_it_is_compared_with_the_book(out: Path) -> None:
    receipt = out / "receipts" / "ann" / "1-regression.json"
    found = verify(receipt, None, True, no_engine, SILENT)
    assert found.good and found.kind == "class" and "says the same" in found.findings[1].text
    book = out / "grades.jsonl"
    book.write_text(book.read_text().replace('"score": 5', '"score": 4'))
    assert "no line of" in wrong(verify(receipt, None, True, no_engine, SILENT))["book"]
    book.write_text("no JSON\n[]\n{}\n")
    assert "no line of" in wrong(verify(receipt, None, True, no_engine, SILENT))["book"]
    book.unlink()
    found = verify(receipt, None, True, no_engine, SILENT)
    assert found.good and "not beside it" in found.findings[1].text
