"""From what was measured to a page: first what must be reached, then part by part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.rows import Row
from bench.store import Measured

_HEAD = (
    "| what | median | spread | runs | must reach | ok? |\n| --- | ---: | ---: | ---: | --- | --- |"
)
_PLAIN = ("x", "count")  # units that are not written
_DETAIL = "| what | median | spread | runs | note |\n| --- | ---: | ---: | ---: | --- |"


def page(parts: Sequence[Measured]) -> str:
    """Return the page in Markdown."""
    newest = max(parts, key=lambda one: one.date)
    lines = [
        "# What people wait for",
        "",
        f"`make bench`, {newest.date}; {newest.machine}. Medians and spread (least to most) of "
        "interleaved rounds.",
        "",
        "## What must be reached",
        "",
        _HEAD,
        *(_judged(row) for one in parts for row in one.part.rows if row.ok is not None),
    ]
    for one in parts:
        lines += ["", f"## {one.part.title}", "", one.part.about + _when(one, newest)]
        if one.part.rows:
            lines += ["", _DETAIL, *(_told(row) for row in one.part.rows)]
        for name in one.part.pictures:
            lines += ["", f"![{one.part.title}: {name.rpartition('.')[0]}]({name})"]
    return "\n".join([*lines, ""])


def _when(one: Measured, newest: Measured) -> str:
    """Return when and where an older part was measured; nothing for one of the newest run."""
    told = [one.date.split()[0] if one.date.split()[0] != newest.date.split()[0] else ""]
    told += [one.machine if one.machine != newest.machine else ""]
    return f" (Measured: {', '.join(filter(None, told))}.)" if any(told) else ""


def _judged(row: Row) -> str:
    unit = "" if row.unit in _PLAIN else f" {row.unit}"
    limits = [
        *([f"at most {row.at_most:g}{unit}"] if row.at_most is not None else []),
        *([f"at least {row.at_least:g}{unit}"] if row.at_least is not None else []),
    ]
    return _line([row.what, *_measured(row), ", ".join(limits), "yes" if row.ok else "**no**"])


def _told(row: Row) -> str:
    return _line([row.what, *_measured(row), row.note])


def _measured(row: Row) -> tuple[str, str, str]:
    spread = f"{_digits(min(row.values), row)} to {_digits(max(row.values), row)}"
    runs = len(row.values)
    return _number(row.median, row), spread if runs > 1 else "", str(runs)


def _number(value: float, row: Row) -> str:
    return _digits(value, row) + ("" if row.unit in _PLAIN else f" {row.unit}")


def _digits(value: float, row: Row) -> str:
    if row.unit in ("modules", "count"):
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
