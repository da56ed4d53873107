"""What JupyterLab's opening page shows of an exam: a file in the workspace, only to look at."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator

from exam_cli.config.exam import Exam
from exam_cli.config.section import Section
from exam_cli.files import write_file
from exam_cli.session.session import Session
from exam_cli.sitting.clock import DISPLAY

PAGE = "exam.json"  # in the workspace's .exam
_FILES = ("task.md", "starter.ipynb", "starter.py")  # those that are there are offered, in order


def tell_jupyter(session: Session, sections: Iterable[Section]) -> None:
    """Write what the page in the container reads, see images/jupyter/exam_jupyter.py.

    A workspace that cannot be written keeps its page as it is, or has none.
    """
    rules = session.rules
    told = {
        "title": rules.title or rules.exam,
        "rules": list(_rules(rules)),
        "sections": [
            {
                "section": one.section,
                "category": one.category,
                "title": one.title,
                "weight": one.weight,
                "directory": one.directory,
                "files": _FILES,
            }
            for one in sections
        ],
    }
    directory = session.workspace / ".exam"
    with contextlib.suppress(OSError):
        if directory.is_dir() and not directory.is_symlink():
            write_file(directory / PAGE, json.dumps(told).encode(), mode=0o644)


def untell_jupyter(session: Session) -> None:
    """Take away what was written for the page and its clock, of a session that is forgotten."""
    directory = session.workspace / ".exam"
    with contextlib.suppress(OSError):
        if not directory.is_symlink():
            for name in (PAGE, DISPLAY):
                (directory / name).unlink(missing_ok=True)


def _rules(rules: Exam) -> Iterator[str]:
    yield f"{rules.pass_mark:g} of 100 points to pass"
    attempts = rules.attempts
    if attempts is not None:
        yield f"{attempts} attempts a section" if attempts > 1 else "one attempt a section"
    yield f"the {rules.counts} attempt of a section counts"
    if rules.duration is None:
        yield "no time limit"
