"""The pages in a real browser: as wide as a screen and as narrow as a phone, and on paper."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from exam_cli.config.edition import DEFAULT_EDITION, load_edition
from exam_cli.config.exam import load_exam
from exam_cli.reports.handbook import handbook, to_html
from exam_cli.reports.page import page
from exam_cli.sections.catalog import sections_of
from tests.pages import opened
from tests.reports.made import facts, section


def pages() -> dict[str, str]:
    mock = load_exam("mock")
    long = facts(
        candidate="Anna-Katharina Wolkenstein-Rodenegg von und zu Trostburg",
        title="An examination of a name without any end that somebody has thought of",
        sections=tuple(
            section(n, section=n, title="Longwordsthatnobodybreaks" * 3) for n in (1, 5)
        ),
        extra_seconds=900,
        clock_moves=1,
    )
    book = handbook(mock, sections_of(mock), load_edition(DEFAULT_EDITION), "mock")
    return {
        "full": page(facts(reveal=True)),
        "scores": page(facts("scores", passed=False)),
        "practice": page(facts(submitted=None, fingerprint=None)),
        "long": page(long),
        "handbook": to_html(book),
    }


@pytest.mark.parametrize("name", ["full", "scores", "practice", "long", "handbook"])
@pytest.mark.parametrize("width", [1200, 360])
def test_it_fits_and_nothing_is_amiss(
    browser: Browser, tmp_path: Path, name: str, width: int
) -> None:
    path = tmp_path / f"{name}.html"
    path.write_text(pages()[name], encoding="utf-8")
    shown = opened(browser, path, width, name)
    assert shown.pdf(prefer_css_page_size=True).startswith(b"%PDF-")
    shown.close()
