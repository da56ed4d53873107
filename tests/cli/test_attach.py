"""`exam attach`: what it refuses, before any engine is asked."""

from __future__ import annotations

import pytest

from exam_cli.session.session import Session
from tests.cli.conftest import Exam


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["vscode", "--open"], "--open is for jupyter"),
        (["jupyter", "--write"], "nothing to write for jupyter"),
        (["compose", "--write"], "nothing to write for compose"),
        (["emacs"], "emacs"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    exam: Exam, session: Session, no_engine: None, arguments: list[str], said: str
) -> None:
    done = exam("attach", *arguments)
    assert done.status == 2 and said in done.err


@pytest.mark.parametrize("tool", ["jupyter", "pycharm", "vscode", "compose"])
def test_without_an_engine_it_says_so(
    exam: Exam, session: Session, no_engine: None, tool: str
) -> None:
    done = exam("attach", tool)
    assert done.status == 3 and "engine" in done.sentence
