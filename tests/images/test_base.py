"""A root file system becomes a tar whose bytes depend on its content alone."""

from __future__ import annotations

import os
import shutil
import socket
import tarfile
from pathlib import Path

import pytest

from exam_cli.images.base import _members, _pack, _slim

EPOCH = 1767225600

KEPT = {
    "dev": None,
    "etc": None,
    "etc/apt": None,
    "etc/apt/sources.list.d": None,
    "etc/apt/sources.list.d/extra.sources": b"kept",
    "etc/passwd": b"root:x:0:0",
    "proc": None,
    "run": None,
    "sys": None,
    "tmp": None,
    "usr": None,
    "usr/bin": None,
    "usr/bin/tool": b"#!/bin/sh\n",
    "usr/log": None,
    "usr/log/kept": b"another log",
    "usr/share": None,
    "usr/share/etc": None,
    "usr/share/etc/machine-id": b"not the machine's",
    "var": None,
    "var/cache": None,
    "var/cache/apt": None,
    "var/cache/debconf": None,
    "var/cache/debconf/config.dat": b"kept",
    "var/cache/ldconfig": None,
    "var/lib": None,
    "var/lib/apt": None,
    "var/lib/apt/lists": None,
    "var/lib/dpkg": None,
    "var/lib/dpkg/status": b"kept",
    "var/log": None,
}
LEFT_OUT = {
    "dev/null": b"",
    "dev/pts": None,
    "dev/pts/0": b"",
    "etc/apt/sources.list": b"deb http://mirror.example",
    "etc/hostname": b"builder",
    "etc/machine-id": b"0123456789abcdef",
    "etc/passwd-": b"before",
    "etc/resolv.conf": b"nameserver 192.0.2.1",
    "proc/1": None,
    "proc/1/maps": b"",
    "run/lock": None,
    "sys/kernel": None,
    "tmp/leftover": b"x",
    "var/cache/apt/pkgcache.bin": b"x",
    "var/cache/debconf/config.dat-old": b"x",
    "var/cache/ldconfig/aux-cache": b"x",
    "var/lib/apt/lists/mirror_dists": b"x",
    "var/lib/dpkg/status-old": b"x",
    "var/log/apt": None,
    "var/log/apt/history.log": b"x",
    "var/log/bootstrap.log": b"x",
}
LINKS = {
    "bin": "usr/bin",
    "lib64": "usr/lib64",
    "usr/bin/alias": "tool",
    "etc/mtab": "/proc/mounts",
}


def make_root(root: Path) -> Path:
    """Write the files above, in an order of their own."""
    for name, content in sorted({**KEPT, **LEFT_OUT}.items()):
        if content is None:
            (root / name).mkdir(parents=True, exist_ok=True)
        else:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
    (root / "usr/bin/tool").chmod(0o755)
    (root / "tmp").chmod(0o1777)
    for name, target in LINKS.items():
        (root / name).symlink_to(target)
    os.link(root / "usr/bin/tool", root / "usr/bin/other-name")
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_root(tmp_path / "root")


def packed(root: Path, archive: Path) -> tarfile.TarFile:
    _pack(root, archive, EPOCH)
    return tarfile.open(archive)


def test_what_belongs_to_the_machine_is_left_out(root: Path) -> None:
    found = {path.as_posix() for path in _members(root)}
    assert found == {*KEPT, *LINKS, "usr/bin/other-name"}


def test_parents_come_before_what_they_hold(root: Path) -> None:
    seen = {Path()}
    for path in _members(root):
        assert path.parent in seen
        seen.add(path)


def test_same_content_same_bytes(root: Path, tmp_path: Path) -> None:
    packed(root, tmp_path / "one.tar").close()
    for path in root.rglob("*"):
        if not path.is_symlink():
            os.utime(path, (1, 1))
    (root / "var/log/another.log").write_text("of the second time")
    packed(root, tmp_path / "two.tar").close()
    # Elsewhere, and written in another order.
    shutil.copytree(root, tmp_path / "copy", symlinks=True)
    copied = tmp_path / "copy/usr/bin/other-name"
    copied.unlink()
    os.link(tmp_path / "copy/usr/bin/tool", copied)
    packed(tmp_path / "copy", tmp_path / "three.tar").close()
    one, two, three = ((tmp_path / f"{name}.tar").read_bytes() for name in ("one", "two", "three"))
    assert one == two == three
    (root / "etc/passwd").write_bytes(b"root:x:0:1")
    packed(root, tmp_path / "four.tar").close()
    assert (tmp_path / "four.tar").read_bytes() != one


def test_times_names_and_modes(root: Path, tmp_path: Path) -> None:
    with packed(root, tmp_path / "root.tar") as archive:
        members = {member.name: member for member in archive}
    assert {member.mtime for member in members.values()} == {EPOCH}
    assert {(member.uname, member.gname) for member in members.values()} == {("", "")}
    assert members["usr/bin/tool"].mode == 0o755 and members["tmp"].mode == 0o1777
    assert not any(name.startswith(("/", "./")) for name in members)


def test_links_stay_links_and_files_stay_whole(root: Path, tmp_path: Path) -> None:
    with packed(root, tmp_path / "root.tar") as archive:
        for name, target in LINKS.items():
            member = archive.getmember(name)
            assert member.issym() and member.linkname == target
        assert not [name for name in archive.getnames() if name.startswith("bin/")]
        assert all(archive.getmember(name).isdir() for name in KEPT if KEPT[name] is None)
        archive.extractall(tmp_path / "out", filter="fully_trusted")
    for name, content in KEPT.items():
        if content is not None:
            assert (tmp_path / "out" / name).read_bytes() == content
    tool, other = (tmp_path / "out/usr/bin" / name for name in ("tool", "other-name"))
    assert tool.stat().st_ino == other.stat().st_ino


def test_sockets_are_passed_over(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root / "usr")  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        with packed(root, tmp_path / "root.tar") as archive:
            assert "usr/socket" not in archive.getnames()


def test_what_slim_images_lack_is_taken_away_and_dpkg_is_told(tmp_path: Path) -> None:
    kept = [
        "usr/share/doc/gcc-12-base/copyright",
        "usr/share/locale/locale.alias",
        "usr/share/zoneinfo/UTC",
    ]
    gone = [
        "usr/share/doc/gcc-12-base/changelog.gz",
        "usr/share/doc/apt/examples/apt.conf",
        "usr/share/locale/de/LC_MESSAGES/dpkg.mo",
        "usr/share/man/man1/ls.1.gz",
    ]
    for name in [*kept, *gone, "etc/dpkg/dpkg.cfg.d/README"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("content")
    (tmp_path / "usr/share/doc/libgcc-s1").symlink_to("gcc-12-base")
    _slim(tmp_path)
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("usr/share/*/**/*")}
    files = {name for name in found if (tmp_path / name).is_file()}
    assert set(kept) <= files and not found & set(gone)
    assert "usr/share/locale/de" not in found
    assert (tmp_path / "usr/share/doc/libgcc-s1/copyright").read_text() == "content"
    rules = (tmp_path / "etc/dpkg/dpkg.cfg.d/docker").read_text().splitlines()
    assert "path-exclude /usr/share/man/*" in rules
