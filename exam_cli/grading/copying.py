"""Copy plain files out of a directory that belongs to somebody else, who may change it meanwhile.

Every name is opened relative to its directory, once, without following links and without waiting.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from exam_cli.grading.verdict import Rejection

FORMATS = "model.keras, model.h5 or a SavedModel directory"
_MAX_FILES = 2000
_MAX_DEPTH = 8


class StillChangingError(Exception):
    """The file changed between the first and the last byte."""


def shown(name: str) -> str:
    """Return a candidate's file name so that no terminal obeys it."""
    return name.encode("unicode_escape").decode("ascii")[:100]


def _too_large(name: str, limit: int) -> Rejection:
    return Rejection("too_large", f"{shown(name)} is over the limit of {limit >> 20} MB.")


def _unsafe(name: str) -> Rejection:
    return Rejection(
        "unsafe_path",
        f"{shown(name)} is a link or a special file: only plain files and directories are graded.",
    )


def _no_model(name: str) -> Rejection:
    return Rejection(
        "not_a_model",
        f"{shown(name)} is a directory without a saved_model.pb: save one {FORMATS}.",
    )


def unreadable(name: str) -> Rejection:
    """Return what is said of a file that the grader may not open."""
    return Rejection(
        "unsafe_path", f"{shown(name)} cannot be read: give yourself permission to read it."
    )


def _open_plain(directory: int, source: str, name: str) -> int:
    """Open one plain file of a directory; in a sentence it is called `name`."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        # Opening a device may already do something, so look first.
        _check_plain(os.stat(source, dir_fd=directory, follow_symlinks=False), directory, name)
        descriptor = os.open(source, flags, dir_fd=directory)
    except FileNotFoundError:
        raise StillChangingError from None
    except PermissionError:
        raise unreadable(name) from None
    except OSError:  # ELOOP for a link that has come meanwhile
        raise _unsafe(name) from None
    try:
        _check_plain(os.fstat(descriptor), directory, name)
    except Rejection:
        os.close(descriptor)
        raise
    return descriptor


def _check_plain(about: os.stat_result, directory: int, name: str) -> None:
    if stat.S_ISDIR(about.st_mode):
        raise _no_model(name)
    if not stat.S_ISREG(about.st_mode):
        raise _unsafe(name)
    if about.st_nlink > 1 and about.st_uid != os.fstat(directory).st_uid:
        raise Rejection(
            "unsafe_path",
            f"{shown(name)} is a second name of a file of another user: save a copy there.",
        )


def copy_file(directory: int, source: str, target: Path, limit: int, name: str) -> tuple[int, str]:
    """Copy one plain file of at most `limit` bytes; return its size and sha256."""
    descriptor = _open_plain(directory, source, name)
    before = os.fstat(descriptor)
    with os.fdopen(descriptor, "rb") as stream:
        if before.st_size > limit:
            raise _too_large(name, limit)
        digest, size = hashlib.sha256(), 0
        with target.open("xb") as out:
            while piece := stream.read(1 << 20):
                size += len(piece)
                if size > limit:
                    raise _too_large(name, limit)
                digest.update(piece)
                out.write(piece)
            out.flush()
            os.fsync(out.fileno())
        after = os.fstat(descriptor)
    # Whoever writes can set the time of writing back, but not that of the last change.
    if (before.st_ctime_ns, before.st_size) != (after.st_ctime_ns, size):
        raise StillChangingError
    return size, digest.hexdigest()


def tree_line(name: str, size: int, sha256: str) -> bytes:
    """Return what one file adds to the hash of a SavedModel directory."""
    return f"{len(name)}:{name}:{size}:{sha256}\n".encode()


def copy_tree(
    directory: int, source: str, target: Path, limit: int
) -> tuple[list[tuple[str, int]], str]:
    """Copy a directory of plain files; return [(name, size)] and one sha256 over all."""
    files: list[tuple[str, int]] = []
    digest, left = hashlib.sha256(), limit
    for inner, descriptor in _walk(directory, source):
        name = f"{source}/{inner}"
        if not inner.isprintable():
            raise Rejection("unsafe_path", f"{shown(name)} has a name that is not printable text.")
        (target / inner).parent.mkdir(parents=True, exist_ok=True)
        try:
            size, one = copy_file(descriptor, Path(inner).name, target / inner, left, name)
        except Rejection as rejection:
            if rejection.reason == "too_large":
                raise _too_large(source, limit) from None
            raise
        left -= size
        files.append((inner, size))
        digest.update(tree_line(inner, size, one))
    return files, digest.hexdigest()


def _walk(directory: int, source: str) -> Iterator[tuple[str, int]]:
    """Yield (relative name, its directory's descriptor) of all files, in order; follow no link.

    A directory's files come before its directories. `os.fwalk` would wait for ever at a pipe that
    has taken a directory's place.
    """
    seen = 0

    def inside(parent: int, name: str, here: PurePosixPath) -> Iterator[tuple[str, int]]:
        nonlocal seen
        if len(here.parts) > _MAX_DEPTH:
            raise Rejection("unsafe_path", f"{shown(source)} is nested too deeply.")
        folders: list[str] = []
        files: list[str] = []
        with _opened_inside(parent, name, (source / here).as_posix()) as descriptor:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    (folders if entry.is_dir(follow_symlinks=False) else files).append(entry.name)
                    seen += 1
                    if seen > _MAX_FILES:
                        raise Rejection(
                            "too_large",
                            f"{shown(source)} has over {_MAX_FILES} files: it is no model.",
                        )
            for file in sorted(files):
                yield (here / file).as_posix(), descriptor
            for folder in sorted(folders):
                yield from inside(descriptor, folder, here / folder)

    return inside(directory, source, PurePosixPath())


@contextlib.contextmanager
def _opened_inside(parent: int, name: str, called: str) -> Iterator[int]:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(name, flags, dir_fd=parent)
    except FileNotFoundError:
        raise StillChangingError from None
    except PermissionError:
        # Without this look, its files would just be left out.
        raise unreadable(called) from None
    except OSError:  # ENOTDIR or ELOOP for a link
        raise _unsafe(called) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)
