"""Predictions of grades, kept beside the record for reports: by their hash, the newest of them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from exam_cli.files import write_file, writing

_FOLDER = "predictions"
_MOST = 100  # files: each is some hundred kilobytes


def keep(record: Path, sha256: str, predictions: bytes) -> None:
    """Write predictions (float32, little-endian, in the order of the rows) beside a record.

    Raises `DiskFull`, and `ExamError` when they cannot be written.
    """
    path = record / _FOLDER / f"{sha256}.f32"
    with writing(path):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_file(path, predictions)
        found = sorted(path.parent.glob("*.f32"), key=lambda one: one.stat().st_mtime_ns)
        for old in found[:-_MOST]:
            old.unlink(missing_ok=True)


def kept(record: Path, sha256: str | None) -> bytes | None:
    """Return the predictions with a hash, None when they are not there or have changed."""
    if sha256 is None:
        return None
    try:
        found = (record / _FOLDER / f"{sha256}.f32").read_bytes()
    except OSError:
        return None
    return found if hashlib.sha256(found).hexdigest() == sha256 else None
