"""`exam author new`: a folder with every file of a section, which passes `exam author check`.

The files are those under `template/`, a tiny procedural task for each kind of section, in which
@NUMBER@, @SLUG@ and @TITLE@ are filled in. The author then changes one thing after another.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from exam_cli.authoring.notebook import write_notebook
from exam_cli.errors import ExamError, UsageError
from exam_cli.sections.catalog import load_section

_TEMPLATES = Path(__file__).parent / "template"
_SUFFIX = ".section"  # with a dot no name of a package: type checkers leave the scripts alone
_SLUG = re.compile(r"[a-z][a-z0-9-]{0,39}")


def kinds() -> list[str]:
    """Return the kinds of section that there is a template for."""
    return sorted(path.name.removesuffix(_SUFFIX) for path in _TEMPLATES.glob(f"*{_SUFFIX}"))


def new_section(name: str, number: int, kind: str, into: Path) -> Path:
    """Make the folder of a new section and return it.

    Args:
        name: becomes the slug, in small letters and with hyphens, and the title.
        number: of the section in an exam.
        kind: one of `kinds()`.
        into: where the folder is made.

    Raises `UsageError` for a name that makes no slug, `ExamError` when the folder is there already.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not _SLUG.fullmatch(slug):
        raise UsageError(
            f"{name!r} makes no name for a folder: begin with a letter, and take at most 40 "
            "letters, digits and hyphens; `--number` gives the section its number."
        )
    if not name.isprintable() or set(name) & set('"\\'):
        raise UsageError(f"{name!r} makes no title: leave out quotes, backslashes and line ends.")
    words = slug.replace("-", " ")
    title = name if name != slug else words[0].upper() + words[1:]
    folder = into / f"{number}-{slug}"
    if folder.exists():
        raise ExamError(f"{folder} is there already: choose another name or number.")
    draft = into / f".{folder.name}.part"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        for source in sorted((_TEMPLATES / f"{kind}{_SUFFIX}").iterdir()):
            if not source.is_file():
                continue  # __pycache__
            text = source.read_text(encoding="utf-8")
            for mark, value in (("NUMBER", str(number)), ("SLUG", slug), ("TITLE", title)):
                text = text.replace(f"@{mark}@", value)
            (draft / source.name).write_text(text, encoding="utf-8")
        write_notebook(draft)
        load_section(draft)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder
