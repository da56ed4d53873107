"""Is a snapshot what its name says? Nothing of it is run, and little of it is read."""

from __future__ import annotations

import io
import json
import struct
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_cli.config.section import Section
from exam_cli.grading.intake import Submission, SubmittedFile, take
from exam_cli.grading.preflight import saved_with, version_text
from exam_cli.grading.verdict import ModelRecord, Rejection
from exam_cli.sections.catalog import shipped_section
from tests.grading.conftest import HDF5, keras_bytes

Look = Callable[[bytes], str | None]


@pytest.fixture
def look(section: Section, place: Path, tmp_path: Path) -> Look:
    """Return a function that puts bytes in the section's directory and looks at them."""

    def run(content: bytes, name: str = "model.keras") -> str | None:
        (place / name).write_bytes(content)
        return saved_with(take(section, place.parent, tmp_path / "snapshots"), section)

    return run


@pytest.fixture
def refused(look: Callable[..., str | None]) -> Callable[..., str]:
    """Return a function that expects a rejection and returns its sentence."""

    def check(content: bytes, reason: str = "not_a_model", name: str = "model.keras") -> str:
        with pytest.raises(Rejection) as caught:
            look(content, name)
        assert caught.value.reason == reason, caught.value.sentence
        sentence = caught.value.sentence
        assert sentence.isprintable() and len(sentence) < 500 and f"1-regression/{name}" in sentence
        return sentence

    return check


def without(name: str) -> bytes:
    """A .keras file that lacks a member."""
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(keras_bytes())) as whole,
        zipfile.ZipFile(packed, "w") as archive,
    ):
        for member in whole.namelist():
            if member != name:
                archive.writestr(member, whole.read(member))
    return packed.getvalue()


# --- what passes


def test_a_keras_file_tells_its_version(look: Look) -> None:
    assert look(keras_bytes()) == "3.15.1"
    assert look(keras_bytes({"assets/layer/vocabulary.txt": b"a\nb"})) == "3.15.1"
    assert look(keras_bytes(compression=zipfile.ZIP_DEFLATED)) == "3.15.1"


def test_an_hdf5_file_tells_nothing(look: Callable[..., str | None]) -> None:
    assert look(HDF5, "model.h5") is None


def test_a_saved_model_tells_nothing(
    section: Section, place: Path, tmp_path: Path, saved_model: Callable[[Path], Path]
) -> None:
    model = saved_model(place / "model")

    def taken() -> Submission:
        return take(section, place.parent, tmp_path / "snapshots")

    assert saved_with(taken(), section) is None
    (model / "saved_model.pb").write_bytes(b"")
    with pytest.raises(Rejection, match="empty saved_model"):
        saved_with(taken(), section)


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"keras_version": None},
        {"keras_version": 3},
        {"keras_version": ["3.15.1"]},
        {"keras_version": "latest"},
        {"keras_version": "3.15.1\n"},
        {"keras_version": "3.15.1 (see http://example.org)"},
        {"keras_version": "\u0663.\u0661.\u0660"},
        {"keras_version": "1" * 5000},
        [1, 2],
        "text",
        None,
    ],
    ids=lambda metadata: str(metadata)[:30],
)
def test_odd_versions_are_not_repeated(look: Look, metadata: object) -> None:
    assert look(keras_bytes({"metadata.json": json.dumps(metadata).encode()})) is None


# --- what does not


@pytest.mark.parametrize("content", [b"", b"text", b"P", b"# a model\n" * 50, b"\x80\x04pickle"])
def test_text_named_as_a_model(refused: Callable[..., str], place: Path, content: bytes) -> None:
    assert "not a Keras model" in refused(content)
    (place / "model.keras").unlink()
    assert "not an HDF5 file" in refused(content, name="model.h5")


def test_formats_under_each_other_s_name(
    refused: Callable[..., str], place: Path
) -> None:  # fmt: skip
    told = refused(HDF5)
    assert "is an HDF5 file by content" in told and "name it model.h5" in told
    (place / "model.keras").unlink()
    assert "name it model.keras" in refused(keras_bytes(), name="model.h5")


def test_a_keras_that_writes_hdf5_under_that_name_is_given_it(
    section: Section, place: Path, tmp_path: Path
) -> None:
    def look(content: bytes, keras: str) -> str | None:
        (place / "model.keras").write_bytes(content)
        return saved_with(take(section, place.parent, tmp_path / "snapshots"), section, keras)

    assert look(HDF5, "2.9.0") is None
    for keras in ("2.12.0", "2.13.1", "3.15.1", "unknown"):
        with pytest.raises(Rejection, match="HDF5 file by content"):
            look(HDF5, keras)
    # A zip is told by its version, for that Keras to fail at.
    assert look(keras_bytes(), "2.9.0") == look(keras_bytes(), "3.15.1") is not None
    with pytest.raises(Rejection, match="not a Keras model"):
        look(b"neither", "2.9.0")


