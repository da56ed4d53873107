"""Lay out the candidate's directory. What is there already is theirs and stays as it is."""

from __future__ import annotations

import contextlib
import os
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from exam_cli.config.section import Section
from exam_cli.sections.vault import SectionData

_GIVEN = ("task.md", "starter.py", "starter.ipynb")


def lay_out(workspace: Path, section: Section, data: SectionData) -> list[Path]:
    """Give a section its directory: task, starter, training data. Return the files written.

    A file or a data directory that exists is never touched, whatever it holds. Each appears whole
    or not at all.
    """
    directory = workspace / section.directory
    directory.mkdir(parents=True, exist_ok=True)
    given = {name: section.folder / name for name in _GIVEN if (section.folder / name).is_file()}
    written = list(_write_missing(directory, {**given, **data.train}.items()))
    return written + [
        directory / name
        for name, archive in data.trees.items()
        if _unpack_missing(directory / name, archive)
    ]


def _write_missing(directory: Path, files: Iterable[tuple[str, Path]]) -> Iterable[Path]:
    for name, source in files:
        target = directory / name
        if os.path.lexists(target):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".part-") as draft:
            draft.write(source.read_bytes())
            draft.flush()
            os.fchmod(draft.fileno(), 0o644)
            with contextlib.suppress(FileExistsError):  # link, unlike rename, never replaces
                os.link(draft.name, target)
                yield target


def _unpack_missing(target: Path, archive: Path) -> bool:
    """Make the directory `target` from a tar archive of plain files, unless it exists."""
    if os.path.lexists(target):
        return False
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".part-") as scratch:
        draft = Path(scratch, target.name)
        with tarfile.open(archive) as tar:
            for member in tar:
                content = tar.extractfile(member)
                assert content is not None, member.name  # the builder packs nothing but files
                path = draft / member.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.read())
                path.chmod(0o644)
        try:
            draft.rename(target)
        except OSError:
            if not os.path.lexists(target):  # else somebody else was faster
                raise
            return False
    return True
