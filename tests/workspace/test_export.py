"""What a candidate takes to Colab, and that its first cell says what is wrong there."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from exam_cli.config.edition import DEFAULT_EDITION, load_edition
from exam_cli.sections.catalog import shipped_section
from exam_cli.sections.vault import DataSet, SectionData
from exam_cli.workspace.export import export, notebook, versions

SECTION = shipped_section(3)
EDITION = load_edition(DEFAULT_EDITION)


@pytest.fixture
def data(tmp_path: Path) -> SectionData:
    (tmp_path / "00.bin").write_bytes(b"a,b\n")
    (tmp_path / "secret.bin").write_bytes(b"label")
    with tarfile.open(tmp_path / "01.bin", "w") as tar:
        member = tarfile.TarInfo("stop/0.png")
        member.size = 4
        tar.addfile(member, io.BytesIO(b"\x89PNG"))
    hidden = DataSet("probe", "0" * 64, 1, (), None)
    files = {"names.csv": tmp_path / "00.bin"}
    return SectionData(files, {"train": tmp_path / "01.bin"}, {"probe": hidden})


def cells(text: str) -> list[str]:
    return ["".join(one["source"]) for one in json.loads(text)["cells"]]


def test_the_archive_holds_what_the_candidate_was_given(tmp_path: Path, data: SectionData) -> None:
    target = tmp_path / "out.zip"
    export(SECTION, data, EDITION, "x86_64", target)
    with zipfile.ZipFile(target) as archive:
        names = {name.removeprefix(f"{SECTION.directory}/") for name in archive.namelist()}
        assert names == {"task.md", "starter.py", "colab.ipynb", "names.csv", "train/stop/0.png"}
        assert archive.read(f"{SECTION.directory}/train/stop/0.png") == b"\x89PNG"
        text = archive.read(f"{SECTION.directory}/colab.ipynb").decode()
    assert f'tensorflow": "{EDITION.tensorflow}' in cells(text)[1]
    assert "out.zip" in cells(text)[1] and "model.save" in text


def test_the_same_section_makes_the_same_bytes(tmp_path: Path, data: SectionData) -> None:
    found = set()
    for _ in range(2):
        export(SECTION, data, EDITION, "x86_64", tmp_path / "out.zip")
        found.add((tmp_path / "out.zip").read_bytes())
    assert len(found) == 1


def test_the_pins_are_the_edition_s() -> None:
    pins = versions(EDITION, "x86_64")
    assert pins["tensorflow"] == EDITION.tensorflow and pins["keras"] == EDITION.keras
    assert set(pins) == {"tensorflow", "keras", "numpy", "h5py", "ml-dtypes"}


def first_cell(tmp_path: Path, pins: dict[str, str], before: str = "") -> tuple[int, str]:
    """Run the first cell in a directory of its own, with a `pip` that installs nothing."""
    code = cells(notebook("# %%\nx = 1\n", SECTION, "out.zip", pins))[1]
    script = f"import subprocess\nsubprocess.run = lambda *a, **k: print(a[0])\n{before}\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", f"{script}\nprint(Path.cwd().name)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def installed(name: str) -> dict[str, str]:
    import importlib.metadata

    return {name: importlib.metadata.version(name)}


def test_the_first_cell_finds_the_section(tmp_path: Path, data: SectionData) -> None:
    export(SECTION, data, EDITION, "x86_64", tmp_path / "out.zip")
    status, out = first_cell(tmp_path, installed("numpy"))
    assert status == 0 and out.splitlines()[-1] == SECTION.directory
    assert (tmp_path / SECTION.directory / "train" / "stop" / "0.png").is_file()


def test_the_first_cell_asks_for_the_archive(tmp_path: Path) -> None:
    status, out = first_cell(tmp_path, installed("numpy"))
    assert status == 1 and "Put out.zip beside this notebook" in out


def test_the_first_cell_installs_and_does_not_believe_it(tmp_path: Path) -> None:
    status, out = first_cell(tmp_path, {"numpy": "0.0.1"})
    assert "numpy==0.0.1" in out
    assert status == 1 and "numpy 0.0.1 could not be installed" in out


def test_the_first_cell_notices_what_is_loaded_already(tmp_path: Path) -> None:
    before = "import numpy\nnumpy.__version__ = '0.0.1'"
    status, out = first_cell(tmp_path, installed("numpy"), before)
    assert status == 1 and "restart the session" in out
