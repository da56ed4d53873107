"""exam.yaml: what it may say, and what is said of a wrong one."""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from exam_cli.config.exam import Exam, load_exam
from exam_cli.config.values import Faulty, made, plain
from exam_cli.errors import ExamError, UsageError
from exam_cli.paths import resource
from exam_cli.sections.catalog import find_section, sections_of, shipped_section

SHIPPED = sorted(path.stem for path in resource("sections", "exams").glob("*.yaml"))


def written(directory: Path, **content: Any) -> str:
    path = directory / "exam.yaml"
    path.write_text(yaml.safe_dump({"exam": "mine", **content}))
    return str(path)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_exam_has_sections_whose_weights_make_a_whole(name: str) -> None:
    exam = load_exam(name)
    assert exam.exam == name
    sections = sections_of(exam)
    assert [one.section for one in sections] == sorted({one.section for one in sections})
    assert {one.form for one in sections} == {exam.form}
    weights = [one.weight for one in sections]
    assert weights == sorted(weights), "a later section is harder and weighs more"


def test_practice_has_no_clock_and_the_mock_exam_five_hours() -> None:
    assert load_exam("practice").seconds is None
    assert load_exam("mock").seconds == 5 * 3600


def test_defaults_are_those_of_an_exam_day(tmp_path: Path) -> None:
    exam = load_exam(written(tmp_path))
    assert (exam.seconds, exam.pass_mark, exam.attempts, exam.feedback, exam.counts) == (
        18000, 90, None, "full", "last",
    )  # fmt: skip


@given(hours=st.integers(0, 999), minutes=st.integers(0, 9999))
def test_durations(hours: int, minutes: int) -> None:
    text = (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "")
    if text:
        assert Exam(exam="x", duration=text).seconds == 3600 * hours + 60 * minutes


@pytest.mark.parametrize("wrong", ["", "5", "5 h", "h", "0h", "-1h", "1m1h", "1d"])
def test_other_durations_are_refused(wrong: str) -> None:
    with pytest.raises(Faulty, match="is no duration"):
        made(Exam, {"exam": "x", "duration": wrong})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"pass_mark": 101}, "pass_mark"),
        ({"attempts": 0}, "attempts"),
        ({"feedback": "all"}, "feedback"),
        ({"reveal": True, "feedback": "summary"}, "needs `feedback: full`"),
        ({"seed": "short"}, "seed"),
        ({"sections": []}, "sections"),
        ({"sections": [{"section": 1}, {"section": 1, "form": "b"}]}, "more than once"),
        ({"sections": [{"form": "b"}]}, "either by `section`"),
        ({"sections": [{"folder": "mine", "form": "b"}]}, "leave it out"),
        ({"tries": 3}, "tries"),
    ],
)
def test_a_wrong_exam_says_what_is_wrong(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(ExamError, match=re.escape(said)):
        load_exam(written(tmp_path, **content))


def test_an_exam_that_is_nowhere(tmp_path: Path) -> None:
    with pytest.raises(ExamError, match="mock, practice"):
        load_exam(str(tmp_path / "no.yaml"))
    with pytest.raises(ExamError, match="mock, practice"):
        load_exam("nonsense")


def test_sections_weights_and_forms_are_chosen(tmp_path: Path) -> None:
    exam = load_exam(written(tmp_path, sections=[{"section": 4, "weight": 7}, {"section": 1}]))
    assert [(one.section, one.weight) for one in sections_of(exam)] == [(1, 10), (4, 7)]
    assert find_section(exam, 4).weight == 7
    with pytest.raises(
        UsageError, match=r"no section 2: choose one of 1 \(regression\), 4 \(nlp\)"
    ):
        find_section(exam, 2)


def test_a_folder_of_the_examiners_own(tmp_path: Path) -> None:
    own = yaml.safe_load((shipped_section(1).folder / "section.yaml").read_text())
    own.update(section=6, slug="prices", title="Own prices")
    (tmp_path / "6-prices").mkdir()
    (tmp_path / "6-prices" / "section.yaml").write_text(yaml.safe_dump(own))
    exam = load_exam(written(tmp_path, sections=[{"section": 1}, {"folder": "6-prices"}]))
    assert [one.title for one in sections_of(exam)][1] == "Own prices"
    assert find_section(exam, 6).folder == (tmp_path / "6-prices").resolve()
    again = made(Exam, json.loads(json.dumps(plain(exam))))
    assert again == exam, "a session keeps the exam as JSON"


def test_all_that_is_wrong_with_the_sections_is_said_at_once(tmp_path: Path) -> None:
    chosen = [{"section": 9}, {"section": 1, "form": "z"}, {"folder": "nowhere"}, {"section": 1}]
    exam = load_exam(written(tmp_path, sections=chosen[:3]))
    with pytest.raises(ExamError) as wrong:
        sections_of(exam)
    said = str(wrong.value)
    assert "no section 9" in said and "has no form 'z'" in said and "nowhere" in said
    with pytest.raises(ExamError, match=r"line [0-9]+.*more than once"):
        load_exam(written(tmp_path, sections=chosen))


def test_a_duration_that_is_a_number_is_told_how_to_be_written(tmp_path: Path) -> None:
    with pytest.raises(ExamError, match="60 is no duration: write 5h"):
        load_exam(written(tmp_path, duration=60))


def test_two_sections_of_one_number(tmp_path: Path) -> None:
    exam = load_exam(
        written(tmp_path, sections=[{"section": 1}, {"folder": str(shipped_section(1).folder)}])
    )
    with pytest.raises(ExamError, match="two sections of the number 1"):
        sections_of(exam)


def test_forms_that_do_not_exist() -> None:
    with pytest.raises(UsageError, match="has no form 'z'"):
        shipped_section(1, "z")
    with pytest.raises(UsageError, match="There is no section 99: choose one of 1, "):
        shipped_section(99)


def test_the_exam_in_the_readme_is_one(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    found = re.search(r"^    exam: autumn.*?(?=^\S)", readme, re.MULTILINE | re.DOTALL)
    assert found is not None
    told = yaml.safe_load(textwrap.dedent(found[0]))
    (tmp_path / "exam.yaml").write_text(textwrap.dedent(found[0]))
    exam = load_exam(str(tmp_path / "exam.yaml"))
    assert exam.seed == "kept very secret"
    defaults = {field.name: field.default for field in fields(Exam)}
    assert set(told) == set(defaults) - {"title"}
    for name in set(told) - {"exam", "seed", "sections"}:
        assert getattr(exam, name) == defaults[name], f"{name} stands there as its default"


def test_grading_on_a_gpu_needs_the_engine_s_own_runtime(tmp_path: Path) -> None:
    assert load_exam(written(tmp_path)).grade_on == "cpu"
    assert load_exam(written(tmp_path, grade_on="gpu")).grade_on == "gpu"
    with pytest.raises(ExamError, match="grade_on: gpu"):
        load_exam(written(tmp_path, grade_on="gpu", runtime="runsc"))
    with pytest.raises(ExamError, match="grade_on"):
        load_exam(written(tmp_path, grade_on="tpu"))
