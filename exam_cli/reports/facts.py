"""What a report says, before anybody lays it out: told as far as the exam's feedback goes."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from exam_cli.config.exam import Feedback
from exam_cli.reports.cells import cell
from exam_cli.reports.study import Study

FULL_SCORE = 5


@dataclass(frozen=True)
class Attempt:
    """One grading on the probe set. `value` is the metric's, None where it is not told."""

    attempt: int
    time: datetime
    verdict: str
    reason: str | None
    score: int
    value: float | None


@dataclass(frozen=True)
class SectionFacts:
    """What a section came to.

    Args:
        section: its number; `slug`, `title`, `category` and `form` name it, too.
        weight: as the exam has it; `share` is what it is worth of 100 points.
        bands: the thresholds of the scores 1 to 5.
        counted: the attempt that counts; None when no model was scored.
        metric: as `exam grade --json` has it, as far as it may be told.
        unit: of the metric; `better` says which way it gets better.
        message: what the candidate was told.
        model: which one was graded, see `ModelRecord`.
        environment: the digest of what it was graded in, and the edition's lock; None where no
            grade names them.
        study: the look at its predictions; None where there was none.
    """

    section: int
    slug: str
    title: str
    category: str
    form: str
    weight: float
    share: float
    bands: tuple[float, ...]
    counted: int | None
    score: int
    metric: dict[str, Any] | None
    unit: str | None
    better: Literal["lower", "higher"]
    metric_name: str
    message: str
    model: dict[str, Any] | None
    attempts: tuple[Attempt, ...]
    environment: dict[str, Any] | None = None
    study: Study | None = None

    @property
    def points(self) -> float:
        """Points of 100."""
        return self.share * self.score / FULL_SCORE

    @property
    def interval(self) -> tuple[float, float] | None:
        """The metric's 95 % interval in four digits, where the metric is told."""
        if self.metric is None or self.study is None or self.study.interval is None:
            return None
        low, high = self.study.interval
        return float(f"{low:.4g}"), float(f"{high:.4g}")

    def as_json(self) -> dict[str, Any]:
        """Return the object that `exam report --json` lists."""
        return {
            "section": self.section,
            "slug": self.slug,
            "title": self.title,
            "category": self.category,
            "form": self.form,
            "weight": self.weight,
            "share": round(self.share, 4),
            "score": self.score,
            "max_score": FULL_SCORE,
            "points": round(self.points, 4),
            "attempt": self.counted,
            "metric": self.metric and {**self.metric, "unit": self.unit, "better": self.better},
            "interval": list(self.interval) if self.interval else None,
            "bands": list(self.bands),
            "message": self.message,
            "model": self.model,
            "environment": self.environment,
            "attempts": [
                {
                    "attempt": one.attempt,
                    "time": one.time.isoformat(timespec="seconds"),
                    "verdict": one.verdict,
                    "reason": one.reason,
                    "score": one.score,
                    "value": one.value,
                }
                for one in self.attempts
            ],
        }


@dataclass(frozen=True)
class Facts:
    """What an exam came to, or has come to so far: `submitted` says when it ended, if it did.

    `fingerprint` is the hash of the ledger's row of the submission, which stands for all before it.
    `extra_seconds` were given by the examiner; `clock_moves` says how often the machine's clock was
    seen to be set.
    """

    exam: str
    title: str
    candidate: str | None
    session: str
    edition: str
    variant: str
    feedback: Feedback
    reveal: bool
    started: datetime | None
    submitted: datetime | None
    read: datetime
    total: float
    pass_mark: float
    passed: bool
    official: bool
    fingerprint: str | None
    sections: tuple[SectionFacts, ...]
    extra_seconds: int = 0
    clock_moves: int = 0

    @property
    def name(self) -> str:
        """The exam's name for people."""
        return self.title or self.exam

    @property
    def digests(self) -> tuple[str, ...]:
        """The environment digests that the grades were made in: one, as a rule."""
        found = [one.environment["digest"] for one in self.sections if one.environment]
        return tuple(dict.fromkeys(found))

    def as_json(self) -> dict[str, Any]:
        """Return the object that `exam report --json` prints, and that `result.json` holds."""
        return {
            "exam": self.exam,
            "title": self.title,
            "candidate": self.candidate,
            "session": self.session,
            "edition": self.edition,
            "variant": self.variant,
            "feedback": self.feedback,
            "official": self.official,
            "started": _time(self.started),
            "submitted": _time(self.submitted),
            "extra_seconds": self.extra_seconds,
            "clock_moves": self.clock_moves,
            "total": round(self.total, 4),
            "pass_mark": self.pass_mark,
            "passed": self.passed if self.submitted else None,
            "fingerprint": self.fingerprint,
            "sections": [one.as_json() for one in self.sections],
        }


def to_csv(facts: Facts) -> str:
    """Return one row a section, for spreadsheets."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = "candidate exam session submitted section title weight attempts attempt score"
    columns += " max_score points metric value low high unit total pass_mark passed"
    writer.writerow(columns.split())
    for one in facts.sections:
        low, high = one.interval or (None, None)
        metric = one.metric or {}
        row: list[object] = [facts.candidate, facts.exam, facts.session, _time(facts.submitted)]
        row += [one.section, one.title, one.weight, len(one.attempts), one.counted, one.score]
        row += [FULL_SCORE, round(one.points, 4), metric.get("name"), metric.get("value")]
        row += [low, high, one.unit if metric else None, round(facts.total, 4), facts.pass_mark]
        row.append(("yes" if facts.passed else "no") if facts.submitted else None)
        writer.writerow([cell(value) for value in row])
    return text.getvalue()


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="seconds")
