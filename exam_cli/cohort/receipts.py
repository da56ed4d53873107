"""A receipt for each graded model of a class, beside its results: one to give to each candidate."""

from __future__ import annotations

from pathlib import Path

from exam_cli.cohort.grade import Graded
from exam_cli.files import write_file, writing
from exam_cli.receipts import dsse
from exam_cli.receipts.keys import signing_key
from exam_cli.receipts.statement import class_statement, encoded


def write_receipts(graded: Graded, out: Path) -> None:
    """Write `receipts/CANDIDATE/SECTION.json` for every line of the book that has a model.

    Those that are there and say the same are left; the same line always gives the same.
    Raises `BadKey`, `ExamError`, `DiskFull`.
    """
    key = signing_key()
    names = {section.section: section.directory for section in graded.sections}
    for (candidate, section), line in graded.lines.items():
        if "seal" not in line or line["verdict"] == "failed":
            continue  # nothing was handed in, or it was not graded
        path = out / "receipts" / candidate / f"{names[section]}.json"
        text = dsse.signed(encoded(class_statement(line)), key)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists() or path.read_bytes() != text:
                write_file(path, text, mode=0o644)
