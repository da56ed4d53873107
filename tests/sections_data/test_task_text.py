"""What task.md and starter.py tell the candidate is what dataset.py does and section.yaml says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

from exam_cli.config.section import Section
from tests.sections_data.conftest import SECTIONS, load_dataset

FOLDERS = ("1-regression", "4-nlp")
SCRIPTS = ("starter.py", "reference.py", "baseline.py")


def numbers(text: str) -> list[float]:
    return [float(number.replace(",", "")) for number in re.findall(r"\d[\d,.]*\d|\d", text)]


def literal(path: Path, name: str) -> object:
    """The value that a script assigns to a name, without running the script."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"{path.name} assigns no {name}")


def raw(folder: str) -> dict:
    return yaml.safe_load((SECTIONS / folder / "section.yaml").read_text())


@pytest.mark.parametrize("folder", FOLDERS)
def test_section_yaml_is_valid_and_its_folder_complete(folder: str) -> None:
    section = Section(folder=SECTIONS / folder, **raw(folder))
    assert section.directory == folder
    for name in ("task.md", "dataset.py", *SCRIPTS):
        assert (SECTIONS / folder / name).is_file(), name


@pytest.mark.parametrize("folder", FOLDERS)
def test_task_states_the_bands_of_section_yaml(folder: str) -> None:
    task = (SECTIONS / folder / "task.md").read_text()
    stated = re.findall(r"^\| at (?:most|least) ([\d.,]+) \| (\d) \|$", task, re.MULTILINE)
    bands = {int(score): float(value.replace(",", "")) for value, score in stated}
    assert bands == dict(enumerate(raw(folder)["bands"], 1))


@pytest.mark.parametrize("folder", FOLDERS)
def test_task_states_the_size_limit(folder: str) -> None:
    contract = raw(folder)["contract"]
    assert f"at most {contract['max_megabytes']} MB" in (SECTIONS / folder / "task.md").read_text()


@pytest.mark.parametrize("folder", FOLDERS)
def test_dataset_needs_nothing_but_numpy_and_the_standard_library(folder: str) -> None:
    tree = ast.parse((SECTIONS / folder / "dataset.py").read_text(), feature_version=(3, 9))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
        )
    }
    assert imported <= {
        "__future__", "collections", "csv", "hashlib", "io", "json", "numpy", "re", "string",
        "typing",
    }  # fmt: skip


@pytest.mark.parametrize("script", ["starter.py", "reference.py"])
def test_regression_scripts_use_the_documented_codes(script: str) -> None:
    dataset = load_dataset("1-regression")
    path = SECTIONS / "1-regression" / script
    assert literal(path, "FEATURES") == list(dataset.FEATURES)
    assert literal(path, "CATEGORIES") == {
        name: list(values) for name, values in dataset.CATEGORIES.items()
    }


def test_regression_task_lists_features_and_codes_in_order() -> None:
    dataset = load_dataset("1-regression")
    task = (SECTIONS / "1-regression" / "task.md").read_text()
    assert "| feature | " + " | ".join(f"`{name}`" for name in dataset.FEATURES) + " |" in task
    for name, values in dataset.CATEGORIES.items():
        assert f"| `{name}` | " + " | ".join(values) + " |" in task


def test_nlp_task_lists_the_labels() -> None:
    dataset = load_dataset("4-nlp")
    task = (SECTIONS / "4-nlp" / "task.md").read_text()
    for label, (name, _) in enumerate(dataset.CATEGORIES):
        assert re.search(rf"\| {label} \| {name} \|", task), name
    stated = re.search(r"^- `train.jsonl`: ([\d,]+) glosses of English nouns, ([\d,]+)", task, re.M)
    assert stated is not None
    each = dataset.TRAIN_EACH
    assert numbers(" ".join(stated.groups())) == [each * len(dataset.CATEGORIES), each]


def test_starter_tokenizes_exactly_as_the_grader() -> None:
    numpy = pytest.importorskip("numpy")
    dataset = load_dataset("4-nlp")
    path = SECTIONS / "4-nlp" / "starter.py"
    tree = ast.parse(path.read_text())
    wanted = [
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "tokenize"
    ]
    scope = {"np": numpy, "string": __import__("string"), "TOKENS": literal(path, "TOKENS")}
    exec(compile(ast.Module(wanted, []), str(path), "exec"), scope)  # keras is not needed for it
    texts = ["Man-made, (often) the  DOG's unseen", "the " * 50, "-- . --", "tab\tand 1,000 \u00e9"]
    vocabulary = ["the", "manmade", "dogs", "often", "1000"]
    expected = dataset.inputs([(text, 0) for text in texts], vocabulary)["tokens"]
    assert numpy.array_equal(scope["tokenize"](texts, vocabulary), expected)
