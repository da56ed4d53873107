"""What may lie in a section's directory instead of a model: links, devices, odd names, motion."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.attacks.collection import Attack, Format

Make = Callable[[Path, Path], None]

_ROOT = os.geteuid() == 0
_NOBODY = 65534
_SPARSE = 10 << 30
_LARGE = 30 << 20  # takes long enough to copy that a writer is sure to be seen
_SECONDS = 60


def saved_model(directory: Path, name: str = "model") -> Path:
    """Make a directory as `model.export` does, but for the graph."""
    model = directory / name
    (model / "variables").mkdir(parents=True)
    (model / "assets").mkdir()
    (model / "saved_model.pb").write_bytes(b"graph")
    (model / "variables" / "variables.index").write_bytes(b"index")
    return model


# --- special files


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    directory = os.open(path.parent, os.O_RDONLY)
    try:  # the path of a socket must be short
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(f"/proc/self/fd/{directory}/{path.name}")
    finally:
        os.close(directory)


def _device(kind: int, major: int, minor: int) -> Callable[[Path], None]:
    return lambda path: os.mknod(path, kind | 0o666, os.makedev(major, minor))


def _link(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


def _others_file(path: Path) -> None:
    secret = path.parent.parent / f"secret of another, {path.name}"
    secret.write_bytes(b"PK")
    secret.chmod(0o600)
    path.hardlink_to(secret)
    os.chown(secret, _NOBODY, _NOBODY)


_SPECIAL: dict[str, Callable[[Path], None]] = {
    "FIFO": _fifo,
    "socket": _socket,
    "link to passwd": _link("/etc/passwd"),
    "link to the vault": _link("../../.vault/1-regression/final/labels"),
    "link to its own memory": _link("/proc/self/mem"),
    "link to standard input": _link("/proc/self/fd/0"),
    "link to itself": _link("model.keras"),
    "link to a directory": _link("/"),
}
if _ROOT:
    _SPECIAL |= {
        "endless device": _device(stat.S_IFCHR, 1, 5),
        "terminal": _device(stat.S_IFCHR, 5, 0),
        "disk": _device(stat.S_IFBLK, 7, 0),
        "hard link to another's file": _others_file,
    }


def _specials() -> Iterator[Attack]:
    for name, make in _SPECIAL.items():
        known = "links" if "link" in name else "odd names and files"

        def as_model(directory: Path, honest: Path, make: Callable[[Path], None] = make) -> None:
            make(directory / "model.keras")

        def inside(directory: Path, honest: Path, make: Callable[[Path], None] = make) -> None:
            make(saved_model(directory) / "assets" / "model.keras")

        def as_graph(directory: Path, honest: Path, make: Callable[[Path], None] = make) -> None:
            graph = saved_model(directory) / "saved_model.pb"
            graph.unlink()
            make(graph)

        yield Attack(name, "directory", known, "unsafe_path", make=as_model)
        yield Attack(f"{name} among assets", "savedmodel", "links", "unsafe_path", make=inside)
        yield Attack(f"{name} as graph", "savedmodel", "links", "unsafe_path", make=as_graph)


def _section_is_a_link(directory: Path, honest: Path) -> None:
    other = directory.with_name("somebody-else")
    other.mkdir()
    shutil.copy(honest, other / "model.keras")
    directory.rmdir()
    directory.symlink_to(other)


def _saved_model_is_a_link(directory: Path, honest: Path) -> None:
    (directory / "model").symlink_to(saved_model(directory.with_name("elsewhere")))


def _variables_are_a_link(directory: Path, honest: Path) -> None:
    model = saved_model(directory)
    shutil.rmtree(model / "variables")
    (model / "variables").symlink_to("/proc/self")


# --- very much of it


def _sparse(name: str) -> Make:
    def make(directory: Path, honest: Path) -> None:
        if "/" in name:
            saved_model(directory)
        with (directory / name).open("wb") as stream:
            stream.truncate(_SPARSE)

    return make


def _very_many_files(directory: Path, honest: Path) -> None:
    assets = saved_model(directory) / "assets"
    for number in range(100_000):
        os.close(os.open(assets / str(number), os.O_CREAT | os.O_WRONLY))


def _very_many_models(directory: Path, honest: Path) -> None:
    for number in range(300):
        (directory / f"{number}.keras").touch()


def _deep(directory: Path, honest: Path) -> None:
    saved_model(directory).joinpath(*["d"] * 200).mkdir(parents=True)


# --- names


def _named(name: str | bytes) -> Make:
    def make(directory: Path, honest: Path) -> None:
        shutil.copy(honest, os.fsdecode(os.fsencode(directory) + b"/" + os.fsencode(name)))

    return make


def _asset_named(name: str | bytes) -> Make:
    def make(directory: Path, honest: Path) -> None:
        assets = saved_model(directory) / "assets"
        Path(os.fsdecode(os.fsencode(assets) + b"/" + os.fsencode(name))).touch()

    return make


_HONEST_NAMES: dict[str, str | bytes] = {
    "name with a newline": "model\nscore: 5\n.keras",
    "name with escape codes": "\x1b[2J\x1b]0;5 of 5\x07.keras",
    "name from right to left": "\u202eledom.keras",
    "name that is no text": b"\xff\xfe.keras",
    "name of 255 bytes": "m" * 249 + ".keras",
    "name in capitals": "MODEL.KERAS",
    "name with a Kelvin sign": "model.\u212aeras",
    "name like a way up": "model...keras",
    "name like ours": "%s{0}$(id);`id`.keras",
    "name like an option": "--help.keras",
}
_NAMES_OF_NOTHING: dict[str, str] = {
    "hidden name": ".model.keras",
    "name like the directory above": "..keras",
    "name with a space at its end": "model.keras ",
    "name with an invisible end": "model.keras\u200b",
    "name in wide letters": "model.\uff4beras",
}


def _two(*names: str) -> Make:
    def make(directory: Path, honest: Path) -> None:
        for name in names:
            shutil.copy(honest, directory / name)

    return make


# --- nothing in it


def _empty(name: str) -> Make:
    def make(directory: Path, honest: Path) -> None:
        if name.endswith(".pb"):
            saved_model(directory)
        (directory / name).write_bytes(b"")

    return make


def _closed(directory: Path, honest: Path) -> None:
    shutil.copy(honest, directory / "model.keras")
    (directory / "model.keras").chmod(0)


# --- motion


def _in_motion(step: Callable[[Path, int], None]) -> Make:
    """Go on changing a large file until its directory is gone, or for a minute."""

    def make(directory: Path, honest: Path) -> None:
        model = directory / "model.keras"
        for path in (model, directory / ".one", directory / ".other"):
            shutil.copy(honest, path)
            with path.open("ab") as stream:
                stream.truncate(_LARGE)

        def move() -> None:
            until, number = time.monotonic() + _SECONDS, 0
            while time.monotonic() < until and directory.exists():
                number += 1
                try:
                    step(model, number)
                except OSError:
                    return
                time.sleep(0.0005)

        threading.Thread(target=move, daemon=True).start()

    return make


def _to_and_fro(model: Path, number: int) -> None:
    next_one = model.with_name(".next")
    next_one.hardlink_to(model.with_name(".one" if number % 2 else ".other"))
    next_one.replace(model)


def _in_place(model: Path, number: int) -> None:
    about = model.stat()
    with model.open("r+b") as stream:
        stream.seek(number * 4096 % _LARGE)
        stream.write(b"other")
    os.utime(model, ns=(about.st_atime_ns, about.st_mtime_ns))  # as if nothing had happened


def _growing(model: Path, number: int) -> None:
    with model.open("ab") as stream:
        stream.write(bytes(1))


def _shrinking(model: Path, number: int) -> None:
    os.truncate(model, _LARGE if number % 2 else _LARGE // 3)


def _attacks() -> Iterator[Attack]:
    def files(
        name: str,
        reason: str | None,
        make: Make,
        *,
        known: str = "odd names and files",
        form: Format = "directory",
        says: str = "",
    ) -> Attack:
        return Attack(name, form, known, reason, says=says, make=make, honest=reason is None)

    yield from _specials()
    yield files(
        "directory is a link", "unsafe_path", _section_is_a_link, known="links", says="is a link"
    )
    linked = {
        "whole model is a link": _saved_model_is_a_link,
        "variables are a link": _variables_are_a_link,
    }
    for name, make in linked.items():
        yield files(name, "unsafe_path", make, known="links", form="savedmodel")
    sparse: tuple[tuple[str, Format], ...] = (
        ("model.keras", "keras"),
        ("model.h5", "h5"),
        ("model/variables/variables.data-00000-of-00001", "savedmodel"),
    )
    for name, form in sparse:
        yield files("10 GB of holes", "too_large", _sparse(name), known="bombs", form=form)
    yield files(
        "100,000 files",
        "too_large",
        _very_many_files,
        known="bombs",
        form="savedmodel",
        says="over 2000 files",
    )
    yield files("300 models", "several_models", _very_many_models)
    yield files("200 directories deep", "unsafe_path", _deep, known="bombs", form="savedmodel")
    for name, file in _HONEST_NAMES.items():
        yield files(name, None, _named(file))
    for name, file in _NAMES_OF_NOTHING.items():
        yield files(name, "no_model", _named(file))
    for name in ("name with a newline", "name with escape codes", "name from right to left"):
        yield files(f"{name} among assets", "unsafe_path", _asset_named(_HONEST_NAMES[name]))
    yield files("name that is no text among assets", "unsafe_path", _asset_named(b"\xff\xfe"))
    yield files(
        "names that normalise alike", "several_models", _two("mod\u00e8le.keras", "mode\u0300le.h5")
    )
    yield files("names that fold alike", "several_models", _two("model.keras", "MODEL.KERAS"))
    yield files("empty file", "not_a_model", _empty("model.keras"))
    yield files("empty HDF5 file", "not_a_model", _empty("model.h5"))
    yield files("empty graph", "not_a_model", _empty("model/saved_model.pb"))
    # Root may read what nobody may.
    yield files("closed file", None if _ROOT else "unsafe_path", _closed)
    motions = {
        "swapped with another": _to_and_fro,
        "rewritten with its time set back": _in_place,
        "growing": _growing,
        "cut off and grown again": _shrinking,
    }
    for name, step in motions.items():
        yield files(
            name,
            "not_a_model",
            _in_motion(step),
            known="swapped while graded",
            says="was being written",
        )


ODD_FILES: tuple[Attack, ...] = tuple(_attacks())
