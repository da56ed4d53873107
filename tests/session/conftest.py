"""A home of its own for every test, and the rights of an ordinary user where root runs them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

NOBODY = 65534


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    monkeypatch.setenv("EXAM_HOME", str(home))
    return home


@contextmanager
def ordinary_user() -> Iterator[None]:
    """File modes mean nothing to root: act as nobody meanwhile."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def as_user() -> AbstractContextManager[None]:
    return ordinary_user()


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """A directory that the ordinary user may enter and own; those of pytest are root's alone."""
    directory = Path(tempfile.mkdtemp(prefix="exam-test-"))
    if os.geteuid() == 0:
        os.chown(directory, NOBODY, NOBODY)
    yield directory
    directory.chmod(0o700)
    shutil.rmtree(directory)
