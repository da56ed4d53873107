"""A grade says that it begins, before it has even asked an engine for anything.

Half of a quick grade's time is over when its predictor is claimed, which is the first that others
hear of it through the engine. Whoever grades beside it under the same records learns it here.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from exam_cli.paths import data_dir

_GRAIN_SECONDS = 0.1  # a file's time may be of another clock, which is as coarse as this


def _mark() -> Path:
    return data_dir() / "grading"


def announce() -> None:
    """Say that a grade begins now. It is a courtesy, so nothing depends on whether it works."""
    with contextlib.suppress(OSError):
        _mark().touch()


def seconds_since() -> float:
    """Return how long ago the last grade was announced; infinity if none ever was.

    One that lies in the future is none: the clock was set back since, or somebody made it up.
    """
    try:
        ago = time.time() - _mark().stat().st_mtime
    except OSError:
        return float("inf")
    return ago if ago > -_GRAIN_SECONDS else float("inf")
