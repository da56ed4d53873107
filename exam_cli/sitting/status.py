"""`exam status`: what is known of a session now, read from the ledger and the engine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from exam_cli.config.exam import Counting, Feedback
from exam_cli.config.section import Section
from exam_cli.engine.port import Engine, Listed
from exam_cli.errors import EngineUnreachable
from exam_cli.grading.verdict import metric_told
from exam_cli.sections.catalog import sections_of
from exam_cli.session.clock import Clock
from exam_cli.session.ledger import Ledger
from exam_cli.session.session import Session
from exam_cli.sitting.clock import look
from exam_cli.sitting.rules import best, counting, total


@dataclass(frozen=True)
class SectionStatus:
    """A section and what has been tried; `last`, `best` and `counting` are ledger payloads."""

    section: Section
    attempts: int
    last: dict[str, Any] | None
    best: dict[str, Any] | None
    counting: dict[str, Any] | None

    def as_json(self, feedback: Feedback) -> dict[str, Any]:
        """Return the object that `exam status --json` lists, as far as `feedback` goes."""
        return {
            "section": self.section.section,
            "slug": self.section.slug,
            "title": self.section.title,
            "weight": self.section.weight,
            "directory": self.section.directory,
            "attempts": self.attempts,
            "last": told(self.last, feedback),
            "best": told(self.best, feedback),
        }


def told(payload: dict[str, Any] | None, feedback: Feedback) -> dict[str, Any] | None:
    """Return what of an attempt is shown, as far as `feedback` goes."""
    if payload is None:
        return None
    short = {key: payload.get(key) for key in ("attempt", "verdict", "reason", "score", "metric")}
    return {**short, "metric": metric_told(short["metric"], feedback)}


@dataclass(frozen=True)
class Status:
    """A session at a moment. `containers` is None when no engine answers."""

    session: Session
    clock: Clock
    submitted: bool
    containers: list[Listed] | None
    sections: list[SectionStatus]

    @property
    def total(self) -> float:
        """Points of 100 by the attempts that count, sections without one included."""
        return total([(one.section.weight, one.counting) for one in self.sections])

    def as_json(self) -> dict[str, Any]:
        """Return the object that `exam status --json` prints."""
        started, deadline = self.clock.started, self.clock.deadline
        return {
            "session": self.session.id,
            "exam": self.session.exam,
            "edition": self.session.edition,
            "variant": self.session.variant,
            "clock": {
                "started": started.isoformat() if started else None,
                "deadline": deadline.isoformat() if deadline else None,
                "seconds_left": self.clock.seconds_left,
                "elapsed": self.clock.elapsed,
                "extra": [asdict(one) for one in self.clock.extras],
                "moved": [
                    {"seen": one.seen.isoformat(), "seconds": one.seconds}
                    for one in self.clock.moves
                ],
                "submitted": self.submitted,
            },
            "containers": [
                {
                    "name": state.name,
                    "role": state.labels.get("exam.role"),
                    "running": state.running,
                    **({"unhealthy": True} if state.unhealthy else {}),
                    "image": state.image_id,
                }
                for state in self.containers or []
            ],
            "sections": [one.as_json(self.session.rules.feedback) for one in self.sections],
        }


def status(session: Session, connect: Callable[[], Engine]) -> Status:
    """Return a session's status; it needs no engine to tell the clock and the scores."""
    with Ledger(session.ledger_path) as ledger:
        rules = session.rules
        sections = [_section_status(one, ledger, rules.counts) for one in sections_of(rules)]
    now = look(session)
    containers = None
    with contextlib.suppress(EngineUnreachable):
        containers = connect().find({"exam.session": session.id})
    return Status(session, now.clock, now.submitted, containers, sections)


def _section_status(section: Section, ledger: Ledger, counts: Counting) -> SectionStatus:
    attempts = [event.payload for event in ledger.attempts(section.section)]
    return SectionStatus(
        section,
        len(attempts),
        attempts[-1] if attempts else None,
        best(section, attempts),
        counting(section, attempts, counts),
    )
