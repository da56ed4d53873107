"""What the page of the images says is taken into the table."""

from __future__ import annotations

from bench.sizes import _builds

PAGE = """
| build | seconds: median | all | ours takes, of it |
| --- | --- | --- | --- |
| ours: two images, BuildKit | 42.0 | 40.0, 44.0 | 1.00 |
| naive, BuildKit | 210.0 | 200.0, 220.0 | 0.20 |

| image | MB |
| --- | --- |
| naive, BuildKit | 2000 |
"""


def test_builds_are_compared_round_by_round() -> None:
    rows = {row.what: row for row in _builds(PAGE)}
    assert rows["image build, ours: two images, BuildKit"].values == (40.0, 44.0)
    over = rows["image build over naive, BuildKit"]
    assert over.values == (0.2, 0.2) and over.ok


def test_without_a_page_there_is_nothing_to_tell() -> None:
    assert _builds("") == []
