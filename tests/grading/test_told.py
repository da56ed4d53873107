"""What a candidate is told of a score: everything, a summary, or the score alone."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_cli.cli.verdict import show_verdict
from exam_cli.config.exam import Feedback
from exam_cli.config.section import Section
from exam_cli.grading import hints
from exam_cli.grading.band import measured, score_of
from exam_cli.grading.verdict import Rejection, Verdict
from exam_cli.sections.catalog import shipped_section
from exam_cli.sitting.grade import Graded

PRICES = replace(shipped_section(1), bands=(1000, 750, 550, 430, 360))
GLOSSES = replace(shipped_section(4), bands=(0.4, 0.6, 0.7, 0.75, 0.78))
REMARK = "The model takes (rows, 9, 1): the rows were given that shape."
LEVELS: tuple[Feedback, ...] = ("scores", "summary", "full")


def verdict(
    value: float, noise: float | None = None, section: Section = PRICES, word: str | None = None
) -> Verdict:
    """Return what comes of a metric's value."""
    points = score_of(value, section)
    start = Verdict(section.section, section.slug, {}, {}, remarks=(REMARK,), warm=True)
    return start.scored(
        points, measured(value, section, noise), hints.sentence(word, points, section)
    )


# --- borderline


@pytest.mark.parametrize(
    ("value", "noise", "borderline"),
    [
        (436, 8, True),
        (424, 8, True),
        (430, 8, True),
        (440, 8, False),
        (430, None, False),
        (430, 0, False),
        (355, 8, True),  # of the top, too: it might have been a 4
        (1005, 8, True),
        (1012, 8, False),
    ],
)
def test_within_one_standard_error_of_a_threshold(
    value: float, noise: float | None, borderline: bool
) -> None:
    found = measured(value, PRICES, noise)
    told = found.as_json()
    assert found.borderline is borderline and told is not None
    assert (told["borderline"], told["noise"]) == (borderline, noise)
    assert ("within the noise" in verdict(value, noise).message) is borderline


@given(st.floats(0.001, 0.999), st.floats(0.0001, 0.05))
def test_borderline_can_be_worked_out_from_what_is_told(value: float, noise: float) -> None:
    told = measured(value, GLOSSES, noise).as_json()
    assert told is not None
    near = min(abs(told["value"] - threshold) for threshold in GLOSSES.bands)
    assert told["borderline"] is (near <= told["noise"])
    digits = f"{told['noise']:.10f}".replace(".", "").strip("0")
    assert len(digits) <= 2


# --- feedback


def test_everything(capsys: pytest.CaptureFixture[str]) -> None:
    found = verdict(436.04, 8.04)
    assert (
        found.message
        == found.told("full")
        == (
            "Scored 3 of 5; 4 needs mae at most 430. That is borderline: within the noise of the "
            f"hidden sample. {REMARK}"
        )
    )
    assert found.as_json(1)["metric"] == {
        "name": "mae",
        "value": 436.0,
        "next_band": {"score": 4, "threshold": 430},
        "noise": 8.0,
        "borderline": True,
    }
    show_verdict(Graded(found, 1, None))
    shown = " ".join(capsys.readouterr().out.split())
    assert "3 of 5" in shown and "mae 436 US dollars" in shown and REMARK in shown
    assert "4: mae at most 430 (6 less)" in shown and "borderline: within the noise" in shown


def test_a_summary_tells_the_metric_and_no_threshold(capsys: pytest.CaptureFixture[str]) -> None:
    found = verdict(436.04, 8.04, word="scaled")
    told = found.as_json(1, "summary")
    assert told["message"] == (
        f"Scored 3 of 5. That is borderline: within the noise of the hidden sample. {REMARK}"
    )
    assert told["metric"]["value"] == 436.0 and told["metric"]["next_band"] is None
    show_verdict(Graded(found, 1, None), "summary")
    shown = capsys.readouterr().out
    assert "436 US dollars" in shown and "430" not in shown


def test_scores_tell_the_score_alone(capsys: pytest.CaptureFixture[str]) -> None:
    found = verdict(1005.5, 8.0, word="scaled")
    told = found.as_json(1, "scores")
    assert (told["score"], told["max_score"], told["verdict"]) == (0, 5, "scored")
    assert told["message"] == f"Scored 0 of 5. {REMARK}" and told["metric"] is None
    show_verdict(Graded(found, 1, None), "scores")
    shown = capsys.readouterr().out
    for text in (repr(told), shown):
        assert "1000" not in text and "1006" not in text and "borderline" not in text
        assert "mae" not in text and "scale" not in text
    assert "0 of 5" in shown and REMARK in shown


@pytest.mark.parametrize("feedback", LEVELS)
def test_why_a_model_is_rejected_is_told_to_all(feedback: Feedback) -> None:
    start = Verdict(1, "regression", {}, {})
    found = start.rejected(Rejection("wrong_input", "The model takes 2 inputs."))
    told = found.as_json(2, feedback)
    assert (told["message"], told["metric"]) == ("The model takes 2 inputs.", None)


@given(st.floats(1, 2000), st.sampled_from(LEVELS))
def test_more_feedback_never_changes_the_score(value: float, feedback: Feedback) -> None:
    found = verdict(value, 8.0)
    assert found.as_json(1, feedback)["score"] == score_of(value, PRICES)


# --- hints


@pytest.mark.parametrize("word", sorted(hints.WORDS))
def test_hints_are_for_poor_scores(word: str) -> None:
    for points in range(6):
        said = hints.sentence(word, points, PRICES)
        assert (said is not None) is (points <= 1)
    said = hints.sentence(word, 0, GLOSSES)
    assert said is not None and said.isascii() and said.endswith(".") and len(said) < 200
    assert "{" not in said and not re.search(r"\d\d", said)


def test_hints_come_last_and_name_the_unit() -> None:
    found = verdict(3900, 60, word="scaled")
    assert found.message.endswith("scale back and return US dollars; if not, train longer.")
    assert found.hint is not None and REMARK in found.message


@pytest.mark.parametrize("word", [None, "", "anything", 7, ["scaled"], {"scaled": 1}])
def test_other_words_are_not_told(word: object) -> None:
    assert hints.sentence(word, 0, PRICES) is None


def test_a_verdict_may_be_told_again() -> None:
    found = verdict(500, 2)
    assert replace(found, message="").told("full") == found.message
