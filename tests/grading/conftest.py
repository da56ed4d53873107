"""A section, a workspace, and the files that candidates put there."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from exam_cli.config.section import Section
from exam_cli.sections.catalog import shipped_section

HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(100)


def keras_bytes(
    members: dict[str, bytes] | None = None, *, compression: int = zipfile.ZIP_STORED
) -> bytes:
    """Return a file as `model.save('model.keras')` writes it, with members of choice."""
    content = {
        "metadata.json": json.dumps({"keras_version": "3.15.1"}).encode(),
        "config.json": b"{}",
        "model.weights.h5": HDF5,
        **(members or {}),
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return packed.getvalue()


@pytest.fixture
def section() -> Section:
    """Section 1, but for a size limit of 1 MB."""
    found = shipped_section(1)
    contract = replace(found.contract, max_megabytes=1)
    return replace(found, contract=contract)


@pytest.fixture
def place(tmp_path: Path, section: Section) -> Path:
    """The section's directory in a workspace."""
    directory = tmp_path / "workspace" / section.directory
    directory.mkdir(parents=True)
    return directory


@pytest.fixture
def saved_model() -> Callable[[Path], Path]:
    """Return a maker of a directory as `model.export` writes it."""

    def make(directory: Path) -> Path:
        (directory / "variables").mkdir(parents=True)
        (directory / "assets").mkdir()
        (directory / "saved_model.pb").write_bytes(b"graph")
        (directory / "variables" / "variables.index").write_bytes(b"index")
        (directory / "variables" / "variables.data-00000-of-00001").write_bytes(b"data" * 99)
        return directory

    return make
