"""The key that signs: one for whoever grades on this machine, and public ones to verify with.

Ed25519 (RFC 8032), for its signatures are small, quick, and the same each time. Files are PEM, as
`openssl pkey` reads and writes them. `cryptography` takes 20 ms to import: only what signs or
verifies waits for it, and a grade has it imported while the model runs (`warming`).
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from exam_cli.errors import ExamError
from exam_cli.files import sync_directory, writing
from exam_cli.paths import data_dir

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_MOST_BYTES = 16 << 10


class BadKey(ExamError):
    """A key that cannot be used."""

    reason = "bad_key"


@dataclass(frozen=True)
class PublicKey:
    """Who signed. `raw` is the key's 32 bytes."""

    raw: bytes

    @cached_property
    def keyid(self) -> str:
        """The key's name: the SHA-256, in hex, of its SubjectPublicKeyInfo in DER."""
        return hashlib.sha256(_SPKI_START + self.raw).hexdigest()

    @property
    def pem(self) -> str:
        """The key as a file to give away."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        key = Ed25519PublicKey.from_public_bytes(self.raw)
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Say whether this key made a signature of a message."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):  # ValueError: 32 bytes that are no key
            return False
        return True


# What stands before an Ed25519 key's 32 bytes in a SubjectPublicKeyInfo (RFC 8410, section 4).
_SPKI_START = bytes.fromhex("302a300506032b6570032100")


class SigningKey:
    """The private half; it never leaves its file."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of a signature: the same each time."""
        return self._key.sign(message)


def key_path() -> Path:
    """Return where this machine's private key lies, made or not."""
    return data_dir() / "keys" / "signing.pem"


def signing_key() -> SigningKey:
    """Return this machine's key, made at first use; commands at the same time get the same one.

    Raises `BadKey` when the file is no such key, `ExamError` or `DiskFull` when it cannot be made.
    """
    path = key_path()
    if not path.exists():
        with writing(path):
            _make(path)
    return _load(path)


def own_public_key() -> PublicKey | None:
    """Return the public half, None on a machine that has signed nothing yet. Raises `BadKey`."""
    return _load(key_path()).public if key_path().exists() else None


def public_key(path: Path) -> PublicKey:
    """Return the key in a file that somebody has given away. Raises `BadKey`."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    raw = _read(path)
    if b"PRIVATE KEY" in raw:
        raise BadKey(
            f"{path} is a private key, which is for nobody to see: ask for the public one, which "
            "`exam verify --public-key` prints."
        )
    try:
        key = load_pem_public_key(raw)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise BadKey(
            f"{path} is no public Ed25519 key in PEM: `exam verify --public-key` prints one."
        )
    return PublicKey(key.public_bytes_raw())


@contextmanager
def warming() -> Iterator[None]:
    """Import what signs beside a block that waits for something else; it is there afterwards."""

    def load() -> None:
        import cryptography.hazmat.primitives.asymmetric.ed25519
        import cryptography.hazmat.primitives.serialization  # noqa: F401

    thread = Thread(target=load, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()  # nobody forks while half a module is imported


def _make(path: Path) -> None:
    """Write a new key under another name first: half a key is never seen, and the first wins."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(pem)
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(path.parent)
    sync_directory(path.parent.parent)


def _load(path: Path) -> SigningKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    raw = _read(path)
    try:
        key = load_pem_private_key(raw, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey(
            f"The signing key {path} is damaged: put it back from a backup, or move it away, and "
            "another is made; keep the old public key for what it has signed."
        )
    return SigningKey(key)


def _read(path: Path) -> bytes:
    """Return a key file's bytes; a private one is closed to others first."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            about = os.fstat(descriptor)
            if path == key_path() and stat.S_IMODE(about.st_mode) & 0o077:
                os.fchmod(descriptor, 0o600)
            return stream.read(_MOST_BYTES) or b""
    except OSError as error:
        raise BadKey(f"The key {path} cannot be read ({error.strerror}).") from error
