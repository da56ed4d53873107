"""From `exam attach` to the first output of Python over SSH, against a bare `docker exec`."""

from __future__ import annotations

import json
import shlex

from bench import timing
from bench.references import references
from bench.rows import Part, row
from bench.stage import EXAM, Stage
from bench.timing import Failed, interleaved, ratios
from exam_cli.workspace.container import INTERPRETER, WORKDIR

_SCRIPT = "print(6 * 7)"
_SAID = "42\n"
_ABOUT = """\
`exam attach vscode --json`, then the `ssh` line that it tells, with `python -c 'print(6 * 7)'`:
from the start of the first process to the end of the second, connecting and logging in included.
The container runs. Beside it `docker exec` of the same interpreter in the same container."""


def measure(stage: Stage) -> Part:
    """Come in both ways in turn."""
    refs = references(stage)
    container = f"exam-{refs.session}-workspace"

    def told() -> list[str]:
        line = [EXAM, "attach", "vscode", "--json", "--workspace", str(refs.workspace)]
        words: list[str] = json.loads(timing.run(line).out)["ssh"]
        return words

    def by_ssh(words: list[str]) -> float:
        done = timing.run([*words, shlex.join(["python", "-c", _SCRIPT])])
        return _checked(done)

    def attached() -> float:
        began = timing.now()
        by_ssh(told())
        return timing.now() - began

    def bare() -> float:
        line = [stage.docker, "exec", "--workdir", WORKDIR, container]
        return _checked(timing.run([*line, INTERPRETER, "-c", _SCRIPT]))

    line = told()
    found = interleaved(
        2 * stage.rounds,
        {"attached": attached, "ssh": lambda: by_ssh(line), "bare": bare},
        lambda sentence: stage.say(f"attach, {sentence}"),
    )
    rows = (
        row("`exam attach`, then Python's first output over SSH", found["attached"], at_most=2),
        row("Python's first output over SSH", found["ssh"]),
        row("Python's first output by `docker exec`", found["bare"]),
        row("SSH over `docker exec`", ratios(found["ssh"], found["bare"]), "x"),
    )
    return Part("attach", "An editor comes in", _ABOUT, rows)


def _checked(done: timing.Done) -> float:
    """Return the seconds of a command that printed what it should, and nothing else."""
    if (done.out, done.err) != (_SAID, ""):
        raise Failed(f"Python said {done.out!r} and {done.err!r}.")
    return done.seconds
