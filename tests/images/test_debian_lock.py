"""Debian packages against the lock: other bytes are refused, a newer version is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_cli.config.edition import Architecture, Edition, edition_names, load_edition
from exam_cli.errors import OurFault
from exam_cli.fetch.lockfile import sha256_of
from exam_cli.images.debian import (
    check_base_lock,
    check_debian_lock,
    debian_lock_lines,
    installed,
    read_debian_locks,
)


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


STATUS = """\
Package: apt
Status: install ok installed
Version: 2.6.1
Description: package manager
 Package: not a field, but a line of the description

Package: gone
Status: deinstall ok config-files
Version: 1

Package: git
Version: 1:2.39
Status: hold ok installed
"""


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


def test_what_is_installed_is_read_from_dpkg() -> None:
    assert installed(STATUS) == {"apt": "2.6.1", "git": "1:2.39"}
    assert installed("") == {}


@given(st.text(alphabet="Package: StusVerionall\n12", max_size=200))
def test_any_status_is_read(text: str) -> None:
    assert all(name and version for name, version in installed(text).items())


def test_a_base_that_moved_on_is_told_with_the_time_and_the_way_back(here: LockedHere) -> None:
    lines = ["# Debian's archive of 20260711T101637Z", "apt 2.6.1", "bash 5.2-1", "tar 1.34"]
    here.lock("base", "x86_64").write_text("\n".join(lines) + "\n")
    heard = Heard()
    check_base_lock(here, "x86_64", {"apt": "2.6.1", "bash": "5.2-1", "tar": "1.34"}, heard)
    assert heard.said == []
    check_base_lock(here, "x86_64", {"apt": "2.6.2", "bash": "5.2-1", "zlib": "1"}, heard)
    (sentence,) = heard.said
    assert "since the lock of 2026-07-11: apt 2.6.1 is now 2.6.2" in sentence
    assert "tar 1.34 is gone" in sentence and "zlib 1 is new" in sentence
    assert "EXAM_DEBIAN_MIRROR" in sentence and "archive/debian/20260711T101637Z/" in sentence
    assert "exam images build --again --edition" in sentence


def test_many_packages_are_told_by_the_first_of_them(here: LockedHere) -> None:
    names = [f"p{number:02}" for number in range(30)]
    here.lock("base", "x86_64").write_text("".join(f"{name} 1\n" for name in names))
    heard = Heard()
    check_base_lock(here, "x86_64", dict.fromkeys(names, "2"), heard)
    (sentence,) = heard.said
    assert "p11 1 is now 2; and 18 more." in sentence and "EXAM_DEBIAN_MIRROR" not in sentence


@pytest.mark.parametrize("name", edition_names())
def test_our_own_bases_are_locked_package_by_package(name: str) -> None:
    locked = read_debian_locks(load_edition(name), "x86_64")
    assert locked.archive is not None
    assert {"apt", "bash", "dpkg", "libc6"} <= locked.base.keys()
    assert not locked.base.keys() & locked.beyond.keys()
