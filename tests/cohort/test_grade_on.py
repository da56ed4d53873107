"""A class that is graded on a GPU: refused where there is none, before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from exam_cli.cohort.grade import Order, grade_cohort
from exam_cli.config.edition import DEFAULT_EDITION, load_edition
from exam_cli.config.exam import Exam
from exam_cli.engine.fake import FakeEngine
from exam_cli.images.gpu import NoGpu
from exam_cli.progress import SILENT


def test_a_class_is_not_graded_on_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "work" / "ada" / "1-regression").mkdir(parents=True)
    exam = Exam(exam="deep", grade_on="gpu")
    edition = load_edition(DEFAULT_EDITION, exam.grade_on)
    order = Order(tmp_path / "work", tmp_path / "out", exam, edition)
    engine = FakeEngine()
    with pytest.raises(NoGpu, match="nvidia-container-toolkit"):
        grade_cohort(order, lambda: engine, SILENT)
    assert engine.known == {"test:base"} and engine.find({}) == []
    assert not (tmp_path / "out" / "grades.jsonl").exists()
