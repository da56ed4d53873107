"""Read JSON that a stranger may have written: one object, said in one way, or a sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NoReturn

from exam_cli.errors import ExamError

MOST_BYTES = 1 << 20  # a submission of a dozen sections takes 20 KB


class NotAReceipt(ExamError):
    """A file that is nothing that this program signs, or that was damaged."""

    reason = "not_a_receipt"


def read(path: Path) -> bytes:
    """Return a file's bytes. Raises `NotAReceipt` when it is not there, no file, or too large."""
    try:
        # Without blocking, for a pipe may never answer. Python refuses a directory by itself.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as stream:  # noqa: PTH123
            raw = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise NotAReceipt(f"{path} cannot be read ({error.strerror}): name a file.") from None
    if raw is None or len(raw) > MOST_BYTES:
        raise NotAReceipt(f"{path} is no receipt: it has over {MOST_BYTES >> 20} MB.")
    return raw


def parse(raw: bytes, what: str) -> dict[str, Any]:
    """Return the one JSON object that `raw` is.

    What other readers might read otherwise is refused: a key that is there twice, NaN, text that is
    not UTF-8, a number that this machine would round, anything behind the object.

    Args:
        raw: the text.
        what: what it is, to begin the sentence with.

    Raises `NotAReceipt`.
    """

    def refuse(name: str) -> NoReturn:
        raise ValueError(f"{name} is no number in JSON")

    try:
        found = json.loads(raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=refuse)
        json.dumps(found, allow_nan=False, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        raise NotAReceipt(f"{what} is no JSON: it is not text in UTF-8.") from None
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise NotAReceipt(f"{what} is no JSON: {why}.") from None
    if not isinstance(found, dict):
        raise NotAReceipt(f"{what} is no JSON object.")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"it says {key[:40]!r} twice")
        found[key] = value
    return found
