"""What a reader of bench/results/latest.md relies on."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import store, table
from bench.rows import Part, part_from, row
from bench.store import Measured

PART = Part(
    "one",
    "A title",
    "How it was measured.",
    (
        row("warm", [0.9, 1.1, 5.0], at_most=1.0),
        row("rate", [71.0, 69.0], "%", at_least=70),
        row("cold", [3.0]),
    ),
    ("curve.svg",),
)


def line(text: str, what: str) -> list[str]:
    found = [one for one in text.splitlines() if one.startswith(f"| {what} |")]
    return [cell.strip() for cell in found[0].strip("|").split("|")]


@pytest.fixture
def text() -> str:
    return table.page([Measured(PART, "2026-11-22 10:00 UTC", "a machine")])


def test_a_limit_is_judged_by_the_median(text: str) -> None:
    assert line(text, "warm") == ["warm", "1.10 s", "0.90 to 5.00", "3", "at most 1 s", "**no**"]
    assert line(text, "rate")[4:] == ["at least 70 %", "yes"]


def test_what_has_no_limit_is_told_and_not_judged(text: str) -> None:
    judged, _, told = text.partition("## A title")
    assert "cold" not in judged and line(told, "cold")[1:4] == ["3.00 s", "", "1"]
    assert "(curve.svg)" in told


def test_an_older_part_says_when_and_where_it_was_measured() -> None:
    old = Measured(PART, "2026-11-20 10:00 UTC", "another machine")
    new = Measured(Part("two", "Newer", "So.", ()), "2026-11-22 10:00 UTC", "a machine")
    text = table.page([old, new])
    assert "(Measured: 2026-11-20, another machine.)" in text
    assert text.count("Measured:") == 1


def test_a_part_comes_back_as_it_was_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    store.keep(Measured(PART, "2026-11-22 10:00 UTC", "a machine"))
    other = Measured(Part("two", "Other", "So.", ()), "2026-11-22 10:00 UTC", "a machine")
    store.keep(other)
    assert store.read() == {
        "one": Measured(PART, "2026-11-22 10:00 UTC", "a machine"),
        "two": other,
    }
    assert part_from(PART.as_json()) == PART
