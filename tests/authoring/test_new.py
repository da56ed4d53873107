"""A new section's folder is complete from the first minute, whatever it is called."""

from __future__ import annotations

import ast
import importlib.util
import re
import string
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exam_cli.authoring.new import kinds, new_section
from exam_cli.authoring.static import file_problems
from exam_cli.errors import ExamError, UsageError
from exam_cli.sections.catalog import load_section

every_kind = pytest.mark.parametrize("kind", kinds())


def dataset_of(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("dataset", folder / "dataset.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_are_kinds() -> None:
    assert {"regression", "classification"} <= set(kinds())


@every_kind
def test_files_are_complete_and_say_the_same(tmp_path: Path, kind: str) -> None:
    folder = new_section("My task", 12, kind, tmp_path)
    assert folder == tmp_path / "12-my-task"
    section = load_section(folder)
    assert (section.section, section.slug, section.title) == (12, "my-task", "My task")
    assert [one.problems for one in file_problems(section) if one.problems] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["12-my-task"]


@every_kind
def test_nothing_is_left_to_fill_in(tmp_path: Path, kind: str) -> None:
    for path in new_section("x", 6, kind, tmp_path).iterdir():
        text = path.read_text()
        assert not re.search(r"@[A-Z]+@|TODO|FIXME", text), path.name
        if path.suffix == ".py":
            ast.parse(text, feature_version=(3, 9))


@every_kind
def test_data_are_fresh_and_the_same_for_one_seed(tmp_path: Path, kind: str) -> None:
    folder = new_section("x", 6, kind, tmp_path)
    section, dataset = load_section(folder), dataset_of(folder)
    one, again = (dataset.build({}, bytes(32)) for _ in range(2))
    other = dataset.build({}, bytes(range(32)))
    assert one["train"] == again["train"] and one["train"] != other["train"]
    (form,) = section.contract.inputs
    rows = []
    for which in ("probe", "final"):
        inputs, labels = one[which]["inputs"][form.name], one[which]["labels"]
        assert inputs.dtype == form.dtype and inputs.shape == (len(labels), *form.shape)
        assert np.array_equal(inputs, again[which]["inputs"][form.name])
        assert not np.array_equal(inputs, other[which]["inputs"][form.name])
        rows += [row.tobytes() for row in inputs]
    table = [line.rsplit(",", 1)[0] for line in one["train"]["train.csv"].decode().splitlines()]
    rows += [np.array(line.split(","), np.float32).tobytes() for line in table[1:]]
    assert len(set(rows)) == len(rows)


@every_kind
def test_shuffling_keeps_the_labels_and_moves_them(tmp_path: Path, kind: str) -> None:
    dataset = dataset_of(new_section("x", 6, kind, tmp_path))
    train = dataset.build({}, bytes(32))["train"]

    def columns(files: dict[str, bytes]) -> tuple[list[str], list[str]]:
        pairs = [line.rsplit(",", 1) for line in files["train.csv"].decode().splitlines()]
        return [pair[0] for pair in pairs], [pair[1] for pair in pairs]

    (rows, labels), (same_rows, dealt) = (
        columns(train),
        columns(dataset.shuffle_labels(train, b"s")),
    )
    assert rows == same_rows and sorted(labels) == sorted(dealt)
    assert sum(a == b for a, b in zip(labels, dealt, strict=True)) < 0.4 * len(labels)


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    folder = new_section("x", 6, "regression", tmp_path)
    (folder / "task.md").write_text("mine")
    with pytest.raises(ExamError, match="is there already"):
        new_section("x", 6, "regression", tmp_path)
    assert (folder / "task.md").read_text() == "mine"


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.text(string.ascii_letters + string.digits + " -:#'\"{}[]%&*!|>\\\n\u00e9", max_size=45)
)
def test_any_name_makes_a_section_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    into = tmp_path_factory.mktemp("into")
    try:
        folder = new_section(name, 6, "regression", into)
    except UsageError:
        assert list(into.iterdir()) == []
    else:
        said = yaml.safe_load((folder / "section.yaml").read_text())
        assert said["title"].lower().split() and folder.name == f"6-{said['slug']}"
        ast.parse((folder / "dataset.py").read_text())
