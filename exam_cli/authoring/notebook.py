"""`starter.ipynb` from `starter.py`: one text, two ways to open it.

Cells are marked as editors and jupytext do: `# %%` begins a code cell, `# %% [markdown]` one of
text, whose lines begin with `# `. The notebook is nbformat 4.5 (JSON) with ids that depend on the
cell's place alone and without outputs: the same script always gives the same bytes.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from exam_cli.errors import ExamError
from exam_cli.files import write_file

SCRIPT, NOTEBOOK = "starter.py", "starter.ipynb"

_MARK = re.compile(r"# %%\s*(\[markdown\])?\s*")


@dataclass(frozen=True)
class Cell:
    """One cell and its text, without blank lines around it."""

    kind: Literal["markdown", "code"]
    text: str


def cells_of(script: str) -> list[Cell]:
    """Return a script's cells. What stands above the first mark is a cell, too.

    A docstring there becomes text. Raises `ExamError` for a text cell with a line that is no
    comment, naming the line.
    """
    blocks: list[tuple[Literal["markdown", "code"], int, list[str]]] = [("code", 1, [])]
    for place, line in enumerate(script.splitlines(), 1):
        mark = _MARK.fullmatch(line)
        if mark:
            blocks.append(("markdown" if mark[1] else "code", place + 1, []))
        else:
            blocks[-1][2].append(line)
    cells = []
    for first, (kind, start, lines) in enumerate(blocks):
        if kind == "markdown":
            lines = [_uncommented(line, start + place) for place, line in enumerate(lines)]
        text = "\n".join(lines).strip("\n").rstrip()
        words = _docstring(text) if first == 0 else None
        if words is not None:
            cells.append(Cell("markdown", words))
        elif text:
            cells.append(Cell(kind, text))
    return cells


def _uncommented(line: str, place: int) -> str:
    if line.strip() == "":
        return ""
    if line.rstrip() == "#":
        return ""
    if not line.startswith("# "):
        raise ExamError(
            f"Line {place} of {SCRIPT} is in a text cell and is no comment: begin it with `# `, or "
            "put `# %%` above it."
        )
    return line[2:]


def _docstring(text: str) -> str | None:
    """Return the words of a text that is a docstring and no more."""
    try:
        body = ast.parse(text).body
    except SyntaxError:
        return None
    if len(body) != 1 or not isinstance(body[0], ast.Expr):
        return None
    return ast.get_docstring(ast.parse(text))


def notebook_of(script: str) -> str:
    """Return the notebook of a script, as JSON text. Raises `ExamError`."""
    return notebook_json(cells_of(script))


def notebook_json(cells: Iterable[Cell]) -> str:
    """Return the notebook of these cells, as JSON text."""
    notebook = {
        "cells": [_as_json(place, cell) for place, cell in enumerate(cells, 1)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _as_json(place: int, cell: Cell) -> dict[str, Any]:
    told: dict[str, Any] = {"cell_type": cell.kind, "id": f"cell-{place}", "metadata": {}}
    if cell.kind == "code":
        told = {**told, "execution_count": None, "outputs": []}
    return {**told, "source": cell.text.splitlines(keepends=True)}


def write_notebook(folder: Path) -> bool:
    """Make a folder's notebook anew; return whether it changed. Raises `ExamError`, OSError."""
    script = folder / SCRIPT
    if not script.is_file():
        raise ExamError(f"There is no {SCRIPT} at {folder}: a notebook is made from it.")
    text = notebook_of(script.read_text(encoding="utf-8"))
    notebook = folder / NOTEBOOK
    if notebook.is_file() and notebook.read_text(encoding="utf-8") == text:
        return False
    write_file(notebook, text.encode("utf-8"), 0o644)
    return True


def is_in_step(folder: Path) -> bool:
    """Tell whether a folder's notebook is that of its script. Raises `ExamError`, OSError."""
    script, notebook = folder / SCRIPT, folder / NOTEBOOK
    return notebook.read_text(encoding="utf-8") == notebook_of(script.read_text(encoding="utf-8"))
