"""What Jupyter is told of an exam, and that it goes with the record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exam_cli.config.exam import Choice, Exam
from exam_cli.engine.fake import FakeEngine
from exam_cli.sections.catalog import sections_of
from exam_cli.session.session import start_session
from exam_cli.sitting.clock import look
from exam_cli.sitting.down import purge
from exam_cli.sitting.opening import tell_jupyter


@pytest.mark.parametrize("attempts", [None, 1, 3])
def test_the_page_is_made_from_the_exam(tmp_path: Path, attempts: int | None) -> None:
    chosen = (Choice(section=4, weight=3), Choice(section=1, form="b"))
    exam = Exam(exam="mine", title="My exam", attempts=attempts, sections=chosen)
    session = start_session(tmp_path / "workspace", exam, "tf2.21", "cpu")
    tell_jupyter(session, sections_of(exam))
    told = json.loads((session.workspace / ".exam" / "exam.json").read_text())
    assert told["title"] == "My exam"
    assert [(one["section"], one["directory"]) for one in told["sections"]] == [
        (1, "1-regression"),
        (4, "4-nlp"),
    ]
    assert told["sections"][1]["weight"] == 3
    assert any("attempt" in rule and str(attempts) in rule for rule in told["rules"]) is (
        attempts == 3
    )


def test_it_goes_with_the_record(tmp_path: Path) -> None:
    session = start_session(tmp_path / "workspace", Exam(exam="mine"), "tf2.21", "cpu")
    tell_jupyter(session, sections_of(session.rules))
    look(session)
    (session.workspace / "mine.txt").write_text("work")
    purge(session, FakeEngine())
    assert sorted(path.name for path in session.workspace.rglob("*")) == [".exam", "mine.txt"]


def test_a_directory_that_was_swapped_for_a_link_is_left_alone(tmp_path: Path) -> None:
    session = start_session(tmp_path / "workspace", Exam(exam="mine"), "tf2.21", "cpu")
    elsewhere = tmp_path / "elsewhere"
    (session.workspace / ".exam").rename(elsewhere)
    (session.workspace / ".exam").symlink_to(elsewhere)
    tell_jupyter(session, sections_of(session.rules))
    assert sorted(path.name for path in elsewhere.iterdir()) == ["session"]
