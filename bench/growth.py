"""How cost grows: with hidden rows, with the size of a model, with submissions."""

from __future__ import annotations

import json
import os
import shutil
import statistics
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from bench import timing
from bench.cohort import Class, naive_containers
from bench.memory import peak_of
from bench.nbgrader import Course
from bench.picture import Series, draw
from bench.references import References, lay_out
from bench.rows import Part, Row, row
from bench.sections import Made, build_script, write_exam
from bench.stage import PYTHON, Stage
from bench.warm import await_warm
from exam_cli.config.exam import load_exam
from exam_cli.sections.catalog import sections_of
from exam_cli.sections.vault import read_section_data

_ROWS = (250, 1_000, 4_000, 16_000, 64_000)
_MEGABYTES = (1, 5, 20, 100, 500)
_CANDIDATES = (1, 2, 5, 10, 20, 50, 200)
_MOST = {
    "nbgrader, no walls": 10,
    "naive containers": 20,
}  # larger classes go on in a straight line
_SIZED = Made(21, "size", 1_000, tokens=True)
_EVERY_SECONDS = 0.5
_CONSTANT = 1.1
_FEW = 2

_ABOUT = f"""\
`make bench GROWTH=1`. Rows: pictures of 28x28 float32 through a small convolution, {_ROWS[0]} to
{_ROWS[-1]:,} of them. Model size: a table of words for {_SIZED.rows:,} rows of forty tokens,
{_MEGABYTES[0]} to {_MEGABYTES[-1]} MB, of which only the loading grows. Warm and naive grades in
turn, and the in-process limit as above. Submissions: classes of {_CANDIDATES[0]} to
{_CANDIDATES[-1]}, each candidate with the one small model for {_ROWS[0]} pictures, once."""


def measure(stage: Stage) -> Part:
    """Measure all three; draw them."""
    made = [Made(number, f"rows-{rows}", rows) for number, rows in enumerate(_ROWS, 11)]
    place = stage.work / "growth"
    exam = write_exam([*made, _SIZED], place)
    refs = _session(stage, exam, place)
    rows = [
        *_curve(stage, refs, "rows", [(one.directory, one.rows, "model") for one in made]),
        *_curve(stage, refs, "MB", [(_SIZED.directory, size, str(size)) for size in _MEGABYTES]),
    ]
    stage.exam("down", "--workspace", refs.workspace)
    rows += _classes(stage, _only(refs, made[0], place))
    pictures = ("growth-rows.svg", "growth-size.svg", "growth-class.svg", "growth-memory.svg")
    return Part("growth", "How cost grows", _ABOUT, tuple(rows), pictures)


def _session(stage: Stage, exam: Path, place: Path) -> References:
    """Bring a session of the made sections up, with models beside it in `place`."""
    stage.say("a session of sections made for measuring")
    workspace = place / "workspace"
    told = stage.exam_json("up", "--workspace", workspace, "--exam", exam, "--port", "0")
    script = workspace / "build.py"
    script.write_text(build_script(_MEGABYTES))
    stage.exam("run", "--workspace", workspace, script)
    sections = tuple(sections_of(load_exam(str(exam))))
    models = {one.directory: workspace / "model.keras" for one in sections}
    return References(exam, workspace, told["session"], sections, models, place / "data")


def _only(refs: References, made: Made, place: Path) -> References:
    """Return the same with one section alone."""
    exam = write_exam([made], place / "class")
    sections = tuple(sections_of(load_exam(str(exam))))
    models = {made.directory: refs.models[made.directory]}
    return References(exam, refs.workspace, refs.session, sections, models, refs.data)


