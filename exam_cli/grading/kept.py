"""Take a graded model out of the kept snapshots again, to grade it once more or to give it back."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from exam_cli.errors import OurFault
from exam_cli.fetch.lockfile import sha256_of
from exam_cli.grading.copying import tree_line
from exam_cli.grading.intake import Format, Submission, SubmittedFile
from exam_cli.grading.verdict import ModelRecord


def kept(model: Mapping[str, Any], snapshots: Path) -> Submission:
    """Return the snapshot of a graded model.

    Args:
        model: the `model` object of a grading in the ledger.
        snapshots: where the session's copies are.

    Raises `OurFault` when the copy is not there any more or is not what was graded.
    """
    kind = next((one for one in get_args(Format) if one == model["format"]), None)
    path = snapshots / f"{model['sha256']}.{kind}"
    if kind is None or not path.exists():
        raise OurFault(f"The kept copy of {model['path']} is gone from {snapshots}.")
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
        raise OurFault(f"The kept copy of {model['path']} is not what was graded: {path} changed.")
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
