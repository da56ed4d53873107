"""Of a model at fault a supervised exam says what was fixed beforehand, and nothing of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exam_cli.config.section import Section
from exam_cli.engine.fake import FakeEngine
from exam_cli.grading.environment import Environment
from exam_cli.grading.silent import silenced
from exam_cli.grading.verdict import REJECTED, Verdict
from exam_cli.sections.catalog import shipped_section

BEFORE_IT_RUNS = {
    "no_model",
    "several_models",
    "not_a_model",
    "unsupported_format",
    "too_large",
    "unsafe_path",
}
SECTION: Section = shipped_section(1)
HERE = Environment(FakeEngine(), "test:base", "tf2.21", "cpu", "2.21.0", "3.15.1")


def rejected(reason: str, seconds: float | None) -> Verdict:
    return Verdict(
        section=1,
        slug="regression",
        environment={},
        isolation={},
        status="rejected",
        reason=reason,
        message="The model returns (rows, 31337).",
        score=0,
        remarks=("The model takes (rows, 9, 1, 1, 1).",),
        seconds_predict=seconds,
        printed=b"stolen",
    )


@pytest.mark.parametrize("reason", sorted(set(REJECTED) - BEFORE_IT_RUNS))
def test_what_it_chose_to_say_is_not_said(reason: str) -> None:
    verdict = silenced(rejected(reason, 1.0), SECTION, HERE)
    assert (verdict.status, verdict.reason, verdict.score) == ("rejected", reason, 0)
    assert "31337" not in verdict.message and "{" not in verdict.message
    assert verdict.message.endswith(".") and verdict.message.count("`") in (0, 2)
    assert verdict.printed == b"" and verdict.remarks == ()
    assert silenced(replace(verdict, message="Other words."), SECTION, HERE) == verdict


@pytest.mark.parametrize("reason", sorted(BEFORE_IT_RUNS | {"version_mismatch"}))
def test_what_was_found_before_it_ran_is_said(reason: str) -> None:
    assert "31337" in silenced(rejected(reason, None), SECTION, HERE).message


def test_a_score_stays_and_what_the_model_returned_beside_it_goes() -> None:
    scored = replace(rejected("crashed", 1.0), status="scored", reason=None, score=4)
    verdict = silenced(scored, SECTION, HERE)
    assert (verdict.status, verdict.score, verdict.remarks) == ("scored", 4, ())
