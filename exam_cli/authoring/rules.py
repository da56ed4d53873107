"""What a section's measured ladder must fulfil: one function a rule, each a sentence with numbers.

A rule returns its problems; none means that it holds. Rules look at what is there: with `--only`,
or while seeds are missing, they judge the rungs that were trained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from exam_cli.authoring.results import Broken, DataLook, Interval, Measured, SetName
from exam_cli.config.section import Section
from exam_cli.grading.band import score_of

REFERENCE_SECONDS = 300.0
SAME_BAND_SHARE = 0.95
ORDER_LIMIT = 5.0  # standard errors: of 20 seeds' many correlations chance makes none so large


@dataclass(frozen=True)
class Measurements:
    """All that was measured: by rung in the ladder's order, then by seed."""

    section: Section
    ladder: Mapping[str, Sequence[Measured]]
    shuffled: Sequence[Measured]
    looks: Sequence[DataLook]
    broken: Sequence[Broken]


@dataclass(frozen=True)
class Judgement:
    """A rule, and what speaks against it; `problems` empty means that it holds."""

    rule: str
    problems: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.problems


def judge(found: Measurements) -> list[Judgement]:
    """Return what every rule says."""
    return [Judgement(rule, tuple(check(found))) for rule, check in RULES.items()]


def score(section: Section, interval: Interval) -> int:
    """Return the score of a metric."""
    return score_of(interval.value, section)


def reference_is_safe(found: Measurements) -> Iterator[str]:
    """The whole interval of the last rung is in band 5, on every seed and set."""
    section = found.section
    bound = section.bands[-1]
    name = section.ladder[-1]
    for one in found.ladder.get(name, ()):
        for which, interval in one.sets.items():
            lower = section.metric.better == "lower"
            worst = interval.high if lower else interval.low
            if worst > bound if lower else worst < bound:
                yield (
                    f"{name} on seed {one.seed}, {which}: {_interval(interval)} is not wholly in "
                    f"band 5 ({'at most' if lower else 'at least'} {threshold(bound)})."
                )


def baseline_is_low(found: Measurements) -> Iterator[str]:
    """The first rung never scores 2."""
    name = found.section.ladder[0]
    for one, which, interval in _all(found.ladder.get(name, ())):
        got = score(found.section, interval)
        if got >= 2:
            yield (
                f"{name} on seed {one.seed}, {which}: {number(interval.value)} scores {got}; "
                "a model that has learnt nothing must stay below 2."
            )


def ladder_rises(found: Measurements) -> Iterator[str]:
    """Means over seeds get strictly better along the ladder."""
    lower = found.section.metric.better == "lower"
    rungs = [(name, of) for name, of in found.ladder.items() if of]
    for (weak, weak_ones), (strong, strong_ones) in pairwise(rungs):
        before, after = fmean(o.mean for o in weak_ones), fmean(o.mean for o in strong_ones)
        if (after < before) if lower else (after > before):
            continue
        by_seed = {one.seed: one.mean for one in weak_ones}
        pairs = [(by_seed[o.seed], o.mean) for o in strong_ones if o.seed in by_seed]
        good = sum((b < a) if lower else (b > a) for a, b in pairs)
        yield (
            f"{strong} ({number(after)} in the mean) is not better than {weak} ({number(before)}), "
            f"which stands below it; it is on {good} of {len(pairs)} seeds."
        )


def sets_agree(found: Measurements) -> Iterator[str]:
    """Probe and final give the same score in 95 % of the models, and never differ by two."""
    same = total = 0
    apart = []
    for name, ones in found.ladder.items():
        for one in ones:
            probe, final = (score(found.section, one.sets[which]) for which in _SETS)
            same, total = same + (probe == final), total + 1
            if probe != final:
                apart.append(f"{name} on seed {one.seed}")
            if abs(probe - final) > 1:
                yield (
                    f"{name} on seed {one.seed} scores {probe} on probe and {final} on final: "
                    "more than one band apart."
                )
    if total and same / total < SAME_BAND_SHARE:
        yield (
            f"Probe and final give the same score for {same} of {total} models "
            f"({100 * same / total:.0f} %, {100 * SAME_BAND_SHARE:.0f} % are needed): not for "
            f"{', '.join(apart)}. Move a threshold away from them, or make the sets larger."
        )


def shuffled_is_nothing(found: Measurements) -> Iterator[str]:
    """A model trained on shuffled labels scores 0."""
    for one, which, interval in _all(found.shuffled):
        got = score(found.section, interval)
        if got >= 1:
            yield (
                f"With shuffled labels on seed {one.seed}, {which}: {number(interval.value)} "
                f"scores {got}; the labels leak, or band 1 asks for nothing."
            )


