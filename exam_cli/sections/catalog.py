"""Which sections there are, and which of them an exam has."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from exam_cli.config.exam import Choice, Exam
from exam_cli.config.load import load
from exam_cli.config.section import Section
from exam_cli.errors import ExamError, UsageError
from exam_cli.paths import resource


def load_section(folder: Path) -> Section:
    """Return the section in a folder. Raises `ExamError` listing what is wrong with its file."""
    return load(folder / "section.yaml", Section, folder=folder)


def shipped_section(number: int, form: str = "a") -> Section:
    """Return a section that travels with the program. Raises `UsageError` naming those there are.

    A folder's name begins with its section's number, so that not all of them need be read.
    """
    forms = {one.form: one for one in map(load_section, _folders(f"{number}-*"))}
    if form in forms:
        return forms[form]
    if forms:
        known = " and ".join(sorted(forms))
        raise UsageError(f"Section {number} has no form {form!r}: it has {known}.")
    numbers = ", ".join(str(one) for one in _numbers())
    raise UsageError(f"There is no section {number}: choose one of {numbers}.")


def every_section() -> list[Section]:
    """Return all sections that travel with the program, in all their forms."""
    return sorted(map(load_section, _folders("*-*")), key=lambda one: (one.section, one.form))


def sections_of(exam: Exam) -> list[Section]:
    """Return the sections of an exam, by number. Raises `ExamError` with all that is wrong."""
    chosen = exam.sections or tuple(Choice(section=number) for number in _numbers())
    sections, problems = [], []
    for choice in chosen:
        try:
            sections.append(_section(choice, exam))
        except ExamError as error:
            problems.append(error)
    if problems:
        raise type(problems[0])(" ".join(map(str, problems))) from problems[0].__cause__
    sections.sort(key=lambda one: one.section)
    for one, other in pairwise(sections):
        if one.section == other.section:
            raise ExamError(
                f"The exam {exam.exam} has two sections of the number {one.section}, "
                f"{one.folder.name} and {other.folder.name}: give one of them another."
            )
    return sections


def find_section(exam: Exam, number: int) -> Section:
    """Return the section of an exam that has a number. Raises `UsageError` naming those it has."""
    if exam.sections is None:
        return shipped_section(number, exam.form)
    for one in exam.sections:
        if one.section == number:
            return _section(one, exam)
    sections = sections_of(exam)  # only a folder of the examiner's own can have it now
    for section in sections:
        if section.section == number:
            return section
    there = ", ".join(f"{one.section} ({one.slug})" for one in sections)
    raise UsageError(f"The exam {exam.exam} has no section {number}: choose one of {there}.")


def _section(choice: Choice, exam: Exam) -> Section:
    if choice.folder is not None:
        section = load_section(choice.folder)
    else:
        assert choice.section is not None  # or a folder: `Choice` sees to it
        section = shipped_section(choice.section, choice.form or exam.form)
    if choice.weight is None:
        return section
    return replace(section, weight=choice.weight)


def _folders(pattern: str) -> list[Path]:
    return [path.parent for path in resource("sections").glob(f"{pattern}/section.yaml")]


def _numbers() -> list[int]:
    names = (folder.name.split("-")[0] for folder in _folders("*-*"))
    return sorted({int(name) for name in names if name.isdigit()})
