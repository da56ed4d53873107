"""An exam's rules: attempts, time, which attempt counts, and the total."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exam_cli.config.edition import load_edition
from exam_cli.config.exam import Exam
from exam_cli.config.section import Section
from exam_cli.engine.fake import FakeEngine
from exam_cli.errors import ExamError, OurFault
from exam_cli.grading.environment import Needs
from exam_cli.sections.catalog import shipped_section
from exam_cli.session.ledger import Ledger
from exam_cli.session.session import Session, start_session
from exam_cli.sitting.grade import environment_of
from exam_cli.sitting.rules import attempting, counting, total
from exam_cli.sitting.status import told

SECTION = shipped_section(1)  # lower is better


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXAM_HOME", str(tmp_path / "home"))


def session_of(tmp_path: Path, **rules: Any) -> Session:
    return start_session(tmp_path / "workspace", Exam(exam="test", **rules), "tf2.21", "cpu")


def scored(score: int, value: float) -> dict[str, Any]:
    return {"verdict": "scored", "score": score, "metric": {"value": value}}


REJECTED = {"verdict": "rejected", "score": 0, "metric": None}
FAILED = {"verdict": "failed", "score": None, "metric": None}


def test_attempts_are_limited_and_our_failures_cost_none(tmp_path: Path) -> None:
    session = session_of(tmp_path, attempts=2)
    for payload in (FAILED, scored(1, 900), FAILED, REJECTED):
        with attempting(SECTION, session), Ledger(session.ledger_path) as ledger:
            ledger.append_attempt(1, payload)
    with pytest.raises(ExamError, match="all 2 attempts") as refusal, attempting(SECTION, session):
        raise AssertionError("let through")
    assert refusal.value.reason == "no_attempts_left"
    with attempting(shipped_section(4), session):
        pass  # another section has its own


def test_nothing_is_graded_when_the_time_is_up(tmp_path: Path) -> None:
    session = session_of(tmp_path, duration="1h")
    with attempting(SECTION, session):
        pass  # not begun
    with Ledger(session.ledger_path, lambda: datetime.now(UTC) - timedelta(minutes=59)) as ledger:
        ledger.append("started", {})
    with attempting(SECTION, session):
        pass


def test_the_time_is_up_after_the_duration(tmp_path: Path) -> None:
    session = session_of(tmp_path, duration="1h")
    with Ledger(session.ledger_path, lambda: datetime.now(UTC) - timedelta(minutes=61)) as ledger:
        ledger.append("started", {})
    with (
        pytest.raises(ExamError, match="time of the exam test is up"),
        attempting(SECTION, session),
    ):
        raise AssertionError("let through")


@pytest.mark.parametrize(
    ("attempts", "last", "best"),
    [
        ([], None, None),
        ([scored(5, 300), scored(3, 500)], scored(3, 500), scored(5, 300)),
        ([scored(5, 300), REJECTED], scored(5, 300), scored(5, 300)),
        ([scored(4, 400), scored(4, 390), scored(4, 395)], scored(4, 395), scored(4, 390)),
        ([REJECTED], None, None),
    ],
)
def test_which_attempt_counts(attempts: list[Any], last: Any, best: Any) -> None:
    assert counting(SECTION, attempts, "last") == last
    assert counting(SECTION, attempts, "best") == best


def test_among_equals_the_better_metric_is_the_best(tmp_path: Path) -> None:
    higher: Section = shipped_section(4)
    attempts = [scored(4, 0.76), scored(4, 0.77), scored(3, 0.99)]
    assert counting(higher, attempts, "best") == attempts[1]


def test_the_total_weighs_and_counts_what_was_not_tried() -> None:
    assert total([(10, scored(5, 0)), (30, None)]) == 25
    assert total([(10, scored(5, 0)), (30, scored(5, 0))]) == 100
    assert total([(10, REJECTED), (30, scored(2, 0))]) == 30


def test_an_exam_with_a_seed_gives_everyone_the_same_hidden_data(tmp_path: Path) -> None:
    exam = Exam(exam="class", seed="a secret of the examiner")
    one, two = (start_session(tmp_path / name, exam, "tf2.21", "cpu") for name in ("a", "b"))
    alone = start_session(tmp_path / "c", Exam(exam="class"), "tf2.21", "cpu")
    assert one.seed == two.seed != alone.seed and len(one.seed) == 32


def test_the_rules_are_those_of_the_first_day(tmp_path: Path) -> None:
    session = session_of(tmp_path, attempts=3, pass_mark=70)
    again = session_of(tmp_path, attempts=9)
    assert again.rules == session.rules and again.rules.attempts == 3


@pytest.mark.parametrize("runtime", [None, "runc"])
def test_a_runtime_that_the_engine_has(tmp_path: Path, runtime: str | None) -> None:
    session = session_of(tmp_path, runtime=runtime)
    environment = environment_of(session, load_edition("tf2.21"), "test:base", FakeEngine())
    assert environment.container("predictor", Needs(1, 1)).runtime == runtime
    assert environment.isolation()["runtime"] == "runc"


def test_no_model_is_loaded_behind_a_weaker_wall(tmp_path: Path) -> None:
    session = session_of(tmp_path, runtime="runsc")
    with pytest.raises(OurFault, match="graded under runsc"):
        environment_of(session, load_edition("tf2.21"), "test:base", FakeEngine())


def test_a_status_tells_as_much_as_the_exam_allows() -> None:
    payload = {
        "attempt": 1, "verdict": "scored", "reason": None, "score": 3, "model": {},
        "metric": {"name": "mae", "value": 500.0, "next_band": {"score": 4, "threshold": 430}},
    }  # fmt: skip
    full, summary, scores = (told(payload, one) for one in ("full", "summary", "scores"))
    assert full is not None and full["metric"] == payload["metric"] and "model" not in full
    assert summary is not None and summary["metric"]["value"] == 500
    assert summary["metric"]["next_band"] is None
    assert scores is not None and scores["metric"] is None and scores["score"] == 3
    assert told(None, "full") is None