def _curve(
    stage: Stage, refs: References, unit: str, points: list[tuple[str, int, str]]
) -> list[Row]:
    """Measure (section, size, model) by (section, size, model); draw; return rows."""
    by_name = {one.directory: one for one in refs.sections}
    vault = stage.work / "home" / "sessions" / refs.session / "vault"
    found: dict[str, list[tuple[float, list[float]]]] = defaultdict(list)
    for name, size, model in points:
        path = refs.workspace / f"{model}.keras"
        shutil.copyfile(path, refs.workspace / name / "model.keras")
        lay_out(
            by_name[name], read_section_data(vault / name).sets["probe"], path, refs.data / name
        )
        number = str(by_name[name].section)
        seconds: dict[str, list[float]] = defaultdict(list)
        for _ in range(max(2, stage.rounds // 2)):
            stage.say(f"growth, {size:,} {unit}")
            await_warm(stage, refs.session)
            seconds["naive grade"].append(timing.run(stage.naive(refs.data, name)).seconds)
            done = stage.exam("grade", number, "--workspace", refs.workspace)
            seconds["warm grade"].append(done.seconds)
            seconds["in-process limit"].append(_limit(stage, refs, name))
        for kind, values in seconds.items():
            found[kind].append((size, values))
    name, title, label = {
        "rows": ("growth-rows.svg", "A grade, by hidden rows", "rows of 28x28 float32"),
        "MB": ("growth-size.svg", "A grade, by size of the model", "megabytes"),
    }[unit]
    series = [Series(kind, tuple(values)) for kind, values in found.items()]
    draw(stage, name, title, label, "seconds", series)
    return [
        row(f"{kind}, {size:,} {unit}", values)
        for kind, several in found.items()
        for size, values in several
    ]


def _limit(stage: Stage, refs: References, name: str) -> float:
    """Return the seconds of load and predict with everything imported."""
    program = ("/programs/limit.py", "again", "2", f"/data/{name}")
    line = stage.docker_run(stage.images.grader, PYTHON, *program, data=refs.data)
    told = json.loads(timing.run(line).out.splitlines()[-1])
    seconds: list[float] = told[name]["predicted"]["again"]
    return statistics.median(seconds)


def _classes(stage: Stage, refs: References) -> list[Row]:
    """Grade classes of several sizes in three ways; draw seconds and memory; return rows."""
    found: dict[str, list[tuple[float, list[float]]]] = defaultdict(list)
    memory: dict[str, list[tuple[float, list[float]]]] = defaultdict(list)
    for size in _CANDIDATES:
        stage.say(f"growth, {size} candidates")
        peak = peak_of(stage, Class(stage, refs, size).line(), _EVERY_SECONDS)
        found["exam cohort grade"].append((size, [peak.seconds]))
        memory["command"].append((size, [peak.host / 1e6]))
        memory["containers, anonymous"].append((size, [peak.containers / 1e6]))
        others: dict[str, Callable[[], float]] = {
            "nbgrader, no walls": lambda size=size: Course(  # type: ignore[misc]
                stage, refs, size, one_notebook=True
            ).autograde(),
            "naive containers": lambda size=size: naive_containers(stage, refs, size),  # type: ignore[misc]
        }
        for kind, measured in others.items():
            if size <= _MOST[kind]:
                found[kind].append((size, [measured()]))
    series = [Series(kind, tuple(values)) for kind, values in found.items()]
    draw(stage, "growth-class.svg", "A class, by submissions", "submissions", "seconds", series)
    held = [Series(kind, tuple(values)) for kind, values in memory.items()]
    title = f"Memory of a class at its most, {os.cpu_count()} cores"
    draw(stage, "growth-memory.svg", title, "submissions", "MB", held, logarithmic=False)
    total = {
        size: host[0] + memory["containers, anonymous"][number][1][0]
        for number, (size, host) in enumerate(memory["command"])
    }
    return [
        *(
            row(f"{kind}, {size} submissions", values)
            for kind, several in found.items()
            for size, values in several
        ),
        *(row(f"memory, {size:g} submissions", [total[size]], "MB") for size in total),
        row(
            f"cohort memory, {_CANDIDATES[-1]} submissions over {_FEW}",
            [total[_CANDIDATES[-1]] / total[_FEW]],
            "x",
            at_most=_CONSTANT,
        ),
    ]
