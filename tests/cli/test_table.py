"""Tables: columns line up, whatever is in them, and long last cells are broken to fit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exam_cli.cli.table import Table


def test_columns_line_up() -> None:
    table = Table(("Section", "Best"), "An exam")
    table.add_row("1 Diamonds", "5")
    table.add_row("2", "5 (accuracy\n0.9)")
    assert table.text().split("\n") == [
        "An exam",
        "",
        " Section      Best",
        " ────────────────────────",
        " 1 Diamonds   5",
        " 2            5 (accuracy",
        "              0.9)",
        "",
    ]


def test_wide_letters_take_two_columns() -> None:
    table = Table(("Name", "Points"))
    table.add_row("王小明", "3")
    assert " 王小明   3" in table.text().split("\n")


def test_a_long_last_cell_is_broken_where_the_terminal_ends() -> None:
    table = Table(("What", "To do"))
    table.add_row("disk", "free some space on the disk and run the very same command again")
    assert max(map(len, table.text(40).split("\n"))) <= 40
    assert "again" in table.text(40)
    assert len(table.text(10).split("\n")) == len(table.text().split("\n")), "too narrow to help"


cells = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=9)


@given(rows=st.lists(st.tuples(cells, cells)), width=st.none() | st.integers(1, 90))
def test_no_cell_is_lost(rows: list[tuple[str, str]], width: int | None) -> None:
    table = Table(("a", "b"), rows=rows)
    text = "".join(table.text(width).split())
    for row in rows:
        assert all("".join(cell.split()) in text for cell in row)
