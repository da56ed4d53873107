"""The same models and rows under `nbgrader autograde`: an environment and a course of its own.

nbgrader runs a notebook in a kernel on the host, without walls. An exam of five problems is there
an assignment of five notebooks; for honesty it is measured as one notebook, too, which imports
TensorFlow once a candidate and lets one problem's code meet the next one's.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import timing
from bench.references import References
from bench.stage import PROGRAMS, Stage
from bench.timing import Failed
from exam_cli.paths import cache_dir

_LOCK = Path(__file__).with_name("nbgrader.lock")
_CELL = """\
import sys
sys.path.insert(0, {programs!r})
import naive
value = naive.grade({data!r}, {model!r})
assert value == value, value
"""


class Course:
    """A course with one assignment that a class has handed in."""

    def __init__(self, stage: Stage, refs: References, candidates: int, *, one_notebook: bool):
        """Lay out the assignment and everybody's models; make the gradebook know it."""
        self._stage = stage
        self._python = _environment(stage)
        self._candidates = candidates
        self._notebooks = 1 if one_notebook else len(refs.sections)
        self.root = stage.work / f"nbgrader-{'one' if one_notebook else 'five'}-{candidates}"
        books = {"exam": refs.names} if one_notebook else {name: [name] for name in refs.names}
        for place in (self.root / "source" / "exam", *self._submissions()):
            place.mkdir(parents=True)
            for book, names in books.items():
                text = json.dumps(_notebook([_test(refs, name) for name in names]))
                (place / f"{book}.ipynb").write_text(text)
        for place in self._submissions():
            for name in refs.names:
                shutil.copyfile(refs.models[name], place / f"{name}.keras")
        self._nbgrader("generate_assignment", "exam")

    def autograde(self) -> float:
        """Return the seconds that grading the class takes. Raises `Failed` if not all were."""
        shutil.rmtree(self.root / "autograded", ignore_errors=True)
        seconds = self._nbgrader("autograde", "exam", "--force").seconds
        books = list((self.root / "autograded").glob("*/exam/*.ipynb"))
        whole = [book for book in books if '"output_type": "error"' not in book.read_text()]
        if len(whole) != self._candidates * self._notebooks:
            raise Failed(f"nbgrader graded {len(whole)} of {len(books)} notebooks without error.")
        return seconds

    def _submissions(self) -> list[Path]:
        submitted = self.root / "submitted"
        return [submitted / f"c{number:03d}" / "exam" for number in range(self._candidates)]

    def _nbgrader(self, *arguments: str) -> timing.Done:
        own = self.root / "own"  # nobody's settings, and nothing written into a home directory
        env = {
            "PATH": f"{self._python.parent}{os.pathsep}{os.environ['PATH']}",  # it calls alembic
            "JUPYTER_CONFIG_DIR": str(own / "config"),
            "JUPYTER_DATA_DIR": str(own / "data"),
            "JUPYTER_RUNTIME_DIR": str(own / "runtime"),
            "IPYTHONDIR": str(own / "ipython"),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        line: list[str | Path] = [self._python, "-m", "nbgrader", *arguments]
        return timing.run(line, cwd=self.root, env=env)


def _environment(stage: Stage) -> Path:
    """Return the Python of an environment with nbgrader, made once and kept by its lock's hash."""
    digest = hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:12]
    place = stage.kept / f"nbgrader-{digest}"
    python = place / "bin" / "python"
    whole = place / "whole"
    if not whole.exists():
        stage.say("installing nbgrader in an environment of its own, once")
        shutil.rmtree(place, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        wheels = ["--find-links", str(cache_dir() / "wheels")]  # TensorFlow is there already
        line = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wheels]
        timing.run([python, *line, "--require-hashes", "--requirement", _LOCK])
        whole.touch()
    return python


def _test(refs: References, name: str) -> dict[str, Any]:
    """Return a test cell: it loads the model that was handed in, predicts and compares."""
    code = _CELL.format(programs=str(PROGRAMS), data=str(refs.data / name), model=f"{name}.keras")
    about = {
        "schema_version": 3,
        "grade_id": f"test-{name}",
        "cell_type": "code",
        "points": 5,
        "grade": True,
        "locked": True,
        "solution": False,
        "task": False,
    }
    return {
        "cell_type": "code",
        "id": f"test-{name}",
        "execution_count": None,
        "metadata": {"nbgrader": about},
        "outputs": [],
        "source": code.splitlines(keepends=True),
    }


def _notebook(cells: Sequence[dict[str, Any]]) -> dict[str, Any]:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
