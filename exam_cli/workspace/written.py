"""Files written for a session's editors, beside or into files of the candidate's, and taken back.

What stood in a file before is kept in the session's record until it is taken back. A file that the
candidate, or their editor, changed afterwards loses only what is ours.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from exam_cli.errors import ExamError
from exam_cli.files import locked, read_small_file, write_file, writing
from exam_cli.session.session import Session

_LIMIT = 1 << 20


class Unreadable(Exception):
    """A file of the candidate's cannot be understood, so nothing is put into it."""


class Part(Protocol):
    """What we want to stand in one file. Both directions are plain functions of its text."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def mode(self) -> int:
        """Its permissions, if it is made."""

    def add(self, text: str | None) -> str:
        """Return the text with our part in it. None: there is no file. Raises `Unreadable`."""

    def remove(self, text: str) -> str | None:
        """Return the text without our part; None when nothing else is left. Raises `Unreadable`."""


@dataclass(frozen=True)
class Note:
    """What we did to a file: its text before, None for no file, and after; directories we made.

    Places in the workspace are noted relative to it, for it may be moved.
    """

    path: str
    before: str | None
    after: str
    made: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """The files that carry our part now, and those that were left alone, each with the reason."""

    written: tuple[Path, ...]
    left: tuple[tuple[Path, str], ...]


def write(session: Session, parts: Iterable[Part]) -> Outcome:
    """Put each part into its file, or leave that alone and say why.

    Each change is noted durably before it is made, so that it can be taken back whatever happens.
    Raises DiskFull, ExamError when something cannot be written.
    """
    written: list[Path] = []
    left: list[tuple[Path, str]] = []
    with locked(_journal(session).with_suffix(".lock")):
        notes = _read(session)
        for part in parts:
            try:
                _write(session, notes, part)
            except Unreadable as why:
                left.append((part.path, str(why)))
            else:
                written.append(part.path)
    return Outcome(tuple(written), tuple(left))


def _write(session: Session, notes: dict[str, Note], part: Part) -> None:
    name = _noted(session, part.path)
    inside = part.path.parent.is_relative_to(session.workspace)
    if inside and part.path.parent.resolve() != part.path.parent:
        raise Unreadable("its directory is a link")  # which a program of theirs may have made
    noted = notes.get(name)
    now = _text(part.path)
    before = now
    if noted is not None and now is not None:
        before = noted.before if now == noted.after else part.remove(now)
    after = part.add(before)
    if after == now and noted is not None:
        return
    made = noted.made if noted is not None else _made(session, part.path)
    notes[name] = Note(name, before, after, made)
    _save(session, notes)
    with writing(part.path):
        for directory in _missing(part.path.parent):
            directory.mkdir(mode=0o755 if part.mode & 0o077 else 0o700)
        mode = part.path.stat().st_mode & 0o777 if now is not None else part.mode
        write_file(part.path, after.encode(), mode)


def take_back(session: Session, parts: Iterable[Part]) -> list[Path]:
    """Take our parts out of all files that were written for a session; return those left behind.

    `parts` are those that would be written now: they know what is ours in a file that was changed.
    """
    known = {_noted(session, part.path): part for part in parts}
    behind = []
    with locked(_journal(session).with_suffix(".lock")):
        notes = _read(session)
        for name, note in reversed(list(notes.items())):  # directories after what lies in them
            path = session.workspace / name
            with writing(path):
                if not _restore(path, note, known.get(name)):
                    behind.append(path)
                for directory in reversed(note.made):
                    with suppress(OSError):  # it holds something else
                        (session.workspace / directory).rmdir()
            del notes[name]
            _save(session, notes)
    return behind


def _restore(path: Path, note: Note, part: Part | None) -> bool:
    """Give a file back the text that it had; say whether nothing of ours is left in it."""
    try:
        now = _text(path)
        if now is None or now == note.before:
            return True
        if now == note.after:
            rest = note.before
        elif part is not None:
            rest = part.remove(now)
        else:
            return False
    except Unreadable:
        return False
    if rest is None:
        path.unlink()
    elif rest != now:
        write_file(path, rest.encode(), path.stat().st_mode & 0o777)
    return True


def _noted(session: Session, path: Path) -> str:
    """Return a path as it is noted."""
    if path.is_relative_to(session.workspace):
        return str(path.relative_to(session.workspace))
    return str(path)


def _made(session: Session, path: Path) -> tuple[str, ...]:
    """Return the directories that will be made for a file, as they are noted."""
    return tuple(_noted(session, one) for one in _missing(path.parent))


def _missing(directory: Path) -> list[Path]:
    """Return the directories that have to be made, the outermost first."""
    wanted = [directory, *directory.parents]
    return [one for one in reversed(wanted) if not os.path.lexists(one)]


def _text(path: Path) -> str | None:
    """Return a file's text, None when there is none. Raises `Unreadable`."""
    if not os.path.lexists(path):
        return None
    found = read_small_file(path, _LIMIT)
    if found is None:
        raise Unreadable("it is a link, too large, or cannot be read")
    try:
        return found.decode()
    except UnicodeDecodeError as error:
        raise Unreadable("it is no UTF-8") from error


def _journal(session: Session) -> Path:
    return session.directory / "written.json"


def _read(session: Session) -> dict[str, Note]:
    path = _journal(session)
    if not path.exists():
        return {}
    try:
        noted = json.loads(path.read_bytes())
        notes = [Note(**{**one, "made": tuple(one["made"])}) for one in noted]
    except (ValueError, TypeError, KeyError) as error:
        raise ExamError(
            f"{path} cannot be understood; delete it, and what was written for editors stays."
        ) from error
    return {note.path: note for note in notes}


def _save(session: Session, notes: dict[str, Note]) -> None:
    text = json.dumps([asdict(note) for note in notes.values()], indent=1)
    with writing(_journal(session)):
        write_file(_journal(session), text.encode())
