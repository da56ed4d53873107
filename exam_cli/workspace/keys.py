"""A session's keys: who the SSH server is, and who may come in. Made once, kept in its record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from exam_cli.errors import ExamError
from exam_cli.files import locked, write_file, writing
from exam_cli.session.session import Session


@dataclass(frozen=True)
class Keys:
    """Where a session's keys are.

    Args:
        inside: the directory that the container sees as /etc/exam: the server's own key, whose key
            it lets in, Jupyter's token.
        user: the candidate's private key, which stays outside.
    """

    inside: Path
    user: Path

    @property
    def host(self) -> Path:
        """The server's private key."""
        return self.inside / "ssh_host_ed25519_key"

    @property
    def authorized(self) -> Path:
        """Whom the server lets in."""
        return self.inside / "authorized_keys"

    @property
    def token(self) -> Path:
        """Jupyter's token."""
        return self.inside / "jupyter-token"

    @property
    def known_hosts(self) -> Path:
        """What an SSH client needs to know the server again."""
        return self.user.with_name("known_hosts")

    @property
    def port(self) -> Path:
        """The port that the server had last: editors have noted it."""
        return self.user.with_name("port")


def keys_of(session: Session) -> Keys:
    """Return where a session's keys are, or will be."""
    return Keys(session.directory / "container", session.directory / "ssh" / "key")


def ensure_keys(session: Session) -> Keys:
    """Return a session's keys, making what is missing.

    Each file is written once and whole, so a server that was met once is known for good. Raises
    `ExamError` when a key was changed into something else, DiskFull, ExamError when the record
    cannot be written.
    """
    keys = keys_of(session)
    with writing(session.directory):
        for directory in (keys.inside, keys.user.parent):
            directory.mkdir(mode=0o700, exist_ok=True)
        with locked(session.directory / "ssh" / ".lock"):
            if not keys.token.exists():
                write_file(keys.token, session.token.encode())
            for key in (keys.host, keys.user):
                if not key.exists():
                    write_file(key, _new_key())
            # Made from the key that is there, so that the two always fit.
            allowed = _public(keys.user) + b" candidate\n"
            if not keys.authorized.exists() or keys.authorized.read_bytes() != allowed:
                write_file(keys.authorized, allowed)
    return keys


def host_names(session: Session) -> str:
    """Return the name by which an SSH client knows a session's server, whatever its port."""
    return f"exam-{session.id}"


def note_port(session: Session, port: int) -> None:
    """Keep the port that the server has, and tell SSH clients of its key there. Raises OSError."""
    keys = keys_of(session)
    host = _public(keys.host).decode()
    lines = [f"{name} {host}\n" for name in (host_names(session), f"[127.0.0.1]:{port}")]
    for path, text in ((keys.port, f"{port}\n"), (keys.known_hosts, "".join(lines))):
        if not path.exists() or path.read_text() != text:
            write_file(path, text.encode())


def noted_port(session: Session) -> int | None:
    """Return the port that the server had last, None when it never ran."""
    try:
        return int(keys_of(session).port.read_text())
    except (OSError, ValueError):
        return None


def _new_key() -> bytes:
    """Return a new Ed25519 private key as `ssh-keygen` writes one."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()
    )


def _public(key: Path) -> bytes:
    """Return the public half of a private key, as a line of OpenSSH without a comment.

    It is kept beside the key: to compute it takes longer than everything else here.
    """
    kept = key.with_name(f"{key.name}.pub")
    if not kept.exists() or kept.stat().st_mtime_ns < key.stat().st_mtime_ns:
        write_file(kept, _derived(key))
    return kept.read_bytes().strip()


def _derived(key: Path) -> bytes:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_ssh_private_key,
    )

    try:
        found = load_ssh_private_key(key.read_bytes(), password=None)
    except ValueError as error:
        raise ExamError(
            f"{key} is no key that an SSH server or client can use: delete it, and `exam up` makes "
            "a new one.",
            reason="unknown_key",
        ) from error
    return found.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
