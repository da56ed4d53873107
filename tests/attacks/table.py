"""What came of each attack, as a page."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from exam_cli.grading.verdict import Verdict
from tests.attacks.collection import Attack

PROMISE = 5.0  # seconds over the section's limit in which every verdict is to be there


@dataclass(frozen=True)
class Outcome:
    """What came of an attack.

    Args:
        limit: seconds that loading and predicting might take.
        took: seconds from the look at the directory to the verdict.
    """

    attack: Attack
    verdict: Verdict
    limit: int
    took: float

    @property
    def over(self) -> float:
        """Seconds over the limit."""
        return max(0.0, self.took - self.limit)

    @property
    def as_wanted(self) -> bool:
        """Whether this is the verdict that the attack must meet."""
        verdict = self.verdict
        status = "rejected" if self.attack.reason else "scored"
        earns = self.attack.honest and verdict.status == "scored"
        met = (verdict.status, verdict.reason) == (status, self.attack.reason)
        return met and verdict.score is not None and (verdict.score > 0) == earns


@dataclass(frozen=True)
class Honest:
    """Seconds that honest models' grades took, alone and beside attacks."""

    alone: Sequence[float]
    beside: Sequence[float]


def page(outcomes: Sequence[Outcome], honest: Honest, seconds: float) -> str:
    """Return the table, and before it what it comes to, in Markdown; `seconds` are for all."""
    lines = ["# Attacks, and what came of them", "", *summary(outcomes, honest, seconds), ""]
    lines += ["| attack | format | known as | verdict | reason | seconds | over the limit | ok? |"]
    lines += ["| --- | --- | --- | --- | --- | ---: | ---: | --- |"]
    for one in outcomes:
        attack, verdict = one.attack, one.verdict
        cells = [
            attack.name.replace("_", " "),
            attack.format,
            attack.known,
            verdict.status,
            verdict.reason or "",
        ]
        cells += [f"{one.took:.1f}", f"{one.over:.1f}" if one.over else ""]
        lines.append(f"| {' | '.join(cells)} | {'yes' if one.as_wanted else '**no**'} |")
    return "\n".join([*lines, ""])


def summary(outcomes: Sequence[Outcome], honest: Honest, seconds: float) -> list[str]:
    """Return what the table comes to."""
    formats = sorted({one.attack.format for one in outcomes})
    of_each = ", ".join(
        f"{sum(one.attack.format == kind for one in outcomes)} {kind}" for kind in formats
    )
    slowest = max(outcomes, key=lambda one: one.over)
    late = sum(one.over > PROMISE for one in outcomes)
    wrong = sum(not one.as_wanted for one in outcomes)
    return [
        f"{len(outcomes)} attacks ({of_each}) in {seconds:.0f} s, two at a time with honest models "
        f"between them; {wrong} met another verdict than they must. Over the section's limit by "
        f"more than {PROMISE:.0f} s: {late}; the slowest, {slowest.attack.id}, took "
        f"{slowest.over:.1f} s over its limit of {slowest.limit} s.",
        *(_told(honest) if honest.alone and honest.beside else []),
    ]


def _told(honest: Honest) -> list[str]:
    alone, beside = statistics.median(honest.alone), statistics.median(honest.beside)
    return [
        "",
        f"Honest models took {alone:.1f} s alone and {beside:.1f} s beside an attack (medians of "
        f"{len(honest.alone)} and {len(honest.beside)} grades).",
    ]
