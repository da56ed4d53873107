"""Files that survive a crash: whole or not there at all, and on the disk when a call returns."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from exam_cli.errors import DiskFull, ExamError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError met while writing at `path` into a sentence.

    Raises DiskFull when no room is left, ExamError (reason "not_writable") otherwise.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise DiskFull(
                f"No room is left to write {path}; free some space and run the command again."
            ) from error
        raise ExamError(
            f"{path} cannot be written ({error.strerror or error}); make it writable for you, "
            "or choose another place (EXAM_HOME for the record, --workspace for the workspace).",
            reason="not_writable",
        ) from error


def free_bytes(path: Path) -> int:
    """Return the room on the disk where `path` is, or will be made."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def sync_directory(directory: Path) -> None:
    """Make the names in `directory` durable. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_file(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Put `data` at `path` in one step, replacing what was there. Raises OSError.

    A link at `path` is replaced, never followed.
    """
    with appearing(path, mode) as stream:
        stream.write(data)


@contextmanager
def appearing(path: Path, mode: int = 0o600) -> Iterator[IO[bytes]]:
    """Yield a stream whose content is at `path` in one step when all is written.

    Raises OSError. Whatever else is raised inside leaves what was at `path` as it was.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "w+b") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(path.parent)


def read_small_file(path: Path, limit: int) -> bytes | None:
    """Return the bytes of a regular file of at most `limit` bytes, or None.

    For files in a workspace, where a program of the candidate may have put anything: a link, a
    pipe that never answers, or a file without end is None, as is one that is not there.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_size > limit:
            return None
        return os.read(descriptor, limit)
    except OSError:
        return None
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, timeout: float = 30.0) -> Iterator[None]:
    """Hold the lock file `path` alone. Waits at most `timeout` seconds.

    The kernel lets go of the lock when its holder dies, so a crash leaves nothing to clean up;
    the file itself stays, because removing it would let two holders in.
    Raises ExamError (reason "busy") when the time is up, OSError when the file cannot be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        until = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise ExamError(
                        f"Another `exam` command has held {path} for {timeout:.0f} seconds; "
                        "end it and run this one again.",
                        reason="busy",
                    ) from None
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)
