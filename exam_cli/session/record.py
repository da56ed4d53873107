"""The record of a session: a directory of its own, apart from what the candidate can touch."""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from exam_cli.config.exam import Exam
from exam_cli.config.values import made, plain
from exam_cli.errors import ExamError
from exam_cli.files import sync_directory, write_file
from exam_cli.paths import data_dir
from exam_cli.session import lost
from exam_cli.session.ledger import Ledger

_DRAFT = ".draft-"  # a directory being made or being removed
_FIELDS = ("id", "exam", "edition", "variant", "workspace", "token")
_SEED_BYTES = 32


@dataclass(frozen=True)
class Session:
    """One candidate sitting one exam. `directory` holds its record, `workspace` their work."""

    id: str  # 12 hex digits: fit for a path, a container name and a label
    exam: str
    edition: str
    variant: str
    workspace: Path
    directory: Path
    token: str = field(repr=False)  # of the workspace's Jupyter

    @property
    def ledger_path(self) -> Path:
        """The ledger, which is there as long as the record is."""
        return self.directory / "ledger.sqlite"

    @property
    def seed(self) -> bytes:
        """The 32 secret bytes that the hidden data is drawn from. Raises lost.NoSession."""
        try:
            seed = _seed_path(self.directory).read_bytes()
        except OSError as error:
            raise lost.record_damaged(self.directory, f"seed: {error.strerror}") from error
        if len(seed) != _SEED_BYTES:
            raise lost.record_damaged(self.directory, f"its seed is not {_SEED_BYTES} bytes long")
        return seed

    @cached_property
    def rules(self) -> Exam:
        """The exam, as its file said when the session began. Raises lost.NoSession."""
        try:
            return made(Exam, json.loads(_rules_path(self.directory).read_bytes()))
        except OSError as error:
            raise lost.record_damaged(self.directory, f"exam.json: {error.strerror}") from error
        except ValueError as error:
            raise lost.record_damaged(self.directory, "exam.json cannot be understood") from error

    @property
    def vault(self) -> Path:
        """Where the hidden data goes; not made here."""
        return self.directory / "vault"

    @property
    def snapshots(self) -> Path:
        """Where the graded models go; not made here."""
        return self.directory / "snapshots"


def sessions_dir() -> Path:
    """Return where all records lie, made or not."""
    return data_dir() / "sessions"


def create(workspace: Path, exam: Exam, edition: str, variant: str) -> Session:
    """Make the record of a new session, whole or not at all; call it with the lock held.

    Its seed is drawn from the exam's, so that all who sit that exam get the same hidden data, or at
    random where the exam has none.

    Raises OSError, DiskFull, LedgerError.
    """
    root = sessions_dir()
    for left in root.glob(f"{_DRAFT}*"):  # by a command that was killed: the lock says it is dead
        shutil.rmtree(left, ignore_errors=True)
    id = secrets.token_hex(6)
    session = Session(
        id, exam.exam, edition, variant, workspace, root / id, token=secrets.token_urlsafe(24)
    )
    draft = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=root))  # mode 0700
    try:
        write_file(_seed_path(draft), exam.seed_bytes or secrets.token_bytes(_SEED_BYTES))
        write_file(_rules_path(draft), json.dumps(plain(exam), indent=2).encode())
        Ledger(draft / session.ledger_path.name).close()
        save(session, draft)
        draft.rename(session.directory)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    sync_directory(root)
    return session


def remove(session: Session) -> None:
    """Take the whole record away; call it with the lock held. Raises OSError."""
    dying = session.directory.with_name(f"{_DRAFT}{session.id}")
    session.directory.rename(dying)  # in one step: half a record would look like a damaged one
    shutil.rmtree(dying)


def save(session: Session, directory: Path | None = None) -> None:
    """Write session.json in one step. Raises OSError."""
    noted = {name: str(getattr(session, name)) for name in _FIELDS}
    text = json.dumps(noted, indent=2) + "\n"
    write_file(_json_path(directory or session.directory), text.encode("ascii"))


def load(directory: Path) -> Session:
    """Read a record that must be there. Raises lost.NoSession when it is not whole."""
    try:
        noted = json.loads(_json_path(directory).read_bytes())
        values = {name: noted[name] for name in _FIELDS}
    except OSError as error:
        raise lost.record_damaged(directory, f"session.json: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise lost.record_damaged(directory, "session.json cannot be understood") from error
    if not all(isinstance(value, str) for value in values.values()):
        raise lost.record_damaged(directory, "session.json cannot be understood")
    if values["id"] != directory.name:
        raise lost.record_damaged(directory, f"it is that of session {values['id']}")
    session = Session(**{**values, "workspace": Path(values["workspace"])}, directory=directory)
    # Without this look, opening the ledger would make a new one, and the attempts would be gone.
    for path in (session.ledger_path, _seed_path(directory), _rules_path(directory)):
        if not path.is_file():
            raise lost.record_damaged(directory, f"{path.name} is missing")
    return session


def all_sessions() -> list[Session]:
    """Return every session whose record is whole; the record written last comes last."""
    found = []
    for path in sessions_dir().glob("[!.]*/session.json"):
        with suppress(ExamError, OSError):
            found.append((path.stat().st_mtime_ns, path.parent.name, load(path.parent)))
    return [session for _, _, session in sorted(found, key=lambda entry: entry[:2])]


def _json_path(directory: Path) -> Path:
    return directory / "session.json"


def _rules_path(directory: Path) -> Path:
    return directory / "exam.json"


def _seed_path(directory: Path) -> Path:
    return directory / "seed"
