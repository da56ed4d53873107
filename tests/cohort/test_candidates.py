"""Who handed in, and what their archives may hold."""

from __future__ import annotations

import contextlib
import io
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_cli.cohort.archive import unpack
from exam_cli.cohort.candidates import call_the_roll
from exam_cli.errors import ExamError

SECTIONS = ["1-regression", "4-nlp"]


def tar(path: Path, *members: tarfile.TarInfo | tuple[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as package:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                package.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                package.addfile(info, io.BytesIO(member[1]))
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zipped(path: Path, *members: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in members:
            package.writestr(name, content)
    return path


def test_directories_and_archives_are_candidates(tmp_path: Path) -> None:
    for name in ("bob", "Zoë", "=cmd"):
        (tmp_path / name).mkdir()
    tar(tmp_path / "ann.tar.gz")
    zipped(tmp_path / "eve.zip")
    (tmp_path / "notes.txt").write_text("stray")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "bob")
    roll = call_the_roll(tmp_path)
    assert [one.name for one in roll.candidates] == ["=cmd", "Zo\\xeb", "ann", "bob", "eve"]
    assert set(roll.strays) == {"notes.txt", ".hidden", "link"}
    assert not any(one.trouble for one in roll.candidates)


def test_who_is_there_twice_is_told(tmp_path: Path) -> None:
    (tmp_path / "ann").mkdir()
    zipped(tmp_path / "ann.zip")
    (ann,) = call_the_roll(tmp_path).candidates
    assert ann.trouble is not None and "ann and ann.zip" in ann.trouble


def test_nobody(tmp_path: Path) -> None:
    with pytest.raises(ExamError, match="holds no candidate"):
        call_the_roll(tmp_path)
    with pytest.raises(ExamError, match="is no directory"):
        call_the_roll(tmp_path / "nowhere")


@pytest.mark.parametrize("top", ["", "ann/", "./", "workspace/"])
@pytest.mark.parametrize("kind", ["a.zip", "a.tar", "a.tar.gz"])
def test_what_lies_in_sections_is_unpacked(tmp_path: Path, kind: str, top: str) -> None:
    members = [
        (f"{top}1-regression/model.keras", b"one"),
        (f"{top}4-nlp/saved/variables/x", b"two"),
        (f"{top}7-other/model.keras", b"no"),
        (f"{top}README", b"no"),
    ]
    make = zipped if kind.endswith("zip") else tar
    archive = make(tmp_path / kind, *members)
    (tmp_path / "to").mkdir()
    unpack(archive, tmp_path / "to", SECTIONS)
    found = {
        path.relative_to(tmp_path / "to").as_posix(): path.read_bytes()
        for path in (tmp_path / "to").rglob("*")
        if path.is_file()
    }
    assert found == {"1-regression/model.keras": b"one", "4-nlp/saved/variables/x": b"two"}


@pytest.mark.parametrize(
    "name",
    ["../out", "1-regression/../../out", "/etc/out", "1-regression/a\nb", "1-regression\\x", ".."],
)
@pytest.mark.parametrize("kind", ["a.zip", "a.tar"])
def test_unsafe_names_refuse_the_archive(tmp_path: Path, kind: str, name: str) -> None:
    make = zipped if kind.endswith("zip") else tar
    archive = make(tmp_path / kind, (name, b"x"))
    (tmp_path / "deep" / "to").mkdir(parents=True)
    with pytest.raises(ExamError, match=r"no safe name|link or special"):
        unpack(archive, tmp_path / "deep" / "to", SECTIONS)
    assert not list(tmp_path.rglob("out"))


@pytest.mark.parametrize(
    "member",
    [
        special("1-regression/model.keras", tarfile.SYMTYPE, "/etc/passwd"),
        special("1-regression/model.keras", tarfile.LNKTYPE, "other"),
        special("1-regression/model.keras", tarfile.FIFOTYPE),
        special("1-regression/model.keras", tarfile.CHRTYPE),
    ],
    ids=["symlink", "hardlink", "fifo", "device"],
)
def test_links_and_devices_refuse_the_archive(tmp_path: Path, member: tarfile.TarInfo) -> None:
    archive = tar(tmp_path / "a.tar", member)
    with pytest.raises(ExamError, match="a link or special file"):
        unpack(archive, tmp_path, SECTIONS)


def test_a_link_in_a_zip_refuses_the_archive(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("1-regression/model.keras")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as package:
        package.writestr(info, "/etc/passwd")
    with pytest.raises(ExamError, match="a link or special file"):
        unpack(tmp_path / "a.zip", tmp_path, SECTIONS)


def test_two_files_of_one_name_refuse_the_archive(tmp_path: Path) -> None:
    twice = ("1-regression/model.keras", b"x"), ("1-regression/model.keras", b"y")
    with pytest.raises(ExamError, match="two files of one name"):
        unpack(tar(tmp_path / "a.tar", *twice), tmp_path, SECTIONS)


def test_a_bomb_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exam_cli.cohort.archive._MAX_BYTES", 1 << 20)
    archive = zipped(tmp_path / "a.zip", ("1-regression/model.keras", bytes(8 << 20)))
    assert archive.stat().st_size < 20_000
    with pytest.raises(ExamError, match="unpacks to over 1 MB"):
        unpack(archive, tmp_path, SECTIONS)


@pytest.mark.parametrize("kind", ["a.zip", "a.tar", "a.tar.gz"])
def test_an_archive_that_is_none_or_cut_off(tmp_path: Path, kind: str) -> None:
    (tmp_path / kind).write_bytes(b"no archive at all")
    with pytest.raises(ExamError, match="cannot be read"):
        unpack(tmp_path / kind, tmp_path, SECTIONS)
    make = zipped if kind.endswith("zip") else tar
    whole = make(tmp_path / kind, ("1-regression/model.keras", bytes(range(256)) * 40)).read_bytes()
    (tmp_path / kind).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ExamError, match="cannot be read"):
        unpack(tmp_path / kind, tmp_path / "to", SECTIONS)


@given(st.data())
@pytest.mark.parametrize("kind", ["a.zip", "a.tar", "a.tar.gz"])
def test_no_damage_raises_anything_else(kind: str, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        make = zipped if kind.endswith("zip") else tar
        members = [("1-regression/model.keras", b"one" * 200), ("4-nlp/saved/x", b"two")]
        archive = make(Path(name, kind), *members)
        content = bytearray(archive.read_bytes())
        for _ in range(data.draw(st.integers(1, 6))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        archive.write_bytes(content)
        with contextlib.suppress(ExamError):
            unpack(archive, Path(name, "to"), SECTIONS)


def test_a_disk_that_cannot_be_written_is_not_the_archive_s_fault(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", ("1-regression/model.keras", b"one"))
    with pytest.raises(OSError):
        unpack(archive, Path("/proc/self/no/such/place"), SECTIONS)
