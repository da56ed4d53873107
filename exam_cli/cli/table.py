"""A table as text, in the program's one style.

Drawn here and not by a library: importing one takes as long as all else that a command shows.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from itertools import zip_longest
from unicodedata import combining, east_asian_width

_GAP = "   "
_LEAST_WRAPPED = 20  # columns; a narrower last cell is left to the terminal to break


@dataclass
class Table:
    """Columns and rows of text. A cell may have several lines; the last is broken where it must."""

    columns: tuple[str, ...]
    title: str | None = None
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def add_row(self, *cells: str) -> None:
        """Add a row of as many cells as there are columns."""
        self.rows.append(cells)

    def text(self, width: int | None = None) -> str:
        """Return the table; `width` is the terminal's, None where nothing needs to be broken."""
        *first, last = (
            max(_width(line) for cell in cells for line in cell.split("\n"))
            for cells in zip(self.columns, *self.rows, strict=True)
        )
        left = None if width is None else width - sum(first) - len(_GAP) * len(first) - 2
        broken = left is not None and _LEAST_WRAPPED <= left < last
        widths = [*first, left if broken and left is not None else last]
        lines = [*_row(self.columns, widths), " " + "─" * (sum(widths) + len(_GAP) * len(first))]
        for row in self.rows:
            lines += _row((*row[:-1], _break(row[-1], widths[-1])) if broken else row, widths)
        return "\n".join([*([self.title] if self.title else []), "", *lines, ""])


def terminal_width() -> int | None:
    """Return the columns of the terminal that standard output is, None when it is none."""
    if not sys.stdout.isatty():
        return None
    import shutil

    return shutil.get_terminal_size().columns


def _row(cells: tuple[str, ...], widths: list[int]) -> list[str]:
    """Return the lines of one row."""
    lines = zip_longest(*(cell.split("\n") for cell in cells), fillvalue="")
    return [
        " "
        + _GAP.join(
            part + " " * (width - _width(part)) for part, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    ]


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(one) else 1 + (east_asian_width(one) in "WF") for one in text)


def _break(text: str, width: int) -> str:
    import textwrap

    return "\n".join("\n".join(textwrap.wrap(line, width)) for line in text.split("\n"))
