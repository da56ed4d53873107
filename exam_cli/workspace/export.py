"""A section to take elsewhere: its task, data and starter in one archive, for Colab, say.

The notebook in it begins with a cell that installs the versions that the model will be graded with
and looks whether they are what runs, for a model that a newer Keras has saved does not load. The
model comes back as a file.
"""

from __future__ import annotations

import json
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from exam_cli.authoring.notebook import Cell, cells_of, notebook_json
from exam_cli.config.edition import Architecture, Edition
from exam_cli.config.section import Section
from exam_cli.fetch.lockfile import read_lock
from exam_cli.files import appearing
from exam_cli.sections.vault import SectionData

NOTEBOOK = "colab.ipynb"
# Of all that is locked, what decides whether a saved model loads and computes the same.
_DECISIVE = ("tensorflow", "keras", "numpy", "h5py", "ml-dtypes")
_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip knows: the same section, the same bytes


def export(
    section: Section,
    data: SectionData,
    edition: Edition,
    architecture: Architecture,
    target: Path,
) -> None:
    """Write a section's archive, whole or not at all; what has its name is replaced.

    Args:
        section: the task.
        data: the session's; only what the candidate was given is taken.
        edition: whose versions the notebook installs.
        architecture: of the locks that name them.
        target: the zip file.

    Raises OSError, DiskFull.
    """
    pins = versions(edition, architecture)
    with (
        appearing(target, 0o644) as draft,
        zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        starter = (section.folder / "starter.py").read_text(encoding="utf-8")
        _add(archive, section, NOTEBOOK, notebook(starter, section, target.name, pins).encode())
        for name in ("task.md", "starter.py"):
            _add(archive, section, name, (section.folder / name).read_bytes())
        for name, path in data.train.items():
            with path.open("rb") as content:
                _stream(archive, section, name, content)
        for name, path in data.trees.items():
            for file, stream in _packed(path):
                _stream(archive, section, f"{name}/{file}", stream)


def versions(edition: Edition, architecture: Architecture) -> dict[str, str]:
    """Return the packages, as a package index knows them, that a model depends on."""
    pins = {pin.name: pin.version for pin in read_lock(edition.lock("tensorflow", architecture))}
    # The locked wheel has no GPU code; elsewhere there may be one.
    pins["tensorflow"] = edition.tensorflow
    return {name: pins[name] for name in _DECISIVE if name in pins}


def notebook(starter: str, section: Section, archive: str, pins: dict[str, str]) -> str:
    """Return the notebook as JSON text: the first cell, the starter's, and how to go home."""
    code = Path(__file__).with_name("first_cell.py").read_text(encoding="utf-8")
    told = {
        "WANTED": json.dumps(pins),
        "ARCHIVE": json.dumps(archive),
        "FOLDER": json.dumps(section.directory),
    }
    for name, value in told.items():
        code = code.replace(f"{name} = ...", f"{name} = {value}")
    words = (
        "Run this cell first. It installs what the model is graded with, and finds the section's "
        f"files: on Colab it asks you for `{archive}`."
    )
    home = (
        "Save the model as `model.keras`, as above. On Colab, the next cell downloads it; put it "
        f"into `{section.directory}/` of your workspace, in place of what is there, and run "
        f"`exam check {section.section}`, then `exam grade {section.section}`."
    )
    download = (
        "try:\n    from google.colab import files\nexcept ImportError:\n"
        '    print("Not on Colab: the model lies beside this notebook\'s data.")\n'
        'else:\n    files.download("model.keras")'
    )
    return notebook_json(
        [
            Cell("markdown", words),
            Cell("code", code.rstrip()),
            *cells_of(starter),
            Cell("markdown", home),
            Cell("code", download),
        ]
    )


def _packed(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(path) as tar:
        for member in tar:
            content = tar.extractfile(member)
            assert content is not None, member.name  # the builder packs nothing but files
            yield member.name, content


def _add(archive: zipfile.ZipFile, section: Section, name: str, content: bytes) -> None:
    archive.writestr(_entry(section, name), content, zipfile.ZIP_DEFLATED)


def _stream(archive: zipfile.ZipFile, section: Section, name: str, stream: IO[bytes]) -> None:
    with archive.open(_entry(section, name), "w") as out:
        while piece := stream.read(1 << 20):
            out.write(piece)


def _entry(section: Section, name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(f"{section.directory}/{name}", _TIME)
    entry.external_attr = 0o644 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