def test_half_a_file(refused: Callable[..., str]) -> None:
    whole = keras_bytes()
    for part in (whole[:40], whole[: len(whole) // 2], whole[:-1], whole[:4]):
        assert "damaged or incomplete" in refused(part)


@given(st.data())
def test_no_damage_raises_anything_else(data: st.DataObject) -> None:
    content = bytearray(keras_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        where = data.draw(st.integers(2, len(content) - 1))
        content[where] = data.draw(st.integers(0, 255))
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        record = ModelRecord("1-regression/model.keras", "0" * 64, len(content), "keras")
        copy = SubmittedFile("model.keras", Path(file.name), len(content))
        submission = Submission(record, "keras", "model.keras", (copy,))
        try:
            version = saved_with(submission, shipped_section(1))
        except Rejection as rejection:
            assert rejection.reason in ("not_a_model", "too_large")
        else:
            assert version is None or version_text(version) == version


@pytest.mark.parametrize("name", ["config.json", "metadata.json", "model.weights.h5"])
def test_a_zip_that_is_no_model(refused: Callable[..., str], name: str) -> None:
    assert f"without {name}" in refused(without(name))


def test_an_empty_zip(refused: Callable[..., str]) -> None:
    packed = io.BytesIO()
    zipfile.ZipFile(packed, "w").close()
    assert "without config.json" in refused(packed.getvalue())


@pytest.mark.parametrize(
    "metadata",
    [b"", b"not json", b"\xff\xfe", b"[" * 60_000, b'{"a": "' + b"x" * (1 << 20) + b'"}'],
    ids=["empty", "text", "no text", "nested", "huge"],
)
def test_metadata_that_is_no_json(refused: Callable[..., str], metadata: bytes) -> None:
    content = keras_bytes({"metadata.json": metadata}, compression=zipfile.ZIP_DEFLATED)
    assert "damaged or incomplete" in refused(content)


def test_a_bomb_is_not_unpacked(refused: Callable[..., str]) -> None:
    bomb = keras_bytes({"model.weights.h5": bytes(5 << 20)}, compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 1 << 20
    assert "unpacks to more than 4 times" in refused(bomb, "too_large")


def test_a_bomb_in_the_metadata_is_not_unpacked(refused: Callable[..., str]) -> None:
    bomb = keras_bytes({"metadata.json": b" " * (3 << 20)}, compression=zipfile.ZIP_DEFLATED)
    refused(bomb)


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "assets/../../up", "//x"])
def test_names_that_lead_elsewhere(refused: Callable[..., str], name: str) -> None:
    assert "Keras would not have written" in refused(keras_bytes({name: b"x"}))


def test_a_name_twice(refused: Callable[..., str]) -> None:
    packed = io.BytesIO(keras_bytes())
    with zipfile.ZipFile(packed, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("config.json", b"another")
    assert "Keras would not have written" in refused(packed.getvalue())


def test_too_many_members(refused: Callable[..., str]) -> None:
    content = keras_bytes({f"assets/{number}": b"" for number in range(2000)})
    assert "Keras would not have written" in refused(content)


def test_an_encrypted_member(refused: Callable[..., str]) -> None:
    content = bytearray(keras_bytes())
    first = content.index(b"PK\x01\x02")  # of the central directory; its flags are at byte 8
    content[first + 8] |= 1
    assert "Keras would not have written" in refused(bytes(content))


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_keras_does_not_use(
    refused: Callable[..., str], compression: int
) -> None:
    assert "Keras would not have written" in refused(keras_bytes(compression=compression))


def test_a_directory_of_very_many_members_is_not_read(
    section: Section, place: Path, tmp_path: Path
) -> None:
    # The zip reader would make an object for every 47 bytes of the file: 100 MB take it 20 s.
    contract = replace(section.contract, max_megabytes=20)
    section = replace(section, contract=contract)
    entry = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", *[0] * 9, 1, *[0] * 6) + b"x"
    count = (15 << 20) // len(entry)
    end = struct.pack(
        "<4s4H2IH", b"PK\x05\x06", 0, 0, count & 0xFFFF, count & 0xFFFF, count * len(entry), 4, 0
    )
    (place / "model.keras").write_bytes(b"PK\x03\x04" + entry * count + end)
    taken = take(section, place.parent, tmp_path / "snapshots")
    began = time.monotonic()
    with pytest.raises(Rejection, match="Keras would not have written"):
        saved_with(taken, section)
    assert time.monotonic() - began < 1


# --- versions


@pytest.mark.parametrize("text", ["3.15.1", "2.9.0", "3.0", "2.2.4-tf"])
def test_versions_are_known(text: str) -> None:
    assert version_text(text) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("3.12.0.dev20250101", "3.12.0.dev"),
        ("2.11.0-rc1+cpu", "2.11.0-rc"),
        ("3.0.0b1", "3.0.0b"),
        ("3.1.0+stolen40a1b2c3d4e5", "3.1.0"),
        ("3.1.0.stolen40a1b2c3d4e5", "3.1.0"),
        ("3.1234567.0", None),
    ],
)
def test_what_could_carry_the_inputs_out_is_left_out_of_a_version(
    text: str, told: str | None
) -> None:
    assert version_text(text) == told


@given(st.text() | st.from_regex(r"\d\.\d\D*") | st.none() | st.integers() | st.binary())
def test_what_passes_for_a_version_is_short_and_plain(text: object) -> None:
    told = version_text(text)
    if told is not None:
        assert isinstance(text, str) and text.startswith(told) and len(told) < 16
        assert told.isascii() and told.isprintable()
        assert " " not in told
