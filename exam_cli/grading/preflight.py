"""A look at a snapshot without running any of it: is it what its name says, and who saved it?

Only the standard library's zip reader touches the bytes, with caps on what it may read. Everything
that needs a real parser (HDF5, protocol buffers) waits for the predictor's container.
"""

from __future__ import annotations

import contextlib
import json
import re
import stat
import zipfile
from pathlib import Path

from packaging.version import InvalidVersion, Version

from exam_cli.config.section import Section
from exam_cli.grading.intake import Submission
from exam_cli.grading.small_reads import InSmallReads, TooMuchError
from exam_cli.grading.verdict import Rejection

_HDF5 = b"\x89HDF\r\n\x1a\n"
_KERAS_FORMAT = "2.12"  # the first Keras whose `.keras` files are zip files
_MEMBERS = frozenset({"config.json", "metadata.json", "model.weights.h5"})
_MAX_MEMBERS = 2000
_MAX_METADATA = 64 << 10
_MAX_DIRECTORY = 1 << 20  # of the zip: 100 MB of it would take 20 s and 1 GB to read
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_KINDS = (0, stat.S_IFREG, stat.S_IFDIR)
_UNPACKED_FACTOR = 4  # weights hardly compress; a bomb does
_VERSION = re.compile(
    r"(\d{1,2}(?:\.\d{1,3}(?!\d)){1,2}(?:\.dev|-?rc|[ab]|-tf)?)[a-z0-9.+-]{0,20}", re.ASCII
)


def saved_with(submission: Submission, section: Section, keras: str | None = None) -> str | None:
    """Check a snapshot's outside; return the Keras version that saved it, if the file tells.

    `keras` is the version that will load it. One without a `.keras` format of its own writes, and
    loads, HDF5 under that name, and can do nothing with the other: that is left to it to say.
    Raises `Rejection` with `not_a_model` or `too_large`.
    """
    if submission.format == "savedmodel":
        _check_saved_model(submission)
        return None
    path = submission.files[0].path
    if submission.format == "h5":
        _check_hdf5(path, submission)
        return None
    if keras is not None and is_before(keras, _KERAS_FORMAT) and _head(path) == _HDF5:
        return None
    return _keras_version(path, submission, section)


def is_before(version: str, other: str) -> bool:
    """Say whether a version is older than another; a text that is no version is not."""
    with contextlib.suppress(InvalidVersion):
        return Version(version) < Version(other)
    return False


def version_text(text: object) -> str | None:
    """Return a version if it looks like one: it may come from a stranger's file, or program.

    What follows the release is left out but for its kind: a program that has seen the hidden inputs
    could have written it.
    """
    found = _VERSION.fullmatch(text) if isinstance(text, str) else None
    return found[1] if found else None


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(len(_HDF5))


def _name(submission: Submission) -> str:
    return submission.record.path


def _check_saved_model(submission: Submission) -> None:
    heads = {file.name: file.bytes for file in submission.files}
    if not heads.get("model/saved_model.pb"):
        raise Rejection(
            "not_a_model", f"{_name(submission)} has an empty saved_model.pb: save the model again."
        )


def _check_hdf5(path: Path, submission: Submission) -> None:
    head = _head(path)
    if head == _HDF5:
        return
    if head.startswith(b"PK"):
        raise Rejection(
            "not_a_model", f"{_name(submission)} is a .keras file by content: name it model.keras."
        )
    raise Rejection(
        "not_a_model", f"{_name(submission)} is not an HDF5 file: save with `model.save`."
    )


def _keras_version(path: Path, submission: Submission, section: Section) -> str | None:
    head = _head(path)
    if head == _HDF5:
        raise Rejection(
            "not_a_model",
            f"{_name(submission)} is an HDF5 file by content, as Keras before 2.12 writes it: name "
            "it model.h5.",
        )
    if not head.startswith(b"PK"):
        raise Rejection(
            "not_a_model",
            f"{_name(submission)} is not a Keras model: save with `model.save('model.keras')`.",
        )
    try:
        with InSmallReads(path, _MAX_DIRECTORY) as content, zipfile.ZipFile(content) as archive:
            members = archive.infolist()
            _check_members(members, submission, section)
            for member in members:  # is it where the list says, and called so?
                archive.open(member).close()
            with archive.open("metadata.json") as stream:
                metadata = json.loads(stream.read(_MAX_METADATA))
    except Rejection:
        raise
    except TooMuchError:
        raise _odd(submission) from None
    except Exception:
        # The zip reader raises a dozen kinds of errors on damaged files; all mean the same.
        raise Rejection(
            "not_a_model",
            f"{_name(submission)} is damaged or incomplete: save the model again, and copy it "
            "whole if it comes from another machine.",
        ) from None
    return version_text(metadata.get("keras_version") if isinstance(metadata, dict) else None)


def _odd(submission: Submission) -> Rejection:
    return Rejection(
        "not_a_model",
        f"{_name(submission)} is a zip file that Keras would not have written: save the model "
        "again with `model.save('model.keras')`.",
    )


def _check_members(
    members: list[zipfile.ZipInfo], submission: Submission, section: Section
) -> None:
    names = [member.filename for member in members]
    missing = sorted(_MEMBERS - set(names))
    if missing:
        raise Rejection(
            "not_a_model",
            f"{_name(submission)} is a zip file without {missing[0]}, so not a Keras model: save "
            "with `model.save('model.keras')`.",
        )
    odd = (
        len(names) > _MAX_MEMBERS
        or len(set(names)) != len(names)
        or any(name.startswith("/") or ".." in Path(name).parts for name in names)
        or any(member.flag_bits & 1 for member in members)
        or any(member.compress_type not in _COMPRESSIONS for member in members)
        or any((member.external_attr >> 16) & 0o170000 not in _KINDS for member in members)
    )
    if odd:
        raise _odd(submission)
    if sum(member.file_size for member in members) > _UNPACKED_FACTOR * section.contract.max_bytes:
        raise Rejection(
            "too_large",
            f"{_name(submission)} unpacks to more than {_UNPACKED_FACTOR} times the limit of "
            f"{section.contract.max_megabytes} MB.",
        )
