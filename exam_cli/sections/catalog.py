"""Which sections there are."""

from __future__ import annotations

from pathlib import Path

from exam_cli.config.load import load
from exam_cli.config.section import Section
from exam_cli.errors import UsageError
from exam_cli.paths import resource


def load_section(folder: Path) -> Section:
    """Return the section in a folder. Raises `ExamError` listing what is wrong with its file."""
    return load(folder / "section.yaml", Section, folder=folder)


def all_sections() -> list[Section]:
    """Return every section that travels with the program, by number."""
    folders = resource("sections").glob("*/section.yaml")
    return sorted((load_section(path.parent) for path in folders), key=lambda one: one.section)


def find_section(number: int) -> Section:
    """Return a section by its number. Raises `UsageError` naming those that exist."""
    sections = {section.section: section for section in all_sections()}
    if number not in sections:
        there = ", ".join(f"{one.section} ({one.slug})" for one in sections.values())
        raise UsageError(f"There is no section {number}: choose one of {there}.")
    return sections[number]
