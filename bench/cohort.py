"""A class of five sections each: ours, nbgrader's, one naive container a submission, the limit."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import timing
from bench.memory import peak_of
from bench.nbgrader import Course
from bench.references import References, references
from bench.rows import Part, row
from bench.stage import EXAM, PYTHON, Stage
from bench.timing import interleaved, ratios

_CLASS = 12
_OTHERS = 4  # for what takes half a minute a candidate; its rate does not rise with a larger class
_FEW, _MANY = 2, _CLASS
_CONSTANT = 1.1  # what the most memory may differ by between a small and a large class
_ABOUT = f"""\
Each candidate hands in the five references; all are graded on the probe sets. In turn: `exam cohort
grade` of {_CLASS} candidates (process start to exit, a container for each candidate's models); of
{_OTHERS}, `nbgrader autograde`, no isolation, with a notebook for each section and again with all
five in one notebook; of {_OTHERS}, a naive container a submission, as many at a time as there are
cores. The limit is what nothing can beat that imports TensorFlow once a candidate: the processor
seconds of that import and of a forked child a section that loads, predicts and ends (measured with
a candidate on each core at once), and all cores busy with nothing else. Memory: the command's own
resident and its containers' anonymous memory, together, at their most, looked at ten times a
second."""


def measure(stage: Stage) -> Part:
    """Grade the same class in every way, in turn."""
    refs = references(stage)
    stage.exam("down", "--workspace", refs.workspace)
    ours = Class(stage, refs, _CLASS)
    five, one = (Course(stage, refs, _OTHERS, one_notebook=flag) for flag in (False, True))
    alone: list[float] = []

    def limit() -> float:
        alone.append(_limit(stage, refs, 1))
        return _limit(stage, refs, os.cpu_count() or 1)

    measures: dict[str, Callable[[], float]] = {
        "limit": limit,
        "ours": ours.grade,
        "five notebooks": five.autograde,
        "one notebook": one.autograde,
        "naive": lambda: naive_containers(stage, refs, _OTHERS),
    }
    found = interleaved(
        max(2, stage.rounds // 2), measures, lambda sentence: stage.say(f"cohort, {sentence}")
    )
    sizes = dict.fromkeys(measures, _OTHERS) | {"ours": _CLASS}
    rate = {name: [60 * size / one for one in found[name]] for name, size in sizes.items()}
    cores = os.cpu_count() or 1
    most = [60 * cores / seconds for seconds in found["limit"]]
    share = [100 * one for one in ratios(rate["ours"], most)]
    few, many = (peak_of(stage, Class(stage, refs, size).line()) for size in (_FEW, _MANY))
    rows = (
        row("candidates, `exam cohort grade`", rate["ours"], "a minute"),
        row("candidates, nbgrader, a notebook a section", rate["five notebooks"], "a minute"),
        row("candidates, nbgrader, one notebook", rate["one notebook"], "a minute"),
        row("candidates, a naive container a submission", rate["naive"], "a minute"),
        row("candidates, limit", most, "a minute"),
        row(
            "cohort throughput over nbgrader's, a notebook a section",
            ratios(rate["ours"], rate["five notebooks"]),
            "x",
            at_least=5,
        ),
        row(
            "cohort throughput over nbgrader's, one notebook",
            ratios(rate["ours"], rate["one notebook"]),
            "x",
        ),
        row("cohort throughput over naive containers", ratios(rate["ours"], rate["naive"]), "x"),
        row("cohort throughput, share of the limit", share, "%", at_least=70),
        row("a candidate's processor seconds, all cores busy", found["limit"]),
        row("a candidate's processor seconds, one alone", alone),
        row(f"memory, {_FEW} candidates", [(few.host + few.containers) / 1e6], "MB"),
        row(
            f"memory, {_MANY} candidates",
            [(many.host + many.containers) / 1e6],
            "MB",
            note=f"{many.host / 1e6:.0f} MB of it the command's own",
        ),
        row(
            f"cohort memory, {_MANY} candidates over {_FEW}",
            [(many.host + many.containers) / (few.host + few.containers)],
            "x",
            at_most=_CONSTANT,
        ),
    )
    return Part("cohort", "A class", _ABOUT, rows)


class Class:
    """A directory of candidates who all hand in the same, and what grades it afresh each time."""

    def __init__(self, stage: Stage, refs: References, candidates: int) -> None:
        self._stage = stage
        self._refs = refs
        self._out = stage.work / f"results-{candidates}"
        self._place = stage.work / f"class-{candidates}"
        for number in range(candidates):
            for name, model in refs.models.items():
                to = self._place / f"c{number:03d}" / name
                to.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(model, to / "model.keras")

    def line(self) -> list[str | Path]:
        """Return the command that grades it all, once more."""
        shutil.rmtree(self._out, ignore_errors=True)
        line: list[str | Path] = [EXAM, "cohort", "grade", self._place, "--out", self._out]
        return [*line, "--exam", self._refs.exam, "--set", "probe"]

    def grade(self) -> float:
        """Return the seconds that it takes."""
        return timing.run(self.line()).seconds


def naive_containers(stage: Stage, refs: References, candidates: int) -> float:
    """Return the seconds that a container a submission takes, one a core at a time."""
    lines = [stage.naive(refs.data, name) for _ in range(candidates) for name in refs.names]
    began = timing.now()
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(timing.run, lines))
    return timing.now() - began


def _limit(stage: Stage, refs: References, together: int) -> float:
    """Return the processor seconds that a candidate costs when so many run at once: their mean."""
    line = stage.docker_run(
        stage.images.grader,
        *(PYTHON, "/programs/limit.py", "once"),
        *(f"/data/{name}" for name in refs.names),
        data=refs.data,
    )
    with ThreadPoolExecutor(together) as pool:
        done = list(pool.map(timing.run, [line] * together))
    seconds = [float(json.loads(one.out.splitlines()[-1])["all"]) for one in done]
    return sum(seconds) / together
