"""What every page of ours must keep in a real browser."""

from __future__ import annotations

import os
from pathlib import Path

from playwright.sync_api import Browser, Page


def opened(browser: Browser, path: Path, width: int, shot: str) -> Page:
    """Open a page as wide as that, hold it to what a page must keep, and keep a picture of it."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_load_state("load")
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    broken = "[...document.images].filter(one => !one.complete || !one.naturalWidth).length"
    assert page.evaluate(broken) == 0
    if folder := os.environ.get("EXAM_SCREENSHOTS"):
        page.screenshot(path=Path(folder, f"{shot}-{width}.png"), full_page=True)
    return page
