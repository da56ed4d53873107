"""How long work tells what it is doing, without knowing who listens.

Rooms call a `Progress`; `cli/` draws it on a terminal, and `SILENT` drops it.
"""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """A listener for steps of long work."""

    def say(self, sentence: str) -> None:
        """Tell something that stays on the screen, such as a choice that was made."""

    def step(self, title: str, total: int | None = None) -> None:
        """Begin a step; `total` is its number of units, or None when nobody knows."""

    def advance(self, done: int) -> None:
        """Set how many units of the current step are done."""


class Silent:
    """Drops everything."""

    def say(self, sentence: str) -> None:
        """Drop it."""

    def step(self, title: str, total: int | None = None) -> None:
        """Drop it."""

    def advance(self, done: int) -> None:
        """Drop it."""


SILENT: Progress = Silent()
