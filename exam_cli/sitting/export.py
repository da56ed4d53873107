"""`exam export N`: a section of this session to take to Colab or another machine."""

from __future__ import annotations

from pathlib import Path

from exam_cli.config.edition import Architecture
from exam_cli.config.section import Section
from exam_cli.errors import ExamError
from exam_cli.files import writing
from exam_cli.sections.vault import is_whole, read_section_data
from exam_cli.session.session import Session
from exam_cli.sitting.editions import workspace_edition
from exam_cli.workspace.export import export

# Colab's machines, and nearly all others that one trains on; the pins hardly differ.
_ARCHITECTURE: Architecture = "x86_64"


def export_section(section: Section, session: Session, target: Path | None) -> Path:
    """Write a section's archive and return where it is; it needs no engine.

    Args:
        section: what is taken along.
        session: whose training data.
        target: a file, or a directory to put it in; None for the current one.

    Raises `ExamError` when `exam up` has not laid the section out, or the file cannot be written.
    """
    directory = session.vault / section.directory
    if not is_whole(directory):
        raise ExamError(
            f"The data of section {section.section} is not here yet: run `exam up` first.",
            reason="no_data",
        )
    name = f"{section.directory}.zip"
    target = Path(name) if target is None else target
    if target.is_dir():
        target = target / name
    with writing(target):
        export(
            section,
            read_section_data(directory),
            workspace_edition(session),
            _ARCHITECTURE,
            target,
        )
    return target
