"""What task.md and starter.py tell the candidate is what dataset.py does and section.yaml says."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from exam_cli.authoring.notebook import cells_of
from exam_cli.authoring.static import file_problems
from exam_cli.config.section import Section
from exam_cli.sections.catalog import load_section
from tests.sections_data.conftest import FOLDERS, SECTIONS, load_dataset

# The standard library without what would make two builds differ, numpy, and what draws signs.
UNSTEADY = {"os", "random", "secrets", "socket", "subprocess", "time", "urllib"}
PLAIN = {"numpy"} | (sys.stdlib_module_names - UNSTEADY)
DRAWING = {"3-images": {"resvg_py", "PIL"}}
# What candidates have in the workspace, and beyond that only the standard library.
FOR_SCRIPTS = {"keras", "tensorflow", "numpy", "PIL", "pandas", "sklearn"} | sys.stdlib_module_names

every_folder = pytest.mark.parametrize("folder", FOLDERS)


def numbers(text: str) -> list[float]:
    return [float(number.replace(",", "")) for number in re.findall(r"\d[\d,.]*\d|\d", text)]


def literal(path: Path, name: str) -> object:
    """The value that a script assigns to a name, without running the script."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"{path.name} assigns no {name}")


def section_of(folder: str) -> Section:
    return load_section(SECTIONS / folder)


def scripts_of(folder: str) -> list[Path]:
    return [SECTIONS / folder / f"{rung}.py" for rung in section_of(folder).ladder]


def imported(path: Path) -> set[str]:
    """The top-level names of all that a script imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(), feature_version=(3, 9))):
        if isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
    return names


@every_folder
def test_a_folder_is_named_by_its_section_and_form(folder: str) -> None:
    section = section_of(folder)
    assert folder == section.directory + ("" if section.form == "a" else f"-{section.form}")


@every_folder
def test_files_are_complete_and_say_the_same(folder: str) -> None:
    problems = [one for rule in file_problems(section_of(folder)) for one in rule.problems]
    assert not problems


@every_folder
def test_two_forms_of_a_section_weigh_the_same(folder: str) -> None:
    section = section_of(folder)
    form_a = section_of(section.directory)
    assert (section.weight, section.category) == (form_a.weight, form_a.category)


@every_folder
def test_the_ladder_goes_from_baseline_to_reference(folder: str) -> None:
    ladder = section_of(folder).ladder
    assert (ladder[0], ladder[-1]) == ("baseline", "reference")
    assert {"starter", "typical"} <= set(ladder) and len(set(ladder)) == len(ladder)


@every_folder
def test_dataset_needs_nothing_but_numpy_and_the_standard_library(folder: str) -> None:
    more = DRAWING.get(folder.removesuffix("-b"), set())
    assert imported(SECTIONS / folder / "dataset.py") <= PLAIN | more


@every_folder
def test_scripts_need_nothing_but_what_candidates_have(folder: str) -> None:
    for script in scripts_of(folder):
        assert imported(script) <= FOR_SCRIPTS, script.name


@every_folder
def test_no_script_breaks_the_rules_for_models(folder: str) -> None:
    for script in scripts_of(folder):
        tree = ast.parse(script.read_text())
        classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        bases = [ast.unparse(base) for one in classes for base in one.bases or [one]]
        # How a rate falls while training does not get into the file.
        assert all(base.endswith("schedules.LearningRateSchedule") for base in bases), script.name
        assert not re.search(r"\bLambda\(", script.read_text()), script.name


@every_folder
def test_starter_reads_as_a_notebook(folder: str) -> None:
    text = (SECTIONS / folder / "starter.py").read_text()
    cells = cells_of(text)
    assert 3 <= len(cells) <= 9
    assert {cell.kind for cell in cells} == {"markdown", "code"}
    assert "__name__" not in text, "a notebook has no main"


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
    stated = re.search(r"([\d,]+) glosses that are not in `train.jsonl`", task)
    assert stated is not None
    assert numbers(stated[1]) == [dataset.HIDDEN_EACH * len(dataset.CATEGORIES)]


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
