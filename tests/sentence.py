"""What a candidate may be told, whatever a model has done."""

from __future__ import annotations

import re

from exam_cli.grading.verdict import Verdict


def check_sentence(verdict: Verdict, inputs: bytes) -> None:
    """Check that the candidate reads one short plain sentence with nothing in it that a model said.

    A few digits are ours; many could carry the hidden inputs out.
    """
    assert verdict.message.isprintable() and len(verdict.message) < 400
    assert verdict.message.endswith(".")
    assert "stolen" not in verdict.message and "SCORE" not in verdict.message
    assert all(len(digits) <= 6 for digits in re.findall(r"\d+", verdict.message))
    words = set(re.findall(r"[a-z]{12,}", inputs.decode("utf-8", "ignore").lower()))
    words -= {"probabilities"}  # a word of ours that a gloss may use, too
    assert words.isdisjoint(verdict.message.lower().split())
