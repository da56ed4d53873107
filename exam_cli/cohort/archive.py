"""Unpack what a candidate handed in as an archive: plain files under a section's directory only.

The archive is a stranger's. Names are looked at before anything is written, sizes while it is;
links, devices, absolute and `..` names, doubled names and encrypted members are refused as a whole,
for then nobody can say what was handed in.
"""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TypeVar

from exam_cli.cohort.tar_stream import TarStream
from exam_cli.errors import ExamError
from exam_cli.grading.copying import shown
from exam_cli.grading.small_reads import InSmallReads, TooMuchError

_MAX_MEMBERS = 20_000
_MAX_BYTES = 4 << 30
_FREE_BYTES = 256 << 20  # and what unpacks to more than this and
_MOST_RATIO = 20  # so many times the archive is a bomb: weights hardly compress
_MAX_FOLDERS = 500
_MAX_DEPTH = 20
_MAX_PART = 255  # bytes of a name, as file systems have it
_MAX_LIST = 4 << 20  # bytes of a zip's list of members
_MAX_GLOBAL = 100  # of a tar's global headers, each of which is looked at for each member
_PIECE = 1 << 20
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


T = TypeVar("T")


@dataclass(frozen=True)
class _Member:
    name: str
    open: Callable[[], IO[bytes]]


class _UnreadableError(Exception):
    """The archive's reader raised `__cause__`."""


def unpack(archive: Path, to: Path, directories: Iterable[str]) -> None:
    """Unpack the members of an archive that lie in one of `directories`.

    All may lie in one directory more, as when a directory was packed and not what is in it.
    Raises `ExamError` with a sentence about the archive, `to` is then half filled; `OSError` when
    nothing can be written there.
    """
    wanted = frozenset(directories)
    left = limit = _limit(archive)
    folders: set[Path] = set()
    try:
        with closing(_plain_members(archive, limit)) as members:
            for member in _reading(members):
                parts = PurePosixPath(member.name).parts
                inside = parts if parts[0] in wanted else parts[1:]
                if len(inside) < 2 or inside[0] not in wanted:
                    continue  # a task's text, say: no model
                target = to.joinpath(*inside)
                folders.add(target.parent)
                if len(folders) > _MAX_FOLDERS:
                    raise _refused(archive, f"has files in over {_MAX_FOLDERS} directories")
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("xb") as out:
                    for piece in _reading(_pieces(member)):
                        left -= len(piece)
                        if left < 0:
                            raise TooMuchError
                        out.write(piece)
    except FileExistsError as error:
        raise _refused(archive, "holds two files of one name") from error
    except NotADirectoryError as error:
        raise _refused(archive, "holds a file and a directory of one name") from error
    except TooMuchError as error:
        raise _refused(
            archive, f"unpacks to over {limit >> 20} MB, or has a header that no packer writes"
        ) from error
    except _UnreadableError as error:
        if isinstance(error.__cause__, NotImplementedError):
            raise _refused(archive, "is compressed in a way that is not read here") from error
        raise _refused(archive, "cannot be read to its end") from error


def _limit(archive: Path) -> int:
    """Return how many bytes an archive may unpack to."""
    return min(_MAX_BYTES, _FREE_BYTES + _MOST_RATIO * archive.stat().st_size)


def _reading(items: Iterator[T]) -> Iterator[T]:
    """Yield what a reader yields; what it raises over a stranger's bytes is the archive's fault."""
    while True:
        try:
            item = next(items, None)
        except (ExamError, TooMuchError):
            raise
        except Exception as error:
            # The readers raise a dozen kinds of errors on damaged files; all mean the same.
            raise _UnreadableError from error
        if item is None:
            return
        yield item


def _pieces(member: _Member) -> Iterator[bytes]:
    with member.open() as source:
        while piece := source.read(_PIECE):
            yield piece


def _refused(archive: Path, why: str) -> ExamError:
    return ExamError(f"The archive {shown(archive.name)} {why}: it must be handed in again.")


def _plain_members(archive: Path, limit: int) -> Generator[_Member, None, None]:
    if archive.name.lower().endswith(".zip"):
        yield from _zip_members(archive)
    else:
        yield from _tar_members(archive, limit)


def _zip_members(archive: Path) -> Iterator[_Member]:
    with InSmallReads(archive, _MAX_LIST) as content, zipfile.ZipFile(content) as package:
        for number, info in enumerate(package.infolist()):
            _check_number(archive, number)
            kind = (info.external_attr >> 16) & 0o170000
            if kind not in (0, 0o100000, 0o040000):
                raise _refused(archive, f"holds {shown(info.filename)}, a link or special file")
            if info.flag_bits & 1:
                raise _refused(archive, "is encrypted")
            if not _is_plain_name(archive, info.filename, info.is_dir()):
                continue
            if info.compress_type not in _COMPRESSIONS:
                raise NotImplementedError
            yield _Member(info.filename, lambda info=info: package.open(info))  # type: ignore[misc]


def _tar_members(archive: Path, limit: int) -> Iterator[_Member]:
    with closing(TarStream(archive, limit)) as stream, tarfile.TarFile(fileobj=stream) as package:
        while (info := package.next()) is not None:
            package.members = []  # type: ignore[attr-defined]  # each may hold a copy of all headers
            _check_number(archive, stream.members)
            stream.members += 1
            if info.size < 0 or len(package.pax_headers) > _MAX_GLOBAL:
                raise TooMuchError
            if not (info.isdir() or info.isreg()) or info.issparse():
                raise _refused(archive, f"holds {shown(info.name)}, a link or special file")
            if not _is_plain_name(archive, info.name, info.isdir()):
                continue
            content = package.extractfile(info)
            assert content is not None, info.name  # it is a plain file
            stream.in_content = True
            yield _Member(info.name, lambda content=content: content)  # type: ignore[misc]
            stream.in_content = False
        if not stream.ended:
            raise _refused(archive, "cannot be read to its end")
        stream.check_the_rest()


def _check_number(archive: Path, number: int) -> None:
    if number >= _MAX_MEMBERS:
        raise _refused(archive, f"has over {_MAX_MEMBERS} members")


def _is_plain_name(archive: Path, name: str, directory: bool) -> bool:
    """Return whether it names a file, and not a directory. Raises `ExamError` if it is unsafe."""
    path = PurePosixPath(name)
    unsafe = (
        path.is_absolute()
        or ".." in path.parts
        or "\\" in name
        or not name.isprintable()
        or len(path.parts) > _MAX_DEPTH
        or any(len(part.encode()) > _MAX_PART for part in path.parts)
        or not (path.parts or directory)  # "./" is what `tar -C directory .` begins with
    )
    if unsafe:
        raise _refused(archive, f"holds {shown(name)}, which is no safe name")
    return not directory
