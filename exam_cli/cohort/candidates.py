"""Who handed in: each directory or archive of a cohort's directory is one candidate."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from exam_cli.errors import ExamError
from exam_cli.grading.copying import shown

ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")
_LONGEST_NAME = 100


@dataclass(frozen=True)
class Candidate:
    """One who handed in. `name` is fit for a table; `trouble` says why nothing can be graded."""

    name: str
    path: Path
    trouble: str | None = None


@dataclass(frozen=True)
class Roll:
    """A cohort: its candidates by name, and entries of the directory that are none."""

    candidates: tuple[Candidate, ...]
    strays: tuple[str, ...]


def call_the_roll(directory: Path) -> Roll:
    """Return who handed in under `directory`.

    A link is no candidate: it could lead to another's work. Who is there twice, as a directory and
    as an archive, say, is one candidate of whom nobody knows what to grade: nothing is.
    Raises `ExamError` when there is no such directory, or nobody in it.
    """
    if not directory.is_dir():
        raise ExamError(f"{directory} is no directory: name the one that holds the class's work.")
    found: dict[str, list[Path]] = {}
    strays = []
    for path in sorted(directory.iterdir()):
        name = _name_of(path)
        if name is None:
            strays.append(shown(path.name))
        else:
            found.setdefault(name, []).append(path)
    if not found:
        raise ExamError(
            f"{directory} holds no candidate: each must have a directory, or an archive "
            f"({', '.join(ARCHIVES)}), of a name of their own."
        )
    return Roll(tuple(_candidate(name, paths) for name, paths in found.items()), tuple(strays))


def _name_of(path: Path) -> str | None:
    if path.name.startswith(".") or path.is_symlink():
        return None
    if path.is_dir():
        return shown(path.name)
    for suffix in ARCHIVES:
        if path.name.lower().endswith(suffix) and len(path.name) > len(suffix) and path.is_file():
            return shown(path.name[: -len(suffix)])
    return None


def _candidate(name: str, paths: list[Path]) -> Candidate:
    if len(paths) > 1:
        names = " and ".join(shown(path.name) for path in paths)
        return Candidate(name, paths[0], f"There are two of that name, {names}: leave one.")
    if len(name) >= _LONGEST_NAME or re.fullmatch(r"[. ]+", name):
        return Candidate(name, paths[0], "That is no name for a candidate: rename it.")
    return Candidate(name, paths[0])
