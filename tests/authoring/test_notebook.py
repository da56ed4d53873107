"""A notebook has its script's cells, is made the same every time, and is in step everywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exam_cli.authoring.notebook import Cell, cells_of, is_in_step, notebook_of, write_notebook
from exam_cli.errors import ExamError
from exam_cli.paths import resource

SCRIPT = '''"""A first model.

It runs as it is.
"""

# %%
import keras


x = 1

# %% [markdown]
# # A heading
#
# Words.

# %%
print(x)
'''


def test_cells() -> None:
    assert cells_of(SCRIPT) == [
        Cell("markdown", "A first model.\n\nIt runs as it is."),
        Cell("code", "import keras\n\n\nx = 1"),
        Cell("markdown", "# A heading\n\nWords."),
        Cell("code", "print(x)"),
    ]


def test_code_above_the_first_mark_is_a_cell() -> None:
    assert cells_of("import os\n# %%\nx = 1\n")[0] == Cell("code", "import os")


def test_a_text_cell_with_code_in_it_is_told_with_its_line() -> None:
    with pytest.raises(ExamError, match=r"Line 3 of starter\.py"):
        cells_of("# %% [markdown]\n# Words.\nx = 1\n")


def test_the_notebook_is_what_jupyter_expects() -> None:
    notebook = json.loads(notebook_of(SCRIPT))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids) == 4
    for cell in notebook["cells"]:
        assert ("outputs" in cell) == (cell["cell_type"] == "code")
        assert all(line.endswith("\n") for line in cell["source"][:-1])


lines = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=20)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["markdown", "code"]), st.lists(lines, max_size=4))))
def test_cells_come_back_from_the_notebook(blocks: list[tuple[str, list[str]]]) -> None:
    text = "# %%\n"
    for kind, inside in blocks:
        if kind == "markdown":
            text += "# %% [markdown]\n" + "".join(f"# {line}\n" for line in inside)
        else:
            text += "# %%\n" + "".join(f"x{line}\n" for line in inside)
    notebook = json.loads(notebook_of(text))
    back = [Cell(cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]]
    assert back == cells_of(text)
    assert all(cell.text.strip() for cell in back)


def test_writing_tells_whether_it_changed(tmp_path: Path) -> None:
    (tmp_path / "starter.py").write_text(SCRIPT)
    assert write_notebook(tmp_path) is True
    assert is_in_step(tmp_path)
    assert write_notebook(tmp_path) is False
    (tmp_path / "starter.py").write_text(SCRIPT + "print(2)\n")
    assert not is_in_step(tmp_path)


def test_a_folder_without_a_script(tmp_path: Path) -> None:
    with pytest.raises(ExamError, match=r"There is no starter\.py"):
        write_notebook(tmp_path)


NOTEBOOKS = sorted(path.parent for path in resource("sections").glob("*-*/starter.ipynb"))


@pytest.mark.parametrize("folder", NOTEBOOKS, ids=lambda folder: folder.name)
def test_the_sections_notebooks_are_in_step(folder: Path) -> None:
    assert is_in_step(folder), f"run `exam author notebook {folder}`"
