"""What a folder's files say of themselves: each mistake that an author makes is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from exam_cli.authoring.static import data_problems, file_problems
from exam_cli.sections.catalog import load_section
from exam_cli.sections.vault import DataSet, SectionData, SetName, Tensor


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


def tensor(name: str, *shape: int, dtype: str = "float32") -> Tensor:
    return Tensor({"name": name, "dtype": dtype, "shape": list(shape), "bytes": 0}, Path("x"))


def built(
    inputs: Tensor | None = None, labels: Tensor | None = None, sample: Tensor | None = None
) -> SectionData:
    """What dataset.py of the template makes, with another probe set or sample."""
    sets: dict[SetName, DataSet] = {
        "sample": DataSet("sample", "", 2, (tensor("features", 2, 4),), sample),
        "probe": DataSet(
            "probe", "", 9, (inputs or tensor("features", 9, 4),), labels or tensor("labels", 9, 1)
        ),
        "final": DataSet("final", "", 9, (tensor("features", 9, 4),), tensor("labels", 9, 1)),
    }
    return SectionData({"train.csv": Path("x")}, {}, sets)


def test_data_as_it_was_agreed(folder: Path) -> None:
    assert data_problems(load_section(folder), built()).problems == ()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (built(tensor("features", 9, 5)), "has inputs features (float32 [5]), section.yaml has"),
        (built(tensor("features", 9, 4, dtype="float64")), "(float64 [4])"),
        (built(tensor("table", 9, 4)), "table (float32 [4]), section.yaml has features"),
        (built(tensor("features", 8, 4)), "The probe set has parts of 8 and 9 rows."),
        (built(sample=tensor("labels", 2, 1)), "The sample set must not have labels."),
    ],
)
def test_data_that_is_not(folder: Path, data: SectionData, words: str) -> None:
    assert words in " ".join(data_problems(load_section(folder), data).problems)


def test_a_file_that_the_text_leaves_out(folder: Path) -> None:
    change(folder / "task.md", "train.csv", "the table")
    assert data_problems(load_section(folder), built()).problems == (
        "task.md does not tell of `train.csv`, which the candidate gets.",
    )
