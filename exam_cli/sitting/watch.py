"""`exam watch`: notice that a new model has been written completely."""

from __future__ import annotations

import os
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from exam_cli.config.section import Section
from exam_cli.grading.intake import models_in

_LOOK_SECONDS = 0.5
_QUIET_SECONDS = 2.0  # nobody who saves a model pauses that long between two writes
_MOST_FILES = 10_000

# Path, size in bytes, time of change in nanoseconds and inode of each file of a section's models.
Files = frozenset[tuple[str, int, int, int]]


@dataclass
class _Seen:
    """What lay in a directory when last looked, since when, and what was graded last."""

    files: Files
    since: float
    done: Files


def new_models(
    sections: Iterable[Section],
    workspace: Path,
    over: Callable[[], bool],
    *,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Section]:
    """Return the sections as a new model lies in their directories and is written completely.

    What lies there now, at the call, is known already. A model is complete when none of its files
    has changed for two seconds and, if it is a .keras file, its table of contents is there, which
    is written last. Nothing is locked: a model that changes again is noticed again.

    Args:
        sections: which are watched.
        workspace: the candidate's directory; sections' directories may come and go.
        over: asked between looks whether to stop.
        now: seconds of a clock that never goes back.
        sleep: waits so many seconds.
    """
    watched = list(sections)
    seen = {}
    for section in watched:
        files = files_of(workspace / section.directory)
        seen[section.section] = _Seen(files, now(), files)
    return _noticed(watched, workspace, seen, over, now, sleep)


def _noticed(
    watched: list[Section],
    workspace: Path,
    seen: dict[int, _Seen],
    over: Callable[[], bool],
    now: Callable[[], float],
    sleep: Callable[[float], None],
) -> Iterator[Section]:
    while not over():
        sleep(_LOOK_SECONDS)
        for section in watched:
            directory, known = workspace / section.directory, seen[section.section]
            files = files_of(directory)
            if files != known.files:
                known.files, known.since = files, now()
            elif files != known.done and now() - known.since >= _QUIET_SECONDS:
                if files and not _closed(directory, files):
                    continue
                known.done = files
                if files:
                    yield section


def files_of(directory: Path) -> Files:
    """Return the files of all models in a directory; none when it is not there."""
    found = set()
    try:
        for name in models_in(directory):
            path = directory / name
            inner = _tree(path) if path.is_dir() and not path.is_symlink() else [path]
            for file in inner:
                about = file.lstat()
                place = str(file.relative_to(directory))
                found.add((place, about.st_size, about.st_mtime_ns, about.st_ino))
                if len(found) >= _MOST_FILES:
                    break
    except OSError:  # something went away while it was looked at: the next look tells
        pass
    return frozenset(found)


def _tree(path: Path) -> Iterator[Path]:
    for folder, _, files in os.walk(path):
        yield from (Path(folder, name) for name in files)


def _closed(directory: Path, files: Files) -> bool:
    """Say whether every .keras file among these has its table of contents."""
    for place, *_ in files:
        path = directory / place
        if path.suffix.lower() == ".keras" and path.is_file() and not path.is_symlink():
            try:
                if not zipfile.is_zipfile(path):
                    return False
            except OSError:
                return False
    return True
