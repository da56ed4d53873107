"""Facts to report, made up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from exam_cli.config.exam import Feedback
from exam_cli.grading.verdict import metric_told
from exam_cli.reports.facts import Attempt, Facts, SectionFacts
from exam_cli.reports.study import Confusion, Example, Picture, Study
from exam_cli.sections.catalog import shipped_section

BEGAN = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><text>drawn</text></svg>'
PNG = b"\x89PNG\r\n\x1a\nrest"
METRIC = {"name": "accuracy", "value": 0.7712, "next_band": None, "noise": 0.01, "borderline": True}
STUDY = Study(
    "classes",
    1995,
    (0.75313, 0.79087),
    (Picture(SVG, "a caption", "an alternative text", wide=True),),
    (Confusion("act", "animal", 9, 105),),
    (Example("act", "plant", "99.1", "a hidden sentence", None),),
)


def section(number: int = 4, feedback: Feedback = "full", **more: Any) -> SectionFacts:
    one = shipped_section(number)
    attempts = tuple(
        Attempt(
            n + 1,
            BEGAN + timedelta(minutes=40 * n),
            "scored",
            None,
            n + 2,
            None if feedback == "scores" else 0.6 + n / 20,
        )
        for n in range(3)
    )
    facts = SectionFacts(
        section=one.section,
        slug=one.slug,
        title=one.title,
        category=one.category,
        form=one.form,
        weight=one.weight,
        share=25.0,
        bands=one.bands,
        counted=3,
        score=4,
        metric=metric_told(METRIC, feedback),
        unit=None,
        better=one.metric.better,
        metric_name=one.metric.name,
        message="Scored 4 of 5.",
        model={"path": "m", "sha256": "0" * 64, "bytes": 1, "format": "keras"},
        attempts=attempts,
        study=STUDY,
    )
    return replace(facts, **more)


def facts(feedback: Feedback = "full", **more: Any) -> Facts:
    found = Facts(
        exam="test",
        title="Autumn exam",
        candidate="Ada Lovelace",
        session="0123456789ab",
        edition="tf2.21",
        variant="cpu",
        feedback=feedback,
        reveal=False,
        started=BEGAN,
        submitted=BEGAN + timedelta(hours=3),
        read=BEGAN + timedelta(hours=4),
        total=92.5,
        pass_mark=90.0,
        passed=True,
        official=False,
        fingerprint="3f2a9c41" * 8,
        sections=(section(4, feedback),),
    )
    return replace(found, **more)
