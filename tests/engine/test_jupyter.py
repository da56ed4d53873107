"""The way in by the browser: opening page, a notebook that trains and is graded, the clock.

EXAM_SCREENSHOTS=DIR keeps what the browser showed where a person can look at it.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Browser, Locator, Page, expect

from exam_cli.engine.port import Engine
from exam_cli.images.build import Images
from tests.engine.road import Road, candidate, http

pytestmark = pytest.mark.engine

SIZE = {"width": 1440, "height": 900}
PATIENCE = 120_000  # milliseconds
expect.set_options(timeout=PATIENCE)


class Eyes:
    """A page in a browser, what went wrong in it, and where its pictures go."""

    def __init__(self, page: Page, pictures: Path) -> None:
        self.page = page
        self.wrong: list[str] = []
        self._pictures = pictures
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", self._heard)
        page.on("request", self._asked)

    def _heard(self, message: Any) -> None:
        if message.type == "error":
            self.wrong.append(message.text)

    def _asked(self, request: Any) -> None:
        if not re.match(r"(http|ws)://127\.0\.0\.1[:/]|data:|blob:", request.url):
            self.wrong.append(f"asked for {request.url}")

    def keep(self, name: str) -> None:
        """Take a picture."""
        self.page.screenshot(path=self._pictures / f"{name}.png")


@pytest.fixture
def eyes(browser: Browser, tmp_path: Path) -> Iterator[Eyes]:
    kept = os.environ.get("EXAM_SCREENSHOTS")
    pictures = Path(kept) if kept else tmp_path
    pictures.mkdir(parents=True, exist_ok=True)
    page = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]
    yield Eyes(page, pictures)
    page.close()


@pytest.fixture
def short(
    docker_engine: Engine, edition_images: Images, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Road]:
    """A candidate who sits an exam of one minute."""
    directory = tmp_path_factory.mktemp("short")
    rules = {
        "exam": "short",
        "title": "One minute",
        "duration": "1m",
        "sections": [{"section": 1, "weight": 1}, {"section": 4, "weight": 3}],
    }
    (directory / "exam.yaml").write_text(yaml.safe_dump(rules))
    home = tmp_path_factory.mktemp("home")
    with candidate(docker_engine, directory, home, "--exam", "exam.yaml") as road:
        yield road


def opened(eyes: Eyes, road: Road) -> Page:
    """Open the URL that `exam attach jupyter` prints; return the page once the exam is in it."""
    eyes.page.goto(road.exam("attach", "jupyter").out.splitlines()[0])
    eyes.page.wait_for_selector(".exam-card", state="attached")
    return eyes.page


def current(page: Page) -> Locator:
    """Return the tab of what the keyboard and the menus act on."""
    return page.locator(".lm-DockPanel-tabBar .lm-TabBar-tab.jp-mod-current")


def test_from_the_opening_page_to_a_grade(road: Road, eyes: Eyes) -> None:
    page = opened(eyes, road)
    cards = page.locator(".exam-card")
    expect(cards).to_have_count(5)
    for number, title in enumerate(
        ["Diamond prices", "Pieces of clothing", "Road signs", "What a gloss defines", "Bikes"], 1
    ):
        expect(cards.nth(number - 1)).to_contain_text(title)
        expect(cards.nth(number - 1).locator(".exam-number")).to_have_text(str(number))
    expect(page.locator(".jp-Dialog, .jp-Launcher")).to_have_count(0)
    expect(page.locator(".exam-pill")).to_have_text("Exam")  # practice has no limit
    assert "news" not in page.inner_text("body").lower()
    eyes.keep("opening")

    cards.nth(0).get_by_role("button", name="Open").click()
    expect(page.locator(".jp-NotebookPanel")).to_be_visible()
    expect(page.locator(".jp-MarkdownViewer")).to_contain_text("Diamond prices")
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible()
    expect(current(page)).to_contain_text("starter.ipynb")
    eyes.keep("section")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    model = road.workspace / "1-regression" / "model.keras"
    until = time.monotonic() + 240
    while not model.is_file() and time.monotonic() < until:
        page.wait_for_timeout(200)
    assert model.is_file()
    names = {path.name for path in model.parent.iterdir()}
    assert {"starter.ipynb", "starter.py", "task.md"} <= names, "opened, and not touched"
    page.locator(".exam-pill").click()
    expect(cards.nth(0)).to_contain_text("model.keras")
    eyes.keep("trained")

    graded = road.exam("grade", "1", "--json")
    assert graded.status == 0 and graded.json["verdict"] == "scored", graded
    assert graded.json["score"] >= 1

    cards.nth(3).get_by_role("button", name="Open").click()
    expect(page.locator(".lm-DockPanel-tabBar")).to_have_count(2)  # work left, tasks right
    expect(page.locator(".jp-MarkdownViewer:visible")).to_contain_text("What a gloss defines")
    eyes.keep("another-section")
    assert eyes.wrong == []


def test_who_comes_back_finds_their_work(road: Road, eyes: Eyes) -> None:
    page = opened(eyes, road)
    page.locator(".exam-pill").click()
    expect(current(page)).to_have_text("Exam")
    page.locator(".exam-card").nth(0).get_by_role("button", name="Task").click()
    expect(page.locator(".jp-MarkdownViewer:visible")).to_contain_text("Diamond")
    page.locator(".exam-pill").click()
    expect(current(page)).to_have_text("Exam")
    page.locator(".exam-card").nth(1).get_by_role("button", name="Task").click()
    expect(page.locator(".jp-MarkdownViewer:visible")).to_contain_text("clothing")
    expect(page.locator(".lm-DockPanel-tabBar")).to_have_count(2)  # beside the others, as before
    page.wait_for_timeout(2000)  # JupyterLab keeps the layout behind one's back
    page.reload()
    expect(page.locator(".jp-MarkdownViewer:visible")).to_contain_text("clothing")
    expect(page.locator(".exam-pill")).to_be_visible()
    page.locator(".exam-pill").click()
    expect(page.locator(".exam-card")).to_have_count(5)
    assert eyes.wrong == []


def test_the_clock_warns_and_more_time_shows(
    short: Road, eyes: Eyes, docker_engine: Engine
) -> None:
    page = opened(eyes, short)
    expect(page.locator(".exam-card")).to_have_count(2)
    expect(page.locator(".exam-card").nth(1)).to_contain_text("75 points")
    notice = page.locator(".Toastify__toast")
    expect(notice.first).to_contain_text("Less than 5 minutes left")
    pill = page.locator(".exam-pill")
    expect(pill).to_have_text(re.compile(r"0:00:\d\d left"))
    expect(pill).to_have_class(re.compile("exam-now"))
    eyes.keep("warning")
    expect(pill).to_have_text("Time is up", timeout=2 * PATIENCE)
    expect(notice.filter(has_text="The time is up").first).to_be_visible()
    eyes.keep("time-up")
    refused = short.exam("grade", "1", "--json")
    assert refused.json["reason"] == "time_up"

    assert short.exam("extra", "45m", "--reason", "power cut").status == 0
    expect(notice.filter(has_text="45 minutes more").first).to_be_visible()
    expect(pill).to_have_text(re.compile(r"0:4\d:\d\d left"))
    expect(notice).to_have_count(1)  # that the time is up is no longer so
    eyes.keep("more-time")

    (container,) = docker_engine.find({"exam.session": short.session(), "exam.role": "workspace"})
    docker_engine.stop(container.id)
    docker_engine.start(container.id)
    assert short.exam("up", "--json").status == 0
    page = opened(eyes, short)
    expect(page.locator(".exam-pill")).to_have_text(re.compile(r"0:4\d:\d\d left"))


@pytest.mark.parametrize(
    "written", ["", "[]", '{"limit": true}', '{"limit": true, "boot": 1, "end_wall": "soon"}']
)
def test_what_a_candidate_writes_there_breaks_nothing(road: Road, written: str) -> None:
    up = road.exam("up", "--json").json
    display = road.workspace / ".exam" / "clock.json"
    before = display.read_bytes()
    address = up["url"].split("/lab")[0] + "/exam/now"
    assert http(address).status == 403
    display.write_text(written)
    answer = http(address, token=up["token"])
    assert answer.status == 200 and answer.json["clock"]["left"] is None
    (road.workspace / ".exam" / "exam.json").write_text(written)
    assert http(address, token=up["token"]).json["exam"] == {}
    road.exam("status")
    assert display.read_bytes() == before
    road.exam("up", "--json")
    assert len(http(address, token=up["token"]).json["exam"]["sections"]) == 5
