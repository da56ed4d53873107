"""Take exactly one model out of a section's directory, as a snapshot that cannot change.

The directory belongs to the candidate, so nothing in it is trusted: every name is opened once,
without following links, and what is graded later is the copy, known by its hash.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from exam_cli.config.section import Section
from exam_cli.files import sync_directory
from exam_cli.grading.verdict import ModelRecord, Rejection

Format = Literal["keras", "h5", "savedmodel"]

_SUFFIXES: dict[str, Format] = {".keras": "keras", ".h5": "h5", ".hdf5": "h5"}
_OTHER_SUFFIXES = (".pb", ".pt", ".pth", ".onnx", ".tflite", ".joblib", ".pkl", ".ckpt")
_WEIGHTS = (".weights.h5", ".weights.hdf5")
_MAX_FILES = 2000
_MAX_DEPTH = 8
_BEING_WRITTEN_TRIES = 4
_BEING_WRITTEN_PAUSE = 0.5
_FORMATS = "model.keras, model.h5 or a SavedModel directory"


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


def shown(name: str) -> str:
    """Return a candidate's file name so that no terminal obeys it."""
    return name.encode("unicode_escape").decode("ascii")[:100]


def take(section: Section, workspace: Path, snapshots: Path) -> Submission:
    """Return a snapshot of the one model in the section's directory.

    Args:
        section: tells the directory and the size limit.
        workspace: the candidate's directory.
        snapshots: where copies are kept, named by their sha256; the same model is kept once.

    Raises `Rejection`; `OSError` when the host's disk fails.
    """
    directory = workspace / section.directory
    name, kind = _choose(directory, section)
    for last in (False,) * (_BEING_WRITTEN_TRIES - 1) + (True,):
        try:
            return _snapshot(directory, name, kind, section, snapshots)
        except _StillChangingError:
            if last:
                raise Rejection(
                    "not_a_model",
                    f"{shown(name)} was being written while it was read: wait until it is saved.",
                ) from None
            time.sleep(_BEING_WRITTEN_PAUSE)
    raise AssertionError


class _StillChangingError(Exception):
    """The file changed between the first and the last byte."""


def models_in(directory: Path) -> list[str]:
    """Return the names of all models in a section's directory. Raises OSError."""
    return sorted(entry.name for entry in os.scandir(directory) if _format_of(entry) is not None)


def _choose(directory: Path, section: Section) -> tuple[str, Format]:
    """Return name and format of the one model in a directory."""
    if directory.is_symlink():
        raise Rejection(
            "unsafe_path",
            f"{directory.name} is a link: make it a directory of its own and save the model there.",
        )
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        raise Rejection(
            "no_model",
            f"There is no directory {directory.name} in the workspace: `exam up` lays it out "
            f"again; save one {_FORMATS} there.",
        ) from None
    except PermissionError:
        raise _unreadable(directory.name) from None
    visible = [entry for entry in entries if not entry.name.startswith(".")]
    models = [(entry.name, kind) for entry in visible if (kind := _format_of(entry)) is not None]
    if len(models) > 1:
        names = ", ".join(shown(name) for name, _ in models[:4])
        raise Rejection(
            "several_models",
            f"{directory.name} holds {len(models)} models ({names}): leave exactly one there.",
        )
    if models:
        return models[0]
    for entry in visible:
        if entry.name.lower().endswith(_WEIGHTS):
            raise Rejection(
                "not_a_model",
                f"{shown(entry.name)} holds weights without a model: save with `model.save`.",
            )
        if entry.name.lower().endswith(_OTHER_SUFFIXES):
            raise Rejection(
                "unsupported_format",
                f"{shown(entry.name)} is in a format that is not graded: save one {_FORMATS}.",
            )
    raise Rejection(
        "no_model", f"There is no model in {directory.name}: save one {_FORMATS} there."
    )


def _format_of(entry: os.DirEntry[str]) -> Format | None:
    """Tell a model by its name; a directory by the file that every SavedModel has."""
    lower = entry.name.lower()
    if lower.endswith(_WEIGHTS):
        return None
    kind = _SUFFIXES.get(Path(lower).suffix)
    if kind is None and _is_saved_model(entry):
        return "savedmodel"
    if kind is not None and entry.is_dir(follow_symlinks=False):
        # Old TensorFlow wrote SavedModels into directories of any name.
        return "savedmodel" if _is_saved_model(entry) else kind
    return kind


def _is_saved_model(entry: os.DirEntry[str]) -> bool:
    with contextlib.suppress(OSError):
        return entry.is_dir() and os.path.lexists(Path(entry.path) / "saved_model.pb")
    return False


