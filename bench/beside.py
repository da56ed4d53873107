"""An honest grade alone, and beside a model that takes all that it can get."""

from __future__ import annotations

import shutil
import time

from bench import timing
from bench.references import References, references
from bench.rows import Part, row
from bench.stage import EXAM, PYTHON, Stage
from bench.timing import Failed, ratios
from bench.warm import await_warm

_HOGS = ("computing", "streaming", "filling", "mapping", "talking")
_ROUNDS = 3  # of five grades each: one alone wobbles by a third
_RUNNING_SECONDS = 15.0  # for a cold predictor to import, and the hog to be no longer brisk
_ABOUT = """\
Two sessions on one machine: in one a hostile model is graded until its time is up
(`bench/programs/hogs.py`: threads that compute, that stream memory, that fill and empty the memory
disk, that map pages, that print), in the other the references are graded warm. Each is graded
alone, then beside the hog, then alone again, and so on; a ratio is over the mean of the grades
before and after. A hog has the whole machine for its first two seconds; then it stands behind all
other containers, has half of the machine at most, and next to nothing while another grade is brisk.
What grades next is imported before the next grade starts, as when a candidate looks at a result."""


def measure(stage: Stage) -> Part:
    """Grade each reference beside each hog."""
    refs = references(stage)
    for section in refs.sections:
        refs.hand_in(section)
    hogs = stage.work / "hogs"
    hogs.mkdir()
    line = stage.docker_run(
        stage.images.workspace,
        *(PYTHON, "/programs/hogs.py", "/out"),
        options=["-v", f"{hogs}:/out", "-e", "TF_CPP_MIN_LOG_LEVEL=3"],
    )
    timing.run(line)
    hostile = stage.work / "hostile"
    stage.exam("up", "--workspace", hostile, "--exam", refs.exam, "--port", "0")
    rows = []
    for hog in _HOGS:
        model = hostile / refs.names[0] / "model.keras"
        shutil.copyfile(hogs / hog / "model.keras", model)
        before = _grades(stage, refs, f"before {hog}")
        over: list[float] = []
        for number in range(1, min(_ROUNDS, stage.rounds) + 1):
            with timing.started([EXAM, "grade", "1", "--workspace", hostile]) as child:
                time.sleep(_RUNNING_SECONDS)
                beside = _grades(stage, refs, f"beside {hog}, {number}")
                if child.poll() is not None:
                    raise Failed(f"The model {hog} was over before the grades beside it.")
            after = _grades(stage, refs, f"after {hog}, {number}")
            over += ratios(
                beside, [(one + other) / 2 for one, other in zip(before, after, strict=True)]
            )
            before = after
        rows.append(row(f"warm grade beside one that is {hog}", over, "x", at_most=1.2))
    return Part("beside", "Beside a hostile model", _ABOUT, tuple(rows))


def _grades(stage: Stage, refs: References, what: str) -> list[float]:
    """Return the seconds of a warm grade of each reference."""
    found = []
    for section in refs.sections:
        stage.say(f"{what}: {section.directory}")
        await_warm(stage, refs.session)
        done = stage.exam("grade", str(section.section), "--workspace", refs.workspace)
        found.append(done.seconds)
    return found
