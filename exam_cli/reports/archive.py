"""What is handed in: one zip of models, ledger, receipts and result, as a class's grading has it.

`exam cohort grade` finds the models, a directory a section; the rest lies where it looks for none.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

from exam_cli.files import appearing
from exam_cli.grading.intake import Submission
from exam_cli.session.chain import Event, canonical

_TIME = (1980, 1, 1, 0, 0, 0)  # the same bytes for the same content
_PIECE = 1 << 20
_LONGEST_NAME = 40


def file_name(candidate: str | None, session: str) -> str:
    """Return the archive's name: a class's grading takes what is before `.zip` for the candidate's.

    A name in any script stays readable; what a file system or a table could trip over does not.
    """
    kept = "".join(one if one.isalnum() else "-" for one in (candidate or "").lower())
    short = "-".join(part for part in kept.split("-") if part)
    while len(short.encode()) > _LONGEST_NAME * 2 or len(short) > _LONGEST_NAME:
        short = short[:-1]
    return f"{short or 'submission'}-{session}.zip"


def ledger_export(events: Iterable[Event], *, whole: bool) -> bytes:
    """Return a ledger as JSON lines: [seq, time, kind, payload, previous, hash], first to last.

    The hash is the SHA-256 of the canonical JSON of the five before it. Unless it may be told
    `whole`, the payload of a grading is null: it has the metric, which the exam does not tell. The
    chain of hashes can be followed all the same.
    """
    rows = []
    for one in events:
        payload = one.payload if whole or "metric" not in canonical(one.payload) else None
        rows.append([one.seq, one.time, one.kind, payload, one.previous, one.hash])
    return "".join(canonical(row) + "\n" for row in rows).encode("ascii")


def pack(path: Path, models: Mapping[str, Submission], files: Mapping[str, bytes | Path]) -> None:
    """Write the archive at `path` in one step. Raises OSError.

    Args:
        path: of the zip; what was there is replaced.
        models: by the directory of their section.
        files: the rest, by their names in it.
    """
    with (
        appearing(path, 0o644) as stream,
        zipfile.ZipFile(stream, "w", strict_timestamps=False) as package,
    ):
        for directory, submission in sorted(models.items()):
            for file in submission.files:
                with file.path.open("rb") as source:
                    _add(package, f"{directory}/{file.name}", source, zipfile.ZIP_STORED)
        for name, content in sorted(files.items()):
            with (
                io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as source
            ):
                _add(package, name, source, zipfile.ZIP_DEFLATED)


def _add(package: zipfile.ZipFile, name: str, source: IO[bytes], compression: int) -> None:
    about = zipfile.ZipInfo(name, _TIME)
    about.external_attr = 0o100644 << 16
    about.compress_type = compression
    with package.open(about, "w", force_zip64=True) as target:
        while piece := source.read(_PIECE):
            target.write(piece)
