"""The examiner's book, and the table that is made of it."""

from __future__ import annotations

import csv
import io
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_cli.cohort.book import Book
from exam_cli.cohort.candidates import Candidate, Roll
from exam_cli.cohort.grade import Graded, workers_for
from exam_cli.cohort.page import page
from exam_cli.cohort.results import notes, rows_of, to_csv, to_json
from exam_cli.config.exam import Exam
from exam_cli.engine.fake import FakeEngine
from exam_cli.errors import ExamError
from exam_cli.sections.catalog import shipped_section

SECTIONS = (shipped_section(1), shipped_section(4))


def line(score: int | None, model: str | None = None, **more: Any) -> dict[str, Any]:
    verdict = "failed" if score is None else "scored" if score else "rejected"
    metric = {"name": "m", "value": 1.5, "borderline": False} if score else None
    return {
        "verdict": verdict, "score": score, "metric": metric, "model_sha256": model,
        "reason": None if score else "no_model", "message": "said", **more,
    }  # fmt: skip


def graded(lines: dict[str, tuple[dict[str, Any], dict[str, Any]]]) -> Graded:
    return Graded(
        Exam(exam="test", pass_mark=50),
        SECTIONS,
        Roll(tuple(Candidate(name, Path(name)) for name in lines), ("stray.txt",)),
        {(name, number): one for name, two in lines.items() for number, one in zip((1, 4), two)},  # noqa: B905
        fresh=0,
        workers=1,
    )


CLASS = graded(
    {
        "ann": (line(5, "a", predictions_sha256="p"), line(5, "b")),
        "bob": (line(5, "a", predictions_sha256="p"), line(0)),
        "eve": (line(5, "c", predictions_sha256="p"), line(0)),
        "=cmd()": (line(0), line(None, "d")),
    }
)


def test_totals_and_who_passed() -> None:
    rows = {row.candidate: row for row in rows_of(CLASS)}
    share = 100 * SECTIONS[0].weight / sum(one.weight for one in SECTIONS)
    assert rows["ann"].total == 100 and rows["ann"].passed
    assert rows["bob"].total == pytest.approx(share, abs=1e-3) and not rows["bob"].passed
    assert rows["=cmd()"].total is None and not rows["=cmd()"].passed


def test_ties_and_the_same_work_are_marked() -> None:
    rows = {row.candidate: row for row in rows_of(CLASS)}
    assert rows["bob"].tied_with == ("eve",) and rows["ann"].tied_with == ()
    assert rows["bob"].same_model == {1: ("ann",)}
    assert rows["eve"].same_model == {} and rows["eve"].same_predictions == {1: ("ann", "bob")}
    assert notes(rows["bob"]) == [
        "as many points as eve",
        "section 1: the same model as ann",
        "section 1: the same predictions as eve",
    ]


def test_borderline_grades_are_marked() -> None:
    near = line(3, "a")
    near["metric"]["borderline"] = True
    (row,) = rows_of(graded({"ann": (line(0), near)}))
    assert row.borderline == (4,) and "section 4 is borderline" in notes(row)


def test_no_cell_is_a_formula() -> None:
    table = list(csv.reader(io.StringIO(to_csv(CLASS, rows_of(CLASS)))))
    assert table[0][:3] == ["candidate", "total", "passed"] and len(table) == 5
    assert table[4][0] == "'=cmd()"
    assert {len(row) for row in table} == {len(table[0])}


def test_the_environment_is_told() -> None:
    made_in = {"digest": "sha256:aa", "lock_sha256": "bb"}
    told = graded({"ann": (line(5, environment=made_in), line(3, environment=made_in))})
    rows = rows_of(told)
    table = list(csv.reader(io.StringIO(to_csv(told, rows))))
    assert table[0][-1] == "environment" and table[1][-1] == "sha256:aa"
    assert "sha256:aa" in page(told, rows)
    assert (
        json.loads(to_json(told, rows))["candidates"][0]["sections"]["1"]["environment"] == made_in
    )


def test_json_has_all() -> None:
    told = json.loads(to_json(CLASS, rows_of(CLASS)))
    assert [one["candidate"] for one in told["candidates"]] == ["ann", "bob", "eve", "=cmd()"]
    assert told["candidates"][0]["sections"]["4"]["score"] == 5


def test_the_page_shows_what_strangers_wrote_as_text() -> None:
    evil = "<script>alert(1)</script>"
    one = graded({evil: (line(0, message=evil), line(5, "a"))})
    html = page(one, rows_of(one))
    assert "<script" not in html and "&lt;script&gt;" in html
    assert "http" not in html, "the page needs nothing beside itself"


@given(cut=st.integers(0, 400), many=st.integers(1, 4))
def test_a_cut_off_book_loses_its_last_line_only(
    cut: int, many: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("book") / "grades.jsonl"
    with closing(Book(path, "c")) as book:
        for number in range(many):
            book.write("ann", number, f"sha{number}", {"score": number})
    whole = path.read_bytes()
    kept = whole[: max(0, len(whole) - cut)]
    path.write_bytes(kept)
    with closing(Book(path, "c")) as book:
        for number in range(many):
            found = book.find("ann", number, f"sha{number}")
            assert (found is not None) == (number < kept.count(b"\n"))
        book.write("bob", 1, None, {"score": 0})
    with closing(Book(path, "c")) as book:
        assert book.find("bob", 1, None) is not None
        assert (book.find("ann", 0, "sha0") is not None) == (kept.count(b"\n") > 0)


def test_other_models_and_other_exams_are_graded_anew(tmp_path: Path) -> None:
    with closing(Book(tmp_path / "b", "exam one")) as book:
        book.write("ann", 1, "sha", {"score": 3})
        assert book.find("ann", 1, "other") is None and book.find("bob", 1, "sha") is None
    with closing(Book(tmp_path / "b", "exam two")) as book:
        assert book.find("ann", 1, "sha") is None


def test_workers_fit_the_machine() -> None:
    engine = FakeEngine()  # two cores, 8 GB
    assert workers_for(engine, SECTIONS, None) == 1
    with pytest.raises(ExamError, match="take fewer --workers"):
        workers_for(engine, SECTIONS, 9)