def reference_is_quick(found: Measurements) -> Iterator[str]:
    """The reference trains in five minutes."""
    name = found.section.ladder[-1]
    slow = [o for o in found.ladder.get(name, ()) if o.train_seconds > REFERENCE_SECONDS]
    if slow:
        worst = max(slow, key=lambda one: one.train_seconds)
        yield (
            f"{name} trained for {worst.train_seconds:.0f} s on seed {worst.seed} "
            f"({worst.cpus:g} cores); {REFERENCE_SECONDS:.0f} s are allowed."
        )


def every_band_is_reached(found: Measurements) -> Iterator[str]:
    """Each score from 1 to 5 is what some rung gets on most seeds."""
    reached = {}
    for name, ones in found.ladder.items():
        scores = [score(found.section, one.probe) for one in ones]
        for value in set(scores):
            if 2 * scores.count(value) > len(scores):
                reached[value] = name
    if len([name for name, ones in found.ladder.items() if ones]) < len(found.section.ladder):
        return  # not all rungs were trained: nothing can be said
    for value in range(1, 6):
        if value not in reached:
            yield (
                f"No rung scores {value} on most seeds: move a threshold, or add a rung to "
                "the ladder."
            )


def models_fit(found: Measurements) -> Iterator[str]:
    """Models keep the limits of size and time that candidates have."""
    section = found.section
    for name, ones in found.ladder.items():
        for one in ones:
            if one.model_bytes > section.contract.max_bytes:
                yield (
                    f"{name} on seed {one.seed} is {one.model_bytes / 1e6:.1f} MB; "
                    f"{section.contract.max_megabytes} MB are allowed."
                )
            if one.predict_seconds > section.limits.predict_seconds:
                yield (
                    f"{name} on seed {one.seed} predicts in {one.predict_seconds:.0f} s; "
                    f"{section.limits.predict_seconds} s are allowed."
                )


def scripts_run(found: Measurements) -> Iterator[str]:
    """Every script trains and saves a model that the grader takes."""
    for one in found.broken:
        last = one.words.strip().splitlines()[-1] if one.words.strip() else "no word"
        log = f" (log: {one.log})" if one.log else ""
        yield f"{one.rung} on seed {one.seed} failed ({one.stage}): {last}{log}"


def sets_are_apart(found: Measurements) -> Iterator[str]:
    """No row is in two sets, no row twice in one; another seed draws other rows."""
    for one in found.looks:
        if one.shared:
            yield f"Seed {one.seed}: {one.shared} rows are in the probe set and in the final set."
        if one.repeated:
            yield f"Seed {one.seed}: {one.repeated} rows repeat another row of their hidden set."
        if one.in_train:
            yield f"Seed {one.seed}: {one.in_train} hidden rows stand in the train files."
    drawn: dict[str, int] = {}
    for one in found.looks:
        if one.rows_sha256 in drawn:
            yield f"Seeds {drawn[one.rows_sha256]} and {one.seed} draw the same hidden rows."
        drawn.setdefault(one.rows_sha256, one.seed)


def order_tells_nothing(found: Measurements) -> Iterator[str]:
    """Where a row stands in a hidden set says nothing about its label."""
    for one in found.looks:
        for which, strength in one.order.items():
            if strength > ORDER_LIMIT:
                yield (
                    f"Seed {one.seed}: the order of the {which} set tells about its labels "
                    f"({strength:.0f} standard errors, chance stays below {ORDER_LIMIT:.0f}): "
                    "shuffle the rows."
                )


Rule = Callable[[Measurements], Iterator[str]]

RULES: dict[str, Rule] = {
    "every script runs": scripts_run,
    "the reference's interval lies in band 5": reference_is_safe,
    "the baseline stays below 2": baseline_is_low,
    "the ladder rises": ladder_rises,
    "every score from 1 to 5 is reached": every_band_is_reached,
    "probe and final agree": sets_agree,
    "shuffled labels score 0": shuffled_is_nothing,
    "the reference trains in five minutes": reference_is_quick,
    "models keep the limits": models_fit,
    "sets share no rows": sets_are_apart,
    "row order tells nothing": order_tells_nothing,
}

_SETS: tuple[SetName, SetName] = ("probe", "final")


def number(value: float) -> str:
    """Return a metric with the digits that matter: four, and no more than two of a large one."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.4g}"


def threshold(value: float) -> str:
    """Return a threshold as its author wrote it."""
    return f"{value:,.10g}"


def _interval(interval: Interval) -> str:
    ends = f"{number(interval.low)} to {number(interval.high)}"
    return f"{number(interval.value)} ({ends})"


def _all(ones: Sequence[Measured]) -> Iterator[tuple[Measured, SetName, Interval]]:
    for one in ones:
        for which, interval in one.sets.items():
            yield one, which, interval
