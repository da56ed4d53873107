"""exam.yaml: which sections are sat, by which rules."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from exam_cli.config.edition import Variant
from exam_cli.config.load import load
from exam_cli.config.values import Bounds, Length, Like, Unless
from exam_cli.errors import ExamError
from exam_cli.paths import resource

Feedback = Literal["scores", "summary", "full"]
Counting = Literal["last", "best"]
Lateness = Literal["ignore", "grade"]
Wall = Literal[
    "caps", "no_new_privileges", "seccomp", "access_control", "user_namespaces", "gvisor"
]

_DURATION = re.compile(r"(?:(\d{1,3})h)?(?:(\d{1,4})m)?")
_FORM = Annotated[str, Like("[a-z]", "one small letter")]
_WORD = Like("[a-z0-9][a-z0-9._-]{0,39}", "small letters, digits, `.`, `_` and `-`, at most 40")


def seconds_of(duration: str) -> int | None:
    """Return the seconds of a duration such as 5h, 90m or 1h30m; None or 0 for what is none."""
    found = _DURATION.fullmatch(duration)
    return found and 3600 * int(found[1] or 0) + 60 * int(found[2] or 0)


def _no_duration(value: object) -> str | None:
    if value is None or (isinstance(value, str) and seconds_of(value)):
        return None
    return f"{value!r} is no duration: write 5h, 90m or 1h30m, or null for none"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One section of an exam: a shipped one by its number, or a folder of the examiner's own."""

    section: Annotated[int, Bounds(over=0)] | None = None
    form: _FORM | None = None  # the exam's, unless told
    folder: Path | None = None  # beside exam.yaml, unless absolute
    weight: Annotated[float, Bounds(over=0, most=1000)] | None = None  # the section's, unless told

    def __post_init__(self) -> None:
        if (self.section is None) == (self.folder is None):
            raise ValueError("name a section either by `section`, its number, or by `folder`")
        if self.folder is not None and self.form is not None:
            raise ValueError("a `folder` has the one form that its section.yaml says: leave it out")


@dataclass(frozen=True, kw_only=True)
class Exam:
    """The rules of an exam.

    Args:
        exam: short name, in lower case.
        title: for people.
        duration: such as 5h, 90m or 1h30m; None for no limit.
        pass_mark: of 100.
        attempts: gradings that a section may have; None for any number.
        feedback: what a grade tells: the score; the metric, too; or also what the next score needs.
        reveal: whether the report may show hidden rows, once the exam was submitted: the pictures
            and sentences that were most surely mistaken. It needs `feedback: full`.
        counts: which grading of a section counts.
        late: what becomes of a model that was saved before the time was up and not graded: nothing,
            or `exam submit` grades it first. What was changed since then never counts.
        seed: the hidden data is drawn from it, so that all who sit this exam get the same; None for
            a random one each time. Whoever knows it can draw the hidden data.
        supervised: whether what a model prints is thrown away instead of kept in a log.
        runtime: the engine's runtime that models are loaded under, such as runsc for gVisor; None
            for the engine's default.
        grade_on: the variant of the edition that models are graded in. On gpu a predictor gets the
            engine machine's GPUs, one grade at a time, and the same model may get other digits on
            another kind of GPU; on cpu it gets the same everywhere.
        walls: what must stand around a model, beyond what always must, in official grading.
        keep_gigabytes: room for the copies of graded models of one session, in units of 10^9
            bytes; beyond it the oldest go, but never one that counts or is the best or last.
        form: of the sections that name none.
        sections: None for all that there are.
    """

    exam: Annotated[str, _WORD]
    title: str = ""
    duration: Annotated[str | None, Unless(_no_duration)] = "5h"
    pass_mark: Annotated[float, Bounds(least=0, most=100)] = 90
    attempts: Annotated[int, Bounds(over=0)] | None = None
    feedback: Feedback = "full"
    reveal: bool = False
    counts: Counting = "last"
    late: Lateness = "ignore"
    seed: Annotated[str, Length(12)] | None = None
    supervised: bool = False
    runtime: Annotated[str, _WORD] | None = None
    grade_on: Variant = "cpu"
    walls: tuple[Wall, ...] = ()
    keep_gigabytes: Annotated[float, Bounds(over=0)] = 20
    form: _FORM = "a"
    sections: Annotated[tuple[Choice, ...], Length(1)] | None = None

    def __post_init__(self) -> None:
        numbers = [one.section for one in self.sections or () if one.section is not None]
        twice = sorted({number for number in numbers if numbers.count(number) > 1})
        if twice:
            raise ValueError(f"`sections` has {twice[0]} more than once: choose one form of it")
        if self.reveal and self.feedback != "full":
            raise ValueError("`reveal` shows hidden rows: that needs `feedback: full`, too")
        if "gvisor" in self.walls and self.runtime != "runsc":
            raise ValueError("`walls` asks for gvisor: say `runtime: runsc`, too")
        if self.grade_on == "gpu" and self.runtime == "runsc":
            raise ValueError("`grade_on: gpu` needs the engine's own runtime: leave out `runtime`")

    @property
    def seed_bytes(self) -> bytes | None:
        """The 32 bytes that all hidden data of this exam is drawn from, if it has a seed."""
        return None if self.seed is None else hashlib.sha256(b"exam:" + self.seed.encode()).digest()

    @property
    def keep_bytes(self) -> float:
        """`keep_gigabytes` in bytes."""
        return self.keep_gigabytes * 1e9

    @property
    def seconds(self) -> int | None:
        """The duration in seconds, None for no limit."""
        return None if self.duration is None else seconds_of(self.duration)


def load_exam(name: str) -> Exam:
    """Return the exam in the file `name`, or the shipped one of that name.

    Raises `ExamError` that lists what is wrong with the file, or which exams there are.
    """
    path = Path(name)
    if not path.exists():
        shipped = {one.stem: one for one in resource("sections", "exams").glob("*.yaml")}
        if name not in shipped:
            known = ", ".join(sorted(shipped))
            raise ExamError(f"There is no file {name}: name an exam.yaml, or one of {known}.")
        path = shipped[name]
    exam = load(path, Exam)
    if exam.sections is None:
        return exam
    resolved = tuple(
        replace(one, folder=(path.resolve().parent / one.folder).resolve()) if one.folder else one
        for one in exam.sections
    )
    return replace(exam, sections=resolved)
