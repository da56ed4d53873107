"""A grade says that it begins, before it has even asked an engine for anything.

Half of a quick grade's time is over when its predictor is claimed, which is the first that others
hear of it through the engine. Whoever grades beside it under the same records learns it here.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from exam_cli.paths import data_dir


def _mark() -> Path:
    return data_dir() / "grading"


def announce() -> None:
    """Say that a grade begins now. It is a courtesy, so nothing depends on whether it works."""
    with contextlib.suppress(OSError):
        _mark().touch()


def seconds_since() -> float:
    """Return how long ago the last grade was announced; infinity if none ever was."""
    try:
        return max(0.0, time.time() - _mark().stat().st_mtime)
    except OSError:
        return float("inf")
