"""The same model again and again: is its answer the same to the bit, and what does that cost?"""

from __future__ import annotations

import json
import time

from bench import timing
from bench.inside import Inside
from bench.references import References, references
from bench.rows import Part, Row, row
from bench.stage import PYTHON, Stage
from bench.timing import Failed, ratios
from exam_cli.config.section import Section
from exam_cli.grading import pool
from exam_cli.grading.predictor import predictor_needs
from exam_cli.grading.scorer import SCORER_NEEDS
from exam_cli.grading.served import Server, Serving

_COLD, _WARM, _SERVED = 4, 2, 44  # fifty in all
_WARMING_SECONDS = 6.0
_ABOUT = f"""\
Each section's reference is graded {_COLD + _WARM + _SERVED} times: {_COLD} in fresh containers,
{_WARM} in ones that waited, {_SERVED} as in a class, in forks of one import. *Answers* counts the
different predictions (SHA-256 of the float32 bytes) and metrics. The cost is that of one process in
the grader image that loads and predicts, fixed as in a grade (two threads, deterministic
operations, one seed, kernels up to AVX2) over the same as TensorFlow comes."""


def measure(stage: Stage) -> Part:
    """Grade every reference fifty times."""
    refs = references(stage)
    inside = Inside(stage, refs)
    rows = [_answers(stage, inside, section) for section in refs.sections]
    return Part("repeat", "The same again", _ABOUT, (*rows, *_costs(stage, refs)))


def _answers(stage: Stage, inside: Inside, section: Section) -> Row:
    found = set()

    def note(serving: Serving | None = None) -> None:
        verdict = inside.grade(section, serving)
        if verdict.measured is None:
            raise Failed(verdict.message)
        found.add((verdict.predictions_sha256, verdict.measured.value))

    stage.say(f"the same again: {section.directory}")
    for _ in range(_COLD):
        note()
    needs = {"predictor": predictor_needs(section), "scorer": SCORER_NEEDS}
    for _ in range(_WARM):
        pool.fill(inside.environment, needs)
        time.sleep(_WARMING_SECONDS)
        note()
    environment = inside.environment
    with Server(environment, "predictor") as predictor, Server(environment, "scorer") as scorer:
        for _ in range(_SERVED):
            note(Serving(predictor, scorer, lambda: False))
    total = _COLD + _WARM + _SERVED
    return row(f"{section.directory}: answers in {total} grades", [len(found)], "count", at_most=1)


def _costs(stage: Stage, refs: References) -> list[Row]:
    """Return what being steady costs, section by section."""
    fixed = ["-e", "ONEDNN_MAX_CPU_ISA=AVX2", "-e", "PYTHONHASHSEED=0", "-e", "EXAM_STEADY=1"]
    taken: dict[str, list[dict[str, float]]] = {"fixed": [], "free": []}
    for _ in range(max(2, stage.rounds // 2)):
        for name, options in (("fixed", fixed), ("free", [])):
            line = stage.docker_run(
                stage.images.grader,
                *(PYTHON, "/programs/limit.py", "again", "3"),
                *(f"/data/{one}" for one in refs.names),
                data=refs.data,
                options=options,
            )
            told = json.loads(timing.run(line).out.splitlines()[-1])
            taken[name].append({one: min(told[one]["called"]["again"]) for one in refs.names})
    return [
        row(
            f"{name}: load and predict, fixed over free",
            ratios([one[name] for one in taken["fixed"]], [one[name] for one in taken["free"]]),
            "x",
        )
        for name in refs.names
    ]
