"""The kept snapshots: take one out again to grade it once more or give it back; drop one.

A copy is named by its hash and format, `<sha256>.keras` say, so the same model is kept once.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from exam_cli.errors import OurFault
from exam_cli.fetch.lockfile import sha256_of
from exam_cli.files import sync_directory
from exam_cli.grading.copying import tree_line
from exam_cli.grading.intake import PART, Format, Submission, SubmittedFile
from exam_cli.grading.verdict import ModelRecord


class NotKept(OurFault):
    """A graded model's copy is not there any more, or is not what was graded."""

    reason = "not_kept"


def kept(model: Mapping[str, Any], snapshots: Path) -> Submission:
    """Return the snapshot of a graded model.

    Args:
        model: the `model` object of a grading in the ledger.
        snapshots: where the session's copies are.

    Raises `NotKept` when the copy is not there any more or is not what was graded.
    """
    kind = next((one for one in get_args(Format) if one == model["format"]), None)
    path = snapshots / f"{model['sha256']}.{kind}"
    if kind is None or not path.exists():
        raise NotKept(f"The kept copy of {model['path']} is gone from {snapshots}.")
    if kind == "savedmodel":
        files = list(_inside(path))
        digest = hashlib.sha256()
        for file in files:
            name = file.path.relative_to(path).as_posix()
            digest.update(tree_line(name, file.bytes, sha256_of(file.path)))
        root, found = "model", digest.hexdigest()
    else:
        root, found = f"model.{kind}", sha256_of(path)
        files = [SubmittedFile(root, path, path.stat().st_size)]
    if found != model["sha256"]:
        raise NotKept(f"The kept copy of {model['path']} is not what was graded: {path} changed.")
    record = ModelRecord(model["path"], found, sum(file.bytes for file in files), kind)
    return Submission(record, kind, root, tuple(files))


def _inside(path: Path) -> Iterator[SubmittedFile]:
    """Yield a kept directory's files in the order in which intake hashed them."""
    for folder, folders, files in os.walk(path):
        folders.sort()
        for name in sorted(files):
            file = Path(folder, name)
            yield SubmittedFile(
                f"model/{file.relative_to(path).as_posix()}", file, file.stat().st_size
            )


def kept_models(snapshots: Path) -> dict[str, int]:
    """Return the name and size in bytes of each copy. Raises OSError."""
    if not snapshots.is_dir():
        return {}
    return {
        path.name: sum(file.bytes for file in _inside(path))
        if path.is_dir()
        else path.stat().st_size
        for path in snapshots.iterdir()
        if not path.name.startswith(".")
    }


def drop(name: str, snapshots: Path) -> None:
    """Remove a copy: from one moment to the next it is not there. Raises OSError."""
    dying = snapshots / f"{PART}{secrets.token_hex(4)}"
    dying.mkdir()
    (snapshots / name).rename(dying / name)
    sync_directory(snapshots)
    shutil.rmtree(dying)
