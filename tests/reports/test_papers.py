"""Certificate, statement and handbook: what the PDF files hold, told without the library's help."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace

import pytest

from exam_cli.cli.main import COMMANDS
from exam_cli.config.edition import DEFAULT_EDITION, load_edition
from exam_cli.config.exam import Exam, load_exam
from exam_cli.reports.certificate import certificate
from exam_cli.reports.facts import to_csv
from exam_cli.reports.fonts import Fonts
from exam_cli.reports.handbook import handbook, to_html, to_pdf
from exam_cli.sections.catalog import sections_of
from tests.reports.made import facts, section

EDITION = load_edition(DEFAULT_EDITION)
PLAIN = Fonts()  # those that every viewer has: their text stands in the file as it is


def words_of(pdf: bytes) -> str:
    """Return what is written on the pages, letter by letter."""
    assert pdf.startswith(b"%PDF-") and pdf.rstrip().endswith(b"%%EOF")
    found = []
    for stream in re.findall(rb"stream\n(.*?)\nendstream", pdf, re.DOTALL):
        try:
            content = zlib.decompress(stream)
        except zlib.error:
            continue
        found += re.findall(rb"\(((?:[^()\\]|\\.)*)\)", content)
    return re.sub(r"\\(.)", r"\1", b" ".join(found).decode("latin-1"))


def test_a_pass_is_certified() -> None:
    pdf, notes = certificate(facts(), PLAIN, "ab" * 32)
    words = words_of(pdf)
    for said in (
        "Certificate", "Ada Lovelace", "AUTUMN EXAM", "92.5 points of 100", "What a gloss defines",
        "22 November 2026", "tf2.21 (cpu)", "3f2a 9c41 3f2a 9c41", "abab abab abab abab",
        "20 of 25", "in practice",
    ):  # fmt: skip
        assert said in words, (said, words)
    assert notes == [] and "Statement" not in words
    assert pdf == certificate(facts(), PLAIN, "ab" * 32)[0]
    assert pdf.count(b"/Type /Page\n") == 1 and b"841.89 595.28" in pdf


def test_what_is_no_pass_is_stated() -> None:
    words = words_of(certificate(facts(passed=False, total=40.0), PLAIN, None)[0])
    assert "Statement of result" in words and "40 points" in words
    assert "Certificate" not in words and "Receipt" not in words


@pytest.mark.parametrize("name", ["Ада Лавлейс", "山田太郎", "عمر", "\U0001f600", "x" * 100])
def test_no_name_is_a_reason_to_fail(name: str) -> None:
    pdf, notes = certificate(facts(candidate=name), PLAIN, None)
    assert (name in words_of(pdf)) == name.isascii()
    assert bool(notes) != name.isascii()
    for note in notes:
        assert name in note and note.endswith(".")


def test_many_sections_of_long_titles_stay_on_the_page() -> None:
    many = tuple(section(4, section=n, title="A long title " * 9) for n in range(1, 16))
    words = words_of(certificate(facts(sections=many, candidate=None), PLAIN, None)[0])
    assert "15   A long" in words and "the candidate of session 0123456789ab" in words


@pytest.mark.parametrize("name", ["practice", "mock", "retake"])
def test_the_handbook_says_what_is_examined(name: str) -> None:
    exam = load_exam(name)
    sections = sections_of(exam)
    book = handbook(exam, sections, EDITION, name)
    html = to_html(book)
    for one in sections:
        assert all(skill.replace("'", "&#39;") in html for skill in one.skills)
        assert one.title not in html  # the task is told when the exam begins
    assert ("5 hours" in html) == (exam.duration is not None)
    assert "src=" not in html and "http" not in html
    pdf = to_pdf(book, PLAIN, EDITION)
    words = words_of(pdf)
    assert "At a glance" in words and "When something breaks" in words
    assert pdf == to_pdf(book, PLAIN, EDITION)


def test_the_handbook_names_commands_that_there_are() -> None:
    book = handbook(load_exam("mock"), sections_of(load_exam("mock")), EDITION, "mock")
    typed = " ; ".join(re.findall(r"<code>(.*?)</code>", book.text))
    named = set(re.findall(r"(?:^|; )exam ([a-z]+)", typed))
    assert named <= set(COMMANDS) and {"up", "grade", "submit", "watch", "export"} <= named


def test_the_handbook_tells_the_exam_s_own_rules() -> None:
    exam = Exam(
        exam="x", title="Prüfung 試験", duration="90m", attempts=3, pass_mark=60, counts="best",
        feedback="scores", supervised=True, runtime="runsc",
    )  # fmt: skip
    book = handbook(exam, sections_of(exam), EDITION, "my exam.yaml")
    html = to_html(book)
    for said in ("1 hour 30 minutes", "3 gradings", "60 points", "best", "runsc", "thrown away"):
        assert said in html, said
    assert "試験" in html and "my exam.yaml" in html
    assert "Pr" in words_of(to_pdf(book, PLAIN, EDITION))


def test_the_handbook_says_where_a_gpu_grades() -> None:
    for grade_on in ("cpu", "gpu"):
        exam = Exam(exam="x", grade_on=grade_on)  # type: ignore[arg-type]
        html = to_html(handbook(exam, sections_of(exam), EDITION, "x"))
        assert ("graded on a GPU" in html) == (grade_on == "gpu")
        assert ("every time on the same machine." in html) == (grade_on == "gpu")


def test_the_table_is_for_spreadsheets() -> None:
    rows = to_csv(facts(candidate="=cmd()")).splitlines()
    assert rows[0].startswith("candidate,exam,session") and len(rows) == 2
    assert rows[1].startswith("'=cmd(),test,0123456789ab")
    assert "0.7712,0.7531,0.7909" in rows[1] and rows[1].endswith("92.5,90.0,yes")
    scores = replace(facts("scores"), submitted=None)
    assert "0.77" not in to_csv(scores) and not to_csv(scores).rstrip().endswith("yes")
