"""Debian packages against the lock: other bytes are refused, a newer version is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from exam_cli.config.edition import Architecture, Edition
from exam_cli.errors import OurFault
from exam_cli.fetch.lockfile import sha256_of
from exam_cli.images.debian import check_debian_lock, debian_lock_lines


class Heard:
    """A listener that remembers what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, sentence: str) -> None:
        self.said.append(sentence)

    def step(self, title: str, total: int | None = None) -> None:
        raise AssertionError("a check is no step")

    def advance(self, done: int) -> None:
        raise AssertionError("a check is no step")


@dataclass(frozen=True, kw_only=True)
class LockedHere(Edition):
    """The edition, but for where its locks are."""

    where: Path

    @property
    def directory(self) -> Path:
        return self.where


@pytest.fixture
def here(edition: Edition, tmp_path: Path) -> LockedHere:
    return LockedHere(**vars(edition), where=tmp_path)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [
        tmp_path / "git_1%3a2.39.5-0+deb12u3_amd64.deb",
        tmp_path / "ca-certificates_20230311_all.deb",
    ]
    for path in paths:
        path.write_text(path.name)
    return paths


def write_lock(edition: LockedHere, lines: list[str], architecture: Architecture) -> None:
    edition.lock("debian", architecture).write_text("\n".join(lines) + "\n")


def test_lines_say_name_version_and_hash(files: list[Path]) -> None:
    assert debian_lock_lines(files) == [
        f"ca-certificates 20230311 {sha256_of(files[1])}",
        f"git 1:2.39.5-0+deb12u3 {sha256_of(files[0])}",
    ]
    assert debian_lock_lines(reversed(files)) == debian_lock_lines(files)


def test_what_is_as_locked_needs_no_word(here: LockedHere, files: list[Path]) -> None:
    write_lock(here, debian_lock_lines(files), "x86_64")
    heard = Heard()
    check_debian_lock(here, "x86_64", files, heard)
    assert heard.said == []


def test_the_same_version_with_other_bytes_is_refused(here: LockedHere, files: list[Path]) -> None:
    write_lock(here, debian_lock_lines(files), "x86_64")
    files[0].write_text("tampered")
    with pytest.raises(OurFault, match="is not the one that debian") as caught:
        check_debian_lock(here, "x86_64", files, Heard())
    assert "package git 1:2.39.5-0+deb12u3" in str(caught.value)
    assert "Do not use it" in str(caught.value)


def test_other_bytes_are_refused_even_when_others_have_moved_on(
    here: LockedHere, files: list[Path]
) -> None:
    lines = [line.replace("20230311", "20220101") for line in debian_lock_lines(files)]
    write_lock(here, lines, "x86_64")
    files[0].write_text("tampered")
    with pytest.raises(OurFault):
        check_debian_lock(here, "x86_64", files, Heard())


def test_a_newer_version_is_told(here: LockedHere, files: list[Path]) -> None:
    lines = [line.replace("20230311", "20220101") for line in debian_lock_lines(files)]
    write_lock(here, lines, "x86_64")
    heard = Heard()
    check_debian_lock(here, "x86_64", files, heard)
    (sentence,) = heard.said
    assert "ca-certificates 20220101 is now 20230311" in sentence and "git" not in sentence


def test_packages_beyond_the_lock_are_let_in(here: LockedHere, files: list[Path]) -> None:
    # The pulled base lacks other packages than the one that is made here.
    write_lock(here, debian_lock_lines(files[:1]), "x86_64")
    heard = Heard()
    check_debian_lock(here, "x86_64", files, heard)
    assert heard.said == []


def test_an_architecture_without_a_lock_is_told(here: LockedHere, files: list[Path]) -> None:
    write_lock(here, debian_lock_lines(files), "x86_64")
    heard = Heard()
    check_debian_lock(here, "aarch64", files, heard)
    assert heard.said == ["Debian packages are not locked for aarch64 yet: debian.aarch64.lock."]
