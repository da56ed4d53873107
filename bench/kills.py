"""`kill -9` at random moments of a grade: what is lost, counted twice, or left behind?"""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections import Counter
from pathlib import Path

from bench import timing
from bench.references import References, references
from bench.rows import Part, row
from bench.stage import EXAM, Stage
from bench.timing import Failed
from exam_cli.grading.intake import PART
from exam_cli.session.ledger import Ledger
from exam_cli.session.session import Session, all_sessions
from exam_cli.sitting.leftovers import leftovers

_KILLS = 200
_BEYOND = 1.2  # kills fall between 0 and so many times what an undisturbed, cold grade takes
_SEED = 4
_ABOUT = f"""\
`exam grade 1 --json` is killed {_KILLS} times, at moments drawn evenly from 0 to {_BEYOND} times
what it takes undisturbed where nothing waits for it. *Lost* are attempts that were announced and
are not in the ledger, *doubled* those that are there more than once or under one number, *broken*
rows whose seal does not hold. *Left* is what is still there after one more grade and `exam doctor
--fix`: containers that nobody uses, half copies of models."""


def measure(stage: Stage) -> Part:
    """Kill, count and clean up."""
    refs = references(stage)
    section = refs.sections[0]
    refs.hand_in(section)
    # The slowest: the first is cold, as are most that follow a kill, and those shall end, too.
    took = max(_undisturbed(stage, refs) for _ in range(3))
    draw = random.Random(_SEED)
    announced: list[int] = []
    for number in range(_KILLS):
        if number % 20 == 0:
            stage.say(f"killed {number} of {_KILLS}")
        announced += _killed(refs, draw.uniform(0, _BEYOND * took))
    (session,) = [one for one in all_sessions() if one.id == refs.session]
    attempts, broken = _recorded(session)
    counts = Counter(attempts)
    doubled = sum(counts.values()) - len(counts)
    lost = len(set(announced) - set(counts))
    if sorted(counts) != list(range(1, len(counts) + 1)):
        raise Failed(f"The numbers of the attempts have gaps: {attempts}")
    _undisturbed(stage, refs)
    stage.exam("doctor", "--fix")
    left = len(leftovers(session, stage.engine)) + len(list(session.directory.rglob(f"{PART}*")))
    note = f"{len(attempts)} attempts in the ledger, {len(announced)} of them announced"
    return Part(
        "kills",
        "Killed",
        _ABOUT,
        (
            row("attempts lost", [lost], "count", at_most=0, note=note),
            row("attempts doubled", [doubled], "count", at_most=0),
            row("rows broken", [broken], "count", at_most=0),
            row("containers and files left", [left], "count", at_most=0),
        ),
    )


def _undisturbed(stage: Stage, refs: References) -> float:
    return stage.exam("grade", "1", "--workspace", refs.workspace).seconds


def _killed(refs: References, seconds: float) -> list[int]:
    """Kill a grade after so many seconds; return the attempt that it announced, if any."""
    line: list[str | Path] = [EXAM, "grade", "1", "--json", "--workspace", refs.workspace]
    with timing.started(line, stdout=subprocess.PIPE) as child:
        time.sleep(seconds)
        child.kill()
        child.wait()
        assert child.stdout is not None
        said = child.stdout.read()
    if not said.endswith(b"\n"):
        return []
    attempt = json.loads(said)["attempt"]
    return [] if attempt is None else [attempt]


def _recorded(session: Session) -> tuple[list[int], int]:
    """Return the numbers of section 1's attempts, and how many rows are broken."""
    with Ledger(session.ledger_path) as ledger:
        numbers = [event.payload["attempt"] for event in ledger.attempts(1)]
        return numbers, len(ledger.problems())
