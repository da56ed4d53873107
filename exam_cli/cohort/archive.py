"""Unpack what a candidate handed in as an archive: plain files under a section's directory only.

The archive is a stranger's. Names are looked at before anything is written, sizes while it is;
links, devices, absolute and `..` names, doubled names and encrypted members are refused as a whole,
for then nobody can say what was handed in.
"""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from exam_cli.errors import ExamError
from exam_cli.grading.intake import shown

_MAX_MEMBERS = 20_000
_MAX_BYTES = 4 << 30


@dataclass(frozen=True)
class _Member:
    name: str
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, to: Path, directories: Iterable[str]) -> None:
    """Unpack the members of an archive that lie in one of `directories`.

    All may lie in one directory more, as when a directory was packed and not what is in it.
    Raises `ExamError` with a sentence about the archive; `to` is then half filled.
    """
    wanted = frozenset(directories)
    left = _MAX_BYTES
    try:
        for member in _plain_members(archive):
            parts = PurePosixPath(member.name).parts
            inside = parts if parts[0] in wanted else parts[1:]
            if len(inside) < 2 or inside[0] not in wanted:
                continue  # a task's text, say: no model
            target = to.joinpath(*inside)
            target.parent.mkdir(parents=True, exist_ok=True)
            with member.open() as source, target.open("xb") as out:
                while piece := source.read(1 << 20):
                    left -= len(piece)
                    if left < 0:
                        raise _refused(archive, f"holds over {_MAX_BYTES >> 30} GB")
                    out.write(piece)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise _refused(archive, "cannot be read to its end") from error
    except FileExistsError as error:
        raise _refused(archive, "holds two files of one name") from error
    except NotImplementedError as error:  # a compression that Python does not know
        raise _refused(archive, "is compressed in a way that is not read here") from error
    except NotADirectoryError as error:
        raise _refused(archive, "holds a file and a directory of one name") from error


def _refused(archive: Path, why: str) -> ExamError:
    return ExamError(f"The archive {shown(archive.name)} {why}: it must be handed in again.")


def _plain_members(archive: Path) -> Iterator[_Member]:
    if archive.name.lower().endswith(".zip"):
        yield from _zip_members(archive)
    else:
        yield from _tar_members(archive)


def _zip_members(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as package:
        infos = package.infolist()
        for number, info in enumerate(infos):
            _check_name(archive, info.filename, number)
            if info.flag_bits & 1:
                raise _refused(archive, "is encrypted")
            kind = (info.external_attr >> 16) & 0o170000
            if kind not in (0, 0o100000, 0o040000):
                raise _refused(archive, f"holds {shown(info.filename)}, a link or special file")
            if not info.is_dir():
                yield _Member(info.filename, lambda info=info: package.open(info))  # type: ignore[misc]


def _tar_members(archive: Path) -> Iterator[_Member]:
    with tarfile.open(archive) as package:
        for number, info in enumerate(package):
            _check_name(archive, info.name, number)
            if info.isdir():
                continue
            if not info.isreg() or info.issparse():
                raise _refused(archive, f"holds {shown(info.name)}, a link or special file")
            content = package.extractfile(info)
            assert content is not None, info.name  # it is a plain file
            yield _Member(info.name, lambda content=content: content)  # type: ignore[misc]


def _check_name(archive: Path, name: str, number: int) -> None:
    if number >= _MAX_MEMBERS:
        raise _refused(archive, f"has over {_MAX_MEMBERS} members")
    path = PurePosixPath(name)
    unsafe = path.is_absolute() or ".." in path.parts or "\\" in name or not name.isprintable()
    if unsafe or not path.parts:
        raise _refused(archive, f"holds {shown(name)}, which is no safe name")
