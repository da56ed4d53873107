"""What a candidate finds in a section's directory, and that it is never touched again."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from exam_cli.sections.catalog import shipped_section
from exam_cli.sections.vault import SectionData
from exam_cli.workspace.layout import lay_out

SECTION = shipped_section(1)


@pytest.fixture
def data(tmp_path: Path) -> SectionData:
    (tmp_path / "00.bin").write_bytes(b"a,b\n")
    with tarfile.open(tmp_path / "01.bin", "w") as tar:
        for name in ("stop/0.png", "stop/1.png", "yield/0.png"):
            member = tarfile.TarInfo(name)
            member.size = len(name)
            tar.addfile(member, io.BytesIO(name.encode()))
    return SectionData({"train.csv": tmp_path / "00.bin"}, {"train": tmp_path / "01.bin"}, {})


def test_files_and_directories_are_laid_out(tmp_path: Path, data: SectionData) -> None:
    written = lay_out(tmp_path / "workspace", SECTION, data)
    place = tmp_path / "workspace" / SECTION.directory
    assert {path.relative_to(place).as_posix() for path in written} >= {
        "task.md", "starter.py", "train.csv", "train",
    }  # fmt: skip
    assert (place / "train" / "stop" / "1.png").read_bytes() == b"stop/1.png"
    assert len(list(place.rglob("*.png"))) == 3
    assert not list(place.glob(".part-*"))
    assert {path.stat().st_mode & 0o777 for path in place.rglob("*") if path.is_file()} == {0o644}


def test_what_the_candidate_has_stays_theirs(tmp_path: Path, data: SectionData) -> None:
    workspace = tmp_path / "workspace"
    lay_out(workspace, SECTION, data)
    place = workspace / SECTION.directory
    (place / "starter.py").write_text("mine")
    (place / "train" / "stop" / "0.png").unlink()
    (place / "train.csv").unlink()
    assert lay_out(workspace, SECTION, data) == [place / "train.csv"]
    assert (place / "starter.py").read_text() == "mine"
    assert not (place / "train" / "stop" / "0.png").exists()


def test_a_file_in_the_way_of_a_directory_stays(tmp_path: Path, data: SectionData) -> None:
    place = tmp_path / "workspace" / SECTION.directory
    place.mkdir(parents=True)
    (place / "train").write_text("mine")
    lay_out(tmp_path / "workspace", SECTION, data)
    assert (place / "train").read_text() == "mine"
