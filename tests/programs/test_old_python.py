"""What runs inside images must run on their oldest Python, with what is installed there."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from exam_cli.config.edition import programs

OLDEST = (3, 9)
INSTALLED = {"numpy", "tensorflow", "keras", "h5py"}
OURS = {path.stem for path in programs()}
# In the running Python's standard library, but not in that of 3.9.
TOO_NEW = {"tomllib", "annotationlib", "compression", "concurrent.interpreters"}


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield the top-level names of all imports, those inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "programs are no package"
            yield (node.module or "").split(".")[0]


@pytest.mark.parametrize("path", programs(), ids=lambda path: path.name)
def test_is_python_3_9(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), filename=str(path), feature_version=OLDEST)


@pytest.mark.parametrize("path", programs(), ids=lambda path: path.name)
def test_imports_only_what_is_there(path: Path) -> None:
    names = set(imported(ast.parse(path.read_text(encoding="utf-8"))))
    allowed = (sys.stdlib_module_names - TOO_NEW) | INSTALLED | OURS
    assert names <= allowed, f"{path.name} imports {sorted(names - allowed)}"


@pytest.mark.parametrize("path", programs(), ids=lambda path: path.name)
def test_annotations_are_never_evaluated(path: Path) -> None:
    # `X | None` and the like are fine to parse but raise in 3.9 when they are evaluated.
    tree = ast.parse(path.read_text(encoding="utf-8"))
    futures = [
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        for alias in node.names
    ]
    assert "annotations" in futures


def test_the_wire_format_needs_no_package_at_all() -> None:
    wire = next(path for path in programs() if path.name == "wire.py")
    assert set(imported(ast.parse(wire.read_text(encoding="utf-8")))) <= sys.stdlib_module_names
