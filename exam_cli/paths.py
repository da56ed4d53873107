"""Where things are: the program's own data, and the files that travel with it."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import platformdirs

_PACKAGE = Path(__file__).resolve().parent


def data_dir() -> Path:
    """Sessions, ledgers and vaults: what must survive. `EXAM_HOME` moves it."""
    home = os.environ.get("EXAM_HOME")
    return Path(home).expanduser().resolve() if home else Path(platformdirs.user_data_dir("exam"))


def cache_dir() -> Path:
    """Downloads that can be fetched again at any time."""
    moved = os.environ.get("EXAM_CACHE")
    return (
        Path(moved).expanduser().resolve() if moved else Path(platformdirs.user_cache_dir("exam"))
    )


def log_dir() -> Path:
    """Details that are too long for a sentence."""
    return data_dir() / "logs"


@cache
def resources() -> Path:
    """Return the folder that holds `images/`, `sections/`, `scripts/` and `compose.yaml`.

    They lie inside the installed package, or beside it in a clone.
    """
    installed = _PACKAGE / "resources"
    return installed if installed.is_dir() else _PACKAGE.parent


def resource(*parts: str) -> Path:
    """Return the path of one file or folder that travels with the program."""
    return resources().joinpath(*parts)