def _snapshot(
    directory: Path, name: str, kind: Format, section: Section, snapshots: Path
) -> Submission:
    limit = section.contract.max_bytes
    snapshots.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix=".part-", dir=snapshots) as scratch:
        draft = Path(scratch) / "model"
        if kind == "savedmodel":
            sizes, digest = _copy_tree(directory / name, draft, limit)
            files = [(f"model/{inner}", inner, size) for inner, size in sizes]
            root = "model"
        else:
            size, digest = _copy_file(directory / name, draft, limit, name)
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


def _too_large(name: str, limit: int) -> Rejection:
    return Rejection("too_large", f"{shown(name)} is over the limit of {limit >> 20} MB.")


def _unsafe(name: str) -> Rejection:
    return Rejection(
        "unsafe_path",
        f"{shown(name)} is a link or a special file: only plain files and directories are graded.",
    )


def _no_model(name: str) -> Rejection:
    return Rejection(
        "not_a_model",
        f"{shown(name)} is a directory without a saved_model.pb: save one {_FORMATS}.",
    )


def _unreadable(name: str) -> Rejection:
    return Rejection(
        "unsafe_path", f"{shown(name)} cannot be read: give yourself permission to read it."
    )


def _copy_file(
    source: Path, target: Path, limit: int, name: str, dir_fd: int | None = None
) -> tuple[int, str]:
    """Copy one plain file of at most `limit` bytes; return its size and sha256."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(source, flags, dir_fd=dir_fd)
    except FileNotFoundError:
        raise _StillChangingError from None
    except PermissionError:
        raise _unreadable(name) from None
    except OSError:  # ELOOP for a link, ENXIO for a socket
        raise _unsafe(name) from None
    before = os.fstat(descriptor)
    if not stat.S_ISREG(before.st_mode):
        os.close(descriptor)
        raise _no_model(name) if stat.S_ISDIR(before.st_mode) else _unsafe(name)
    with os.fdopen(descriptor, "rb") as stream:
        if before.st_size > limit:
            raise _too_large(name, limit)
        digest, size = hashlib.sha256(), 0
        with target.open("xb") as out:
            while piece := stream.read(1 << 20):
                size += len(piece)
                if size > limit:
                    raise _too_large(name, limit)
                digest.update(piece)
                out.write(piece)
            out.flush()
            os.fsync(out.fileno())
        after = os.fstat(descriptor)
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, size):
        raise _StillChangingError
    return size, digest.hexdigest()


def tree_line(name: str, size: int, sha256: str) -> bytes:
    """Return what one file adds to the hash of a SavedModel directory."""
    return f"{len(name)}:{name}:{size}:{sha256}\n".encode()


def _copy_tree(source: Path, target: Path, limit: int) -> tuple[list[tuple[str, int]], str]:
    """Copy a directory of plain files; return [(name, size)] and one sha256 over all."""
    files: list[tuple[str, int]] = []
    digest, left = hashlib.sha256(), limit
    for inner, descriptor in _walk(source):
        name = f"{source.name}/{inner}"
        if not inner.isprintable():
            raise Rejection("unsafe_path", f"{shown(name)} has a name that is not printable text.")
        (target / inner).parent.mkdir(parents=True, exist_ok=True)
        try:
            size, one = _copy_file(
                Path(inner).relative_to(Path(inner).parent), target / inner, left, name, descriptor
            )
        except Rejection as rejection:
            if rejection.reason == "too_large":
                raise _too_large(source.name, limit) from None
            raise
        left -= size
        files.append((inner, size))
        digest.update(tree_line(inner, size, one))
    return files, digest.hexdigest()


def _walk(source: Path) -> Iterator[tuple[str, int]]:
    """Yield (relative name, its directory's descriptor) of all files, in order; follow no link."""
    if source.is_symlink():
        raise _unsafe(source.name)

    def unlisted(error: OSError) -> None:
        if isinstance(
            error, PermissionError
        ):  # without this look, its files would just be left out
            raise _unreadable(f"{source.name}/{Path(str(error.filename)).name}") from None
        raise _StillChangingError

    seen = 0
    for folder, folders, files, descriptor in os.fwalk(
        source, onerror=unlisted, follow_symlinks=False
    ):
        folders.sort()
        here = Path(folder).relative_to(source)
        seen += len(folders) + len(files)
        if seen > _MAX_FILES:
            raise Rejection(
                "too_large", f"{shown(source.name)} has over {_MAX_FILES} files: it is no model."
            )
        if len(here.parts) > _MAX_DEPTH:
            raise Rejection("unsafe_path", f"{shown(source.name)} is nested too deeply.")
        for name in folders:
            if _is_link(name, descriptor):
                raise _unsafe(f"{source.name}/{(here / name).as_posix()}")
        for name in sorted(files):
            yield (here / name).as_posix(), descriptor


def _is_link(name: str, directory: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    except OSError:
        raise _StillChangingError from None
