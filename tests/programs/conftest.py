"""Import the programs of the images as they import each other there: by bare names."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from exam_cli import wire
from exam_cli.paths import resource

PROGRAMS = resource("images", "programs")


@pytest.fixture(scope="package", autouse=True)
def bare_names() -> Iterator[None]:
    """The images hold a copy of the host's `wire`; here the host's own stands in for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "wire", wire)
        patch.syspath_prepend(str(PROGRAMS))
        yield
    for path in PROGRAMS.glob("*.py"):
        sys.modules.pop(path.stem, None)


def load(name: str) -> ModuleType:
    """Import one program afresh."""
    spec = importlib.util.spec_from_file_location(name, PROGRAMS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="package")
def tensors() -> ModuleType:
    return load("tensors")


@pytest.fixture(scope="package")
def scorer() -> ModuleType:
    return load("scorer")


@pytest.fixture(scope="package")
def metrics() -> ModuleType:
    return load("metrics")
