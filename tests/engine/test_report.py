"""The end of an exam on the real engine: submit, look at the report as people do, hand in.

The tests of this file are one sitting, in order. With EXAM_SCREENSHOTS=DIR what was looked at is
kept there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from exam_cli.engine.port import Engine
from exam_cli.images.build import Images
from exam_cli.paths import resource
from exam_cli.session.ledger import Ledger
from tests.engine.road import Road, candidate
from tests.pages import opened

pytestmark = pytest.mark.engine

# Models that are there in seconds: no good ones, but each makes mistakes of its kind.
SCRIPTS = {
    "1-regression": "linear",
    "2-classification": "linear",
    "3-images": "baseline",
    "4-nlp": "baseline",
    "5-time-series": "baseline",
}
EXAM = 'exam: ending\ntitle: Ending\nduration: null\nseed: "one for all of them"\nreveal: true\n'


@pytest.fixture(scope="module")
def road(
    docker_engine: Engine, edition_images: Images, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Road]:
    """A candidate who has a scored model in every section."""
    directory = tmp_path_factory.mktemp("sitting")
    (directory / "exam.yaml").write_text(EXAM)
    home = tmp_path_factory.mktemp("home")
    with candidate(docker_engine, directory, home, "--exam", str(directory / "exam.yaml")) as road:
        for name, script in SCRIPTS.items():
            shutil.copy(resource("sections", name, f"{script}.py"), road.workspace / name)
            done = road.exam("run", f"{name}/{script}.py")
            assert done.status == 0, done
        assert road.exam("grade", "all").status == 0
        yield road


def result(road: Road) -> Path:
    """Where the candidate finds what came of it."""
    return road.workspace / "result"


def rows(road: Road, kind: str) -> int:
    with Ledger(road.record() / "ledger.sqlite") as ledger:
        return len(ledger.events(kind))


def test_before_the_end_it_is_a_practice_report(road: Road, browser: Browser) -> None:
    done = road.exam("report")
    assert done.status == 0 and done.err == "" and "report.html" in done.out
    page = opened(browser, result(road) / "report.html", 1200, "practice")
    assert "Nothing has been submitted" in page.inner_text("main")
    assert page.locator(".sheet img").count() >= 9  # aggregated: rows are shown after the end only
    assert page.locator(".gallery img, .texts li").count() == 0
    assert [one.name for one in result(road).iterdir()] == ["report.html"]
    told = road.exam("report", "--json").json
    assert told["submitted"] is None and told["passed"] is None
    assert [one["section"] for one in told["sections"]] == [1, 2, 3, 4, 5]


def test_a_submission_that_is_killed_is_made_again_and_counts_once(road: Road) -> None:
    for moment in (1.0, 4.0):
        with road.start("submit", "--yes", "--name", "Ada Lovelace") as process:
            time.sleep(moment)
            process.send_signal(signal.SIGKILL)
    done = road.exam("submit", "--yes", "--name", "Ada Lovelace", "--json")
    assert done.status == 0, done
    assert rows(road, "submitted") == 1 and road.problems() == []
    again = road.exam("submit", "--json")
    assert again.json == done.json and rows(road, "submitted") == 1


def test_there_is_all_that_a_candidate_gets(road: Road) -> None:
    names = {one.name for one in result(road).iterdir()}
    (archive,) = (name for name in names if name.endswith(".zip"))
    assert archive == f"ada-lovelace-{road.session()}.zip"
    assert names == {"report.html", "statement.pdf", "result.json", archive}
    told = json.loads((result(road) / "result.json").read_text())
    assert told["candidate"] == "Ada Lovelace" and told["passed"] is False
    for one in told["sections"]:
        low, high = one["interval"]
        assert low <= one["metric"]["value"] <= high, one
    assert (result(road) / "statement.pdf").read_bytes().startswith(b"%PDF-")
    if shutil.which("pdftotext"):
        line = ["pdftotext", "-layout", str(result(road) / "statement.pdf"), "-"]
        words = subprocess.run(line, capture_output=True, text=True, check=True).stdout
        assert "Ada Lovelace" in words and "Diamond prices" in words


@pytest.mark.parametrize("width", [1200, 360])
def test_the_report_is_a_page_that_can_be_looked_at(
    road: Road, browser: Browser, width: int
) -> None:
    path = result(road) / "report.html"
    assert path.stat().st_size < 3_000_000
    page = opened(browser, path, width, "report")
    text = page.inner_text("main")
    for said in ("Ada Lovelace", "Not passed", "Ending", "95 % interval", "Most surely mistaken"):
        assert said in text, said
    assert page.locator("section").count() == 5
    assert page.locator(".sheet img").count() >= 9  # two of each section, but for what has too few
    assert page.locator(".gallery img").count() == 24  # clothes and signs
    assert page.locator(".texts li").count() == 8
    assert page.locator("img:not([alt])").count() == 0


def test_it_is_fit_for_paper(road: Road, browser: Browser, tmp_path: Path) -> None:
    page = browser.new_page()
    page.goto((result(road) / "report.html").as_uri())
    printed = page.pdf(prefer_css_page_size=True)
    assert printed.startswith(b"%PDF-")
    pages = len(re.findall(rb"/Type\s*/Page\b", printed))
    assert 6 <= pages <= 16
    if folder := os.environ.get("EXAM_SCREENSHOTS"):
        Path(folder, "report.pdf").write_bytes(printed)


def test_other_forms_of_it(road: Road, tmp_path: Path) -> None:
    told = road.exam("report", "--json").json
    assert told == json.loads((result(road) / "result.json").read_text())
    table = road.exam("report", "--csv").out.splitlines()
    assert len(table) == 6 and table[0].startswith("candidate,")
    out = tmp_path / "elsewhere.html"
    assert road.exam("report", "--output", str(out)).status == 0
    assert "Ada Lovelace" in out.read_text()
    assert road.exam("report", "--json", "--csv").status == 2
    assert road.exam("report", "--output", str(tmp_path / "no" / "such.html")).status == 1


def test_a_report_that_is_lost_is_made_again(road: Road) -> None:
    before = (result(road) / "statement.pdf").read_bytes()
    shutil.rmtree(result(road))
    shutil.rmtree(road.record() / "result")
    assert road.exam("submit").status == 0
    assert (result(road) / "statement.pdf").read_bytes() == before
    assert rows(road, "submitted") == 1


def test_an_examiner_grades_what_was_handed_in(road: Road, tmp_path: Path) -> None:
    (tmp_path / "class").mkdir()
    (archive,) = result(road).glob("*.zip")
    shutil.copy(archive, tmp_path / "class")
    line = ["cohort", "grade", str(tmp_path / "class"), "--set", "final"]
    line += ["--exam", str(road.directory / "exam.yaml"), "--out", str(tmp_path / "out")]
    assert road.exam(*line).status == 0
    told: Any = json.loads((tmp_path / "out" / "results.json").read_text())
    (row,) = told["candidates"]
    ours = json.loads((result(road) / "result.json").read_text())
    assert row["candidate"] == archive.stem and row["total"] == ours["total"]
    for one in ours["sections"]:
        line_of = row["sections"][str(one["section"])]
        assert line_of["score"] == one["score"]
        assert line_of["metric"]["value"] == one["metric"]["value"]


def test_hidden_rows_stay_hidden_where_the_exam_does_not_reveal_them(
    road: Road, tmp_path: Path
) -> None:
    """The same session under another exam's word: nothing of the inputs is in any file then."""
    rules = road.record() / "exam.json"
    before = rules.read_text()
    rules.write_text(json.dumps({**json.loads(before), "reveal": False}))
    try:
        out = tmp_path / "aggregated.html"
        assert road.exam("report", "--output", str(out)).status == 0
    finally:
        rules.write_text(before)
    text = out.read_text()
    texts = (result(road) / "report.html").read_text()
    shown = re.findall(r"<q>(.*?)</q>", texts)
    assert len(shown) == 8 and all(one not in text for one in shown)
    assert "image/png" not in text and "image/svg+xml" in text
