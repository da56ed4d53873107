"""A wrong file is told wholly: every problem at once, each with its line and a remedy."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exam_cli.config.load import load
from exam_cli.config.section import Section
from exam_cli.config.values import Bounds, Faulty, Length, Like, made, plain
from exam_cli.errors import ExamError
from exam_cli.sections.catalog import load_section, shipped_section

GOOD = shipped_section(1).folder / "section.yaml"


@dataclass(frozen=True, kw_only=True)
class Part:
    colour: Literal["red", "green"]
    size: Annotated[int, Bounds(over=0, most=9)] = 1


@dataclass(frozen=True, kw_only=True)
class Thing:
    place: Path
    name: Annotated[str, Like("[a-z]", "one small letter")]
    weight: float = 1.0
    parts: Annotated[tuple[Part, ...], Length(1)] = (Part(colour="red"),)

    def __post_init__(self) -> None:
        if self.weight > 100:
            raise ValueError("the weight must be 100 at most: take something lighter")


def told(tmp_path: Path, text: str) -> list[tuple[int, str]]:
    """Load a wrong Thing; return (line, words) of each problem."""
    path = tmp_path / "thing.yaml"
    path.write_text(text)
    with pytest.raises(ExamError) as caught:
        load(path, Thing, place=tmp_path)
    first, *lines = str(caught.value).splitlines()
    assert first.startswith(str(path))
    found = [re.fullmatch(r"  line (\d+): (.*)", line) for line in lines]
    assert all(found)
    return [(int(one[1]), one[2]) for one in found if one]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("weight: 2", 1, "`name` is missing: add `name: ...`"),
        ("name: a\nwieght: 2", 2, "`wieght` means nothing here: did you mean `weight`?"),
        ("name: a\nzzz: 2", 2, "`zzz` means nothing here: drop it, or use one of name, parts"),
        ("name: a\n\n# x\nname: b", 4, "`name` stands already in line 1: keep one"),
        ("name: AB", 1, 'must be one small letter, and is "AB"'),
        ("name: 7", 1, "must be text, and YAML reads 7 there: put the text in quotes"),
        ("name: yes", 1, "must be text, and YAML reads true there"),
        ("name: a\nweight: heavy", 2, '`weight` must be a number, and is "heavy"'),
        ("name: a\nweight:", 2, "`weight` must be a number, and is empty"),
        ("name: a\nweight: 101", 2, "the weight must be 100 at most: take something lighter"),
        ("name: a\nparts: []", 2, "`parts` must have at least 1 value, and has 0"),
        ("name: a\nparts: x", 2, "`parts` must be a list"),
        ("name: a\nparts: [x]", 2, "`parts[1]` must be a mapping of names to values"),
        ("name: a\nparts:\n  - colour: gren", 3, "(did you mean green?)"),
        ("name: a\nparts:\n  - colour: red\n    size: 0", 4, "must be more than 0, and is 0"),
        ("name: a\nparts:\n  - colour: red\n    size: 10", 4, "must be at most 9, and is 10"),
        ("name: a\nparts:\n  - colour: red\n  - size: 2", 4, "`parts[2].colour` is missing"),
        ("name: a\nparts:\n  - color: red", 3, "did you mean `colour`?"),
        ("name: a\nparts:\n  - {colour: red, colour: red}", 3, "stands already in line 3"),
        ("name: a\nplace: /etc", 2, "`place` is not for files to say: drop it"),
    ],
)
def test_a_problem_has_its_line_and_a_remedy(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    problems = told(tmp_path, text)
    assert any(at == line and words in said for at, said in problems), problems


def test_all_problems_are_told_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    text = "nam: a\nweight: x\nweight: y\nparts:\n  - colour: blue\n    size: 1.5\n  - size: 2\n"
    lines = [line for line, _ in told(tmp_path, text)]
    assert lines == sorted(lines) and len(lines) == 7


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: [1", "is no YAML: line"),
        (b"a: b: c", "is no YAML: line 1, column 5"),
        (b"\ta: 1", "is no YAML: line 1"),
        (b"a: 2024-13-45", "is no YAML"),
        (b"", "must be a mapping"),
        (b"- a", "must be a mapping"),
        (b"just words", "must be a mapping"),
        (b"a: \xff", "is not text in UTF-8"),
        (b"a: !!python/object:os.system x", "is no YAML"),
    ],
)
def test_what_is_no_file_of_ours(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "thing.yaml"
    path.write_bytes(content)
    with pytest.raises(ExamError, match=re.escape(said)):
        load(path, Thing, place=tmp_path)


def test_a_file_that_is_not_there_or_a_directory(tmp_path: Path) -> None:
    with pytest.raises(ExamError, match=r"There is no thing\.yaml at"):
        load(tmp_path / "thing.yaml", Thing)
    with pytest.raises(ExamError, match="cannot be read"):
        load(tmp_path, Thing)


KEYS = sorted(yaml.safe_load(GOOD.read_text()))


@pytest.mark.parametrize("key", KEYS)
def test_whatever_top_line_of_a_section_is_misspelt_is_found(tmp_path: Path, key: str) -> None:
    text = GOOD.read_text()
    (tmp_path / "section.yaml").write_text(re.sub(rf"^{key}:", f"{key}x:", text, flags=re.M))
    line = [row.split(":")[0] for row in text.splitlines()].index(key) + 1
    with pytest.raises(ExamError, match=f"line {line}: `{key}x` means nothing here"):
        load_section(tmp_path)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(key=st.sampled_from(KEYS), value=values)
def test_any_value_anywhere_is_taken_or_told(tmp_path: Path, key: str, value: object) -> None:
    content = {**yaml.safe_load(GOOD.read_text()), key: value}
    path = tmp_path / "section.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True))
    again = yaml.safe_load(path.read_text())
    try:
        section = made(Section, again, folder=tmp_path)
    except Faulty as error:
        with pytest.raises(ExamError) as caught:
            load_section(tmp_path)
        assert f"{path} has " in str(caught.value)
        assert str(caught.value).count("\n  line ") >= 1, error
    else:
        assert load_section(tmp_path) == section
        kept = {name: one for name, one in plain(section).items() if name != "folder"}
        assert made(Section, json.loads(json.dumps(kept)), folder=tmp_path) == section


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(max_size=40))
def test_no_text_makes_it_fall_over(tmp_path: Path, text: str) -> None:
    path = tmp_path / "thing.yaml"
    path.write_text(text, encoding="utf-8", errors="replace")
    with pytest.raises(ExamError):
        load(path, Thing, place=tmp_path)
