"""The page: what stands on it, what may not, and where a value stands on the ladder."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from exam_cli.grading.band import score_of
from exam_cli.reports.page import page, place
from exam_cli.sections.catalog import shipped_section
from tests.reports.made import facts, section

_VOID = {"meta", "img", "br"}


class Outline(HTMLParser):
    """Tags that are open at the end, headings, addresses, images without words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[int] = []
        self.addresses: list[str] = []
        self.wordless = 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag not in _VOID:
            self.open.append(tag)
        if tag in ("h1", "h2", "h3", "h4"):
            self.headings.append(int(tag[1]))
        self.wordless += tag == "img" and not told.get("alt")
        self.addresses += [told[name] or "" for name in ("src", "href") if name in told]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_it_is_one_file_that_is_whole_and_can_be_read_aloud() -> None:
    found = Outline(page(facts()))
    assert found.open == []
    assert found.wordless == 0 and found.addresses
    assert all(one.startswith(("data:image/", "#")) for one in found.addresses)
    assert found.headings[0] == 1 and found.headings.count(1) == 1
    steps = zip(found.headings, found.headings[1:], strict=False)
    assert all(after - before <= 2 for before, after in steps)


def test_it_says_who_what_when_and_how_it_went() -> None:
    text = page(facts())
    for said in (
        "Ada Lovelace", "Autumn exam", "0123456789ab", "tf2.21", "92.5", "Passed", "3f2a 9c41",
        "0.7712", "0.7531", "0.7909", "22 November 2026", "What a gloss defines", "20 ",
    ):  # fmt: skip
        assert said in text, said
    assert "Not passed" in page(facts(passed=False, total=12.0))


def test_before_the_end_it_says_that_it_is_no_result() -> None:
    text = page(facts(submitted=None, fingerprint=None))
    assert "Practice report" in text and "Nothing has been submitted" in text
    assert ">Passed<" not in text and "Fingerprint" not in text
    assert "Practice report" not in page(facts())


def test_what_happened_to_the_clock_is_told() -> None:
    assert "Extra time" not in page(facts()) and "clock was set" not in page(facts())
    text = page(facts(extra_seconds=900, clock_moves=2))
    assert "+15 minutes" in text and "clock was set 2 times" in text


def test_scores_alone_tell_no_metric() -> None:
    text = page(facts("scores"))
    for hidden in ("0.7712", "0.7531", "0.65", "0.7000", "borderline", 'class="you"'):
        assert hidden not in text.split("</style>")[1], hidden
    assert "tells scores and nothing more" in text


def test_hidden_rows_are_shown_where_they_may_be_and_nowhere_else() -> None:
    shown, aggregated = page(facts(reveal=True)), page(facts())
    assert "a hidden sentence" in shown and "an alternative text" in shown
    assert "a hidden sentence" not in aggregated and "an alternative text" in aggregated
    summary = page(facts("summary"))
    assert "an alternative text" not in summary and "act" not in summary.split("<section")[1]
    assert "0.7712" in summary and "0.7531" in summary


def test_whatever_comes_from_others_is_text() -> None:
    bad = '<script>alert(1)</script>"onload="x'
    one = section(4)
    assert one.study is not None
    study = replace(
        one.study,
        examples=(replace(one.study.examples[0], text=bad, truth=bad),),
        pictures=(replace(one.study.pictures[0], alt=bad, caption=bad),),
    )
    found = facts(
        reveal=True, candidate=bad, title=bad, sections=(replace(one, message=bad, study=study),)
    )
    text = page(found)
    assert "<script" not in text and '"onload' not in text
    assert text.count("&lt;script&gt;") >= 6


def test_a_section_without_any_model_has_a_place_on_the_page() -> None:
    none = section(4, counted=None, score=0, metric=None, attempts=(), study=None, model=None)
    text = page(facts(sections=(none,)))
    assert "Attempts over time" not in text and "What a gloss defines" in text


@given(st.sampled_from((1, 2, 5)), st.floats(-5000, 5000))
def test_a_value_stands_in_the_band_that_it_scores(number: int, value: float) -> None:
    one = section(number)
    found = place(value, one)
    assert 0 <= found <= 100
    score = score_of(value, shipped_section(number))
    assert 100 * score / 6 - 0.01 <= found <= 100 * (score + 1) / 6 + 0.01
