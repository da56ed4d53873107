"""One grade: warm, cold, the naive way, and how quick it can get."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict

from bench import machine, timing
from bench.references import References, references
from bench.rows import Part, Row, row
from bench.stage import PYTHON, Stage
from bench.timing import Failed, ratios
from bench.warm import await_warm
from exam_cli.config.section import Section

_REPEATS = 3
_COLD = "No warm grader was ready"
_ABOUT = """\
Process start to exit, each section's reference, the rows of the probe set. A round takes, section
by section, a naive grade (`docker run` of `bench/programs/naive.py` in the grader image: import,
`load_model`, `predict`, compare), a cold grade (`exam grade N` where no warm grader waits: two
fresh isolated containers) and a warm one (`exam grade N`), and then the in-process limit:
`load_model` and `predict` of fresh copies in a process of the same image that has TensorFlow
imported, no container, no host, no walls. Ratios are taken within a round. *First* is the first
model of a process, which makes Keras do what it does late; *called* is the model called on batches
of 1,024 rows in place of `predict`, which traces a graph."""


def measure(stage: Stage) -> Part:
    """Measure every section's reference in turn."""
    refs = references(stage)
    cold = stage.work / "cold"  # a session whose containers are down has no warm graders
    stage.exam("up", "--workspace", cold, "--exam", refs.exam, "--port", "0")
    stage.exam("down", "--workspace", cold)
    for section in refs.sections:
        refs.hand_in(section)
        refs.hand_in(section, cold)
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    memory: list[float] = []
    for number in range(1, stage.rounds + 1):
        for section in refs.sections:
            name = section.directory
            stage.say(f"grades, round {number} of {stage.rounds}: {name}")
            ready = await_warm(stage, refs.session)
            memory.append(machine.anonymous_bytes(ready.container, ready.pid) / 1e6)
            found[name, "naive"].append(timing.run(stage.naive(refs.data, name)).seconds)
            found[name, "cold"].append(_grade(stage, section, cold, warm=False))
            found[name, "warm"].append(_grade(stage, section, refs.workspace, warm=True))
        await_warm(stage, refs.session)
        for (name, kind), seconds in _limits(stage, refs).items():
            found[name, kind].append(seconds)
    rows = [one for section in refs.sections for one in _rows(section, found)]
    held = row("warm predictor that waits, anonymous memory", memory, "MB", at_most=250)
    return Part("grades", "A grade", _ABOUT, (*rows, held))


def _grade(stage: Stage, section: Section, workspace: object, *, warm: bool) -> float:
    """Return the seconds of a grade. Raises `Failed` when it was not as warm as it should be."""
    done = stage.exam("grade", str(section.section), "--workspace", str(workspace))
    if warm == (_COLD in done.out):
        raise Failed(f"A grade was to be {'warm' if warm else 'cold'} and was not: {done.out}")
    return done.seconds


def _limits(stage: Stage, refs: References) -> dict[tuple[str, str], float]:
    """Return the seconds of load and predict with everything imported, by section and kind."""
    line = stage.docker_run(
        stage.images.grader,
        *(PYTHON, "/programs/limit.py", "again", str(_REPEATS)),
        *(f"/data/{name}" for name in refs.names),
        data=refs.data,
    )
    told = json.loads(timing.run(line).out.splitlines()[-1])
    found = {}
    for name, ways in told.items():
        for way, seconds in ways.items():
            found[name, f"{way} first"] = seconds["first"]
            found[name, f"{way} again"] = statistics.median(seconds["again"])
    return found


def _rows(section: Section, found: dict[tuple[str, str], list[float]]) -> list[Row]:
    """Return one section's rows."""

    def of(kind: str) -> list[float]:
        return found[section.directory, kind]

    name = section.directory
    limit = of("predicted again")
    return [
        row(f"{name}: warm grade", of("warm"), at_most=1.0),
        row(f"{name}: warm over naive", ratios(of("warm"), of("naive")), "x", at_most=0.15),
        row(f"{name}: warm over in-process limit", ratios(of("warm"), limit), "x", at_most=2.5),
        row(f"{name}: cold grade", of("cold")),
        row(f"{name}: naive grade", of("naive")),
        row(f"{name}: in-process limit", limit),
        row(f"{name}: in-process, first", of("predicted first")),
        row(f"{name}: in-process, called", of("called again")),
        row(f"{name}: in-process, called, first", of("called first")),
    ]
