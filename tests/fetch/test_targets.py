"""A wheel is taken for what it was made for: one cache serves every edition."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from packaging.utils import parse_wheel_filename

from exam_cli.config.edition import Architecture
from exam_cli.errors import ExamError
from exam_cli.fetch.lockfile import Pin
from exam_cli.fetch.targets import Target
from exam_cli.fetch.wheels import fetch_wheels
from exam_cli.progress import SILENT

BULLSEYE = Target("x86_64", "3.9.2", 31)
BOOKWORM = Target("x86_64", "3.11.2")


@pytest.mark.parametrize(
    ("name", "target", "runs"),
    [
        ("a-1-py3-none-any.whl", BULLSEYE, True),
        ("a-1-py2.py3-none-any.whl", BOOKWORM, True),
        ("a-1-cp39-cp39-manylinux2014_x86_64.whl", BULLSEYE, True),
        ("a-1-cp39-cp39-manylinux2014_x86_64.whl", BOOKWORM, False),
        ("a-1-cp311-cp311-manylinux_2_28_x86_64.whl", BULLSEYE, False),
        ("a-1-cp38-abi3-manylinux_2_28_x86_64.whl", BULLSEYE, True),
        ("a-1-cp311-abi3-manylinux_2_28_x86_64.whl", BULLSEYE, False),
        ("a-1-cp39-abi3-manylinux_2_34_x86_64.whl", BULLSEYE, False),
        ("a-1-cp39-abi3-manylinux_2_34_x86_64.whl", BOOKWORM, True),
        ("a-1-py3-none-manylinux_2_17_aarch64.whl", BOOKWORM, False),
        ("a-1-py3-none-manylinux_2_17_aarch64.whl", Target("aarch64", "3.11.2"), True),
        ("a-1-cp39-cp39-macosx_11_0_arm64.whl", BULLSEYE, False),
    ],
)
def test_what_runs_where(name: str, target: Target, runs: bool) -> None:
    assert bool(parse_wheel_filename(name)[3] & target.tags()) is runs


@pytest.mark.parametrize(
    ("architecture", "python", "glibc", "wanted"),
    [("x86_64", "3.9.2", 31, "cp39-cp39"), ("x86_64", "3.11.2", 36, "cp311-cp311")],
)
def test_of_one_release_the_wheel_for_the_edition_is_taken(
    tmp_path: Path, architecture: Architecture, python: str, glibc: int, wanted: str
) -> None:
    hashes = set()
    for tag in ("cp39-cp39", "cp311-cp311"):
        path = tmp_path / f"thing-1.0-{tag}-manylinux_2_17_x86_64.whl"
        path.write_bytes(tag.encode())
        hashes.add(hashlib.sha256(tag.encode()).hexdigest())
    pin = Pin("thing", "1.0", frozenset(hashes))
    (found,) = fetch_wheels([pin], tmp_path, architecture, python, SILENT, glibc)
    assert wanted in found.name
    assert len(list(tmp_path.glob("*.whl"))) == 2, "the other edition's stays"


def test_what_is_damaged_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    damaged = tmp_path / "thing-1.0-py3-none-any.whl"
    damaged.write_bytes(b"cut off")
    with pytest.raises(ExamError):
        fetch_wheels(
            [Pin("thing", "1.0", frozenset(["0" * 64]))], tmp_path, "x86_64", "3.11.2", SILENT
        )
    assert not damaged.exists()
