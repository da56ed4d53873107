"""Take exactly one model out of a section's directory, as a snapshot that cannot change.

The directory belongs to the candidate, so nothing in it is trusted: every name is opened once,
without following links, and what is graded later is the copy, known by its hash.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from exam_cli.config.section import Section
from exam_cli.files import sync_directory
from exam_cli.grading.copying import (
    FORMATS,
    StillChangingError,
    copy_file,
    copy_tree,
    shown,
    unreadable,
)
from exam_cli.grading.verdict import ModelRecord, Rejection

Format = Literal["keras", "h5", "savedmodel"]

PART = ".part-"  # begins the name of every directory that is there for one grade only

_SUFFIXES: dict[str, Format] = {".keras": "keras", ".h5": "h5", ".hdf5": "h5"}
_OTHER_SUFFIXES = (".pb", ".pt", ".pth", ".onnx", ".tflite", ".joblib", ".pkl", ".ckpt")
_WEIGHTS = (".weights.h5", ".weights.hdf5")
_BEING_WRITTEN_TRIES = 4
_BEING_WRITTEN_PAUSE = 0.5


@dataclass(frozen=True)
class SubmittedFile:
    """One file of a snapshot: its name in the submission, where the copy is, its size."""

    name: str
    path: Path
    bytes: int


@dataclass(frozen=True)
class Submission:
    """A snapshot of one model. `root` is the name under which the predictor opens it."""

    record: ModelRecord
    format: Format
    root: str
    files: tuple[SubmittedFile, ...]


def take(section: Section, workspace: Path, snapshots: Path) -> Submission:
    """Return a snapshot of the one model in the section's directory.

    Args:
        section: tells the directory and the size limit.
        workspace: the candidate's directory.
        snapshots: where copies are kept, named by their sha256; the same model is kept once.

    Raises `Rejection`; `OSError` when the host's disk fails.
    """
    with _opened(workspace / section.directory) as directory:
        name, kind = _choose(directory, section)
        for last in (False,) * (_BEING_WRITTEN_TRIES - 1) + (True,):
            try:
                return _snapshot(directory, name, kind, section, snapshots)
            except StillChangingError:
                if last:
                    raise Rejection(
                        "not_a_model",
                        f"{shown(name)} was being written while it was read: wait until it is "
                        "saved.",
                    ) from None
                time.sleep(_BEING_WRITTEN_PAUSE)
    raise AssertionError


def models_in(directory: Path) -> list[str]:
    """Return the names of all models in a section's directory. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return [name for name, kind in _entries(descriptor) if kind is not None]
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _opened(directory: Path) -> Iterator[int]:
    """Open a section's directory; from now on it may be swapped for another, and nothing follows.

    Every name in it is opened relative to this descriptor.
    """
    try:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(directory, flags)
    except PermissionError:
        raise unreadable(directory.name) from None
    except OSError:
        if directory.is_symlink():
            raise Rejection(
                "unsafe_path",
                f"{directory.name} is a link: make it a directory of its own and save the model "
                "there.",
            ) from None
        raise Rejection(
            "no_model",
            f"There is no directory {directory.name} in the workspace: `exam up` lays it out "
            f"again; save one {FORMATS} there.",
        ) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _entries(directory: int) -> list[tuple[str, Format | None]]:
    """Return what has to do with models, by name, with its format if it is one."""
    found = []
    with os.scandir(directory) as entries:
        for entry in entries:
            kind = _format_of(entry, directory)
            if kind is not None or entry.name.lower().endswith((*_WEIGHTS, *_OTHER_SUFFIXES)):
                found.append((entry.name, kind))
    return sorted(found)


def _choose(directory: int, section: Section) -> tuple[str, Format]:
    """Return name and format of the one model in a directory."""
    visible = [(name, kind) for name, kind in _entries(directory) if not name.startswith(".")]
    models = [(name, kind) for name, kind in visible if kind is not None]
    if len(models) > 1:
        names = ", ".join(shown(name) for name, _ in models[:4])
        raise Rejection(
            "several_models",
            f"{section.directory} holds {len(models)} models ({names}): leave exactly one there.",
        )
    if models:
        return models[0]
    for name, _ in visible:
        if name.lower().endswith(_WEIGHTS):
            raise Rejection(
                "not_a_model",
                f"{shown(name)} holds weights without a model: save with `model.save`.",
            )
        raise Rejection(
            "unsupported_format",
            f"{shown(name)} is in a format that is not graded: save one {FORMATS}.",
        )
    raise Rejection(
        "no_model", f"There is no model in {section.directory}: save one {FORMATS} there."
    )


def _format_of(entry: os.DirEntry[str], directory: int) -> Format | None:
    """Tell a model by its name; a directory by the file that every SavedModel has."""
    lower = entry.name.lower()
    if lower.endswith(_WEIGHTS):
        return None
    kind = _SUFFIXES.get(Path(lower).suffix)
    if kind is None and _is_saved_model(entry, directory):
        return "savedmodel"
    if kind is not None and entry.is_dir(follow_symlinks=False):
        # Old TensorFlow wrote SavedModels into directories of any name.
        return "savedmodel" if _is_saved_model(entry, directory) else kind
    return kind


def _is_saved_model(entry: os.DirEntry[str], directory: int) -> bool:
    with contextlib.suppress(OSError):
        if entry.is_dir():
            os.stat(f"{entry.name}/saved_model.pb", dir_fd=directory, follow_symlinks=False)
            return True
    return False


def _snapshot(
    directory: int, name: str, kind: Format, section: Section, snapshots: Path
) -> Submission:
    limit = section.contract.max_bytes
    snapshots.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix=PART, dir=snapshots) as scratch:
        draft = Path(scratch) / "model"
        if kind == "savedmodel":
            sizes, digest = copy_tree(directory, name, draft, limit)
            files = [(f"model/{inner}", inner, size) for inner, size in sizes]
            root = "model"
        else:
            size, digest = copy_file(directory, name, draft, limit, name)
            root = f"model.{kind}"
            files = [(root, "", size)]
        kept = snapshots / f"{digest}.{kind}"
        if not kept.exists():
            try:
                draft.rename(kept)
            except OSError:
                if not kept.exists():  # else somebody has just kept the same model
                    raise
            sync_directory(snapshots)
    total = sum(size for _, _, size in files)
    return Submission(
        ModelRecord(f"{section.directory}/{shown(name)}", digest, total, kind),
        kind,
        root,
        tuple(SubmittedFile(path, kept / inner if inner else kept, n) for path, inner, n in files),
    )
