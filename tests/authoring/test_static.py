"""What a folder's files say of themselves: each mistake that an author makes is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from exam_cli.authoring.static import file_problems
from exam_cli.sections.catalog import load_section


def told(folder: Path) -> str:
    return " ".join(text for one in file_problems(load_section(folder)) for text in one.problems)


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_new_section_has_no_problem(folder: Path) -> None:
    assert told(folder) == ""


@pytest.mark.parametrize("name", ["task.md", "starter.ipynb", "improved.py", "starter.py"])
def test_a_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert told(folder) == f"There is no {name}."


def test_a_missing_metric_of_ones_own(folder: Path) -> None:
    change(folder / "section.yaml", "name: mae", "name: own\n  file: metric.py")
    assert told(folder) == "There is no metric.py."


def test_bands_that_differ(folder: Path) -> None:
    change(folder / "section.yaml", "bands: [25,", "bands: [30,")
    assert "task.md says 1: 25, 2: 10" in told(folder) and "section.yaml 1: 30" in told(folder)


def test_bands_that_are_not_told(folder: Path) -> None:
    change(folder / "task.md", "| at most ", "| less than ")
    assert "task.md says no bands" in told(folder)


def test_bands_of_the_wrong_direction(folder: Path) -> None:
    change(folder / "task.md", "| at most ", "| at least ")
    assert "must say `at most`" in told(folder)


def test_a_limit_that_is_not_told(folder: Path) -> None:
    change(folder / "task.md", "at most 20 MB", "not large")
    assert "does not say `at most 20 MB`" in told(folder)


def test_a_notebook_out_of_date(folder: Path) -> None:
    with (folder / "starter.py").open("a") as script:
        script.write("\nprint(1)\n")
    assert "starter.ipynb is not that of starter.py" in told(folder)
