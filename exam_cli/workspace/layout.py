"""Lay out the candidate's directory. What is there already is theirs and stays as it is."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from exam_cli.config.section import Section
from exam_cli.sections.vault import SectionData

_GIVEN = ("task.md", "starter.py", "starter.ipynb")


def lay_out(workspace: Path, section: Section, data: SectionData) -> list[Path]:
    """Give a section its directory: task, starter, training data. Return the files written.

    A file that exists is never touched, whatever it holds. Each file appears whole or not at all.
    """
    directory = workspace / section.directory
    directory.mkdir(parents=True, exist_ok=True)
    given = {name: section.folder / name for name in _GIVEN if (section.folder / name).is_file()}
    return list(_write_missing(directory, {**given, **data.train}.items()))


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
