"""What a grade was made from and on: what its row in the ledger, and so its receipt, says beside.

It is gathered while a grade is made, and goes into the row whole: whatever a receipt says can be
read from there again.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from exam_cli.config.exam import Exam, Feedback
from exam_cli.config.section import Section
from exam_cli.config.values import plain
from exam_cli.fetch.lockfile import sha256_of
from exam_cli.grading.copying import tree_line
from exam_cli.grading.environment import Environment
from exam_cli.grading.verdict import Verdict
from exam_cli.images.build import architecture_of
from exam_cli.session.chain import canonical
from exam_cli.session.session import Session

_SALT_BYTES = 16


class Circumstances:
    """Filled in while a grade goes on, so that a failure has as much of it as there is."""

    def __init__(self, section: Section, silenced: bool) -> None:
        """Begin: it is now that the grade starts.

        Args:
            section: what is graded.
            silenced: whether nothing may be told that the model chose.
        """
        self._section = section
        self._silenced = silenced
        self._started = _now()
        self._environment: Environment | None = None

    def found(self, environment: Environment) -> None:
        """Note where the grade is made."""
        self._environment = environment

    def as_json(self, verdict: Verdict) -> dict[str, Any]:
        """Return what is recorded with a verdict that has just been reached."""
        layers, architecture, lock = None, None, None
        if (environment := self._environment) is not None:
            layers = list(environment.image_layers)
            architecture = architecture_of(environment.engine)
            lock = environment.lock_sha256
        hardware = verdict.hardware or {}
        return {
            "started": self._started,
            "ended": _now(),
            "form": self._section.form,
            "section_sha256": folder_sha256(self._section.folder),
            "section_yaml_sha256": sha256_of(self._section.folder / "section.yaml"),
            "layers": layers,
            "lock_sha256": lock,
            "hardware": {
                "architecture": architecture,
                "cpu": hardware.get("cpu"),
                "cores": hardware.get("cores"),
                **({"gpus": hardware["gpus"]} if hardware.get("gpus") else {}),
            },
            "predictions_sha256": verdict.predictions_sha256,
            "silenced": self._silenced,
        }


def sealed(session: Session) -> dict[str, Any]:
    """Return what every row of a session has that a receipt is made from."""
    rules = session.rules
    kept = json.loads((session.directory / "exam.json").read_bytes())
    return _seal(rules.exam, rules.feedback, kept)


def sealed_for(exam: Exam) -> dict[str, Any]:
    """Return the same for who sits an exam without a session: a class."""
    return _seal(exam.exam, exam.feedback, plain(exam))


def _seal(exam: str, feedback: Feedback, rules: dict[str, Any]) -> dict[str, Any]:
    """Return an exam's name, what it tells, the hash of its rules, and a salt.

    The salt makes a row's hash tell nothing of the row: a receipt has the hash, and not always the
    metric, of which there are few enough to try them all.
    """
    return {
        "salt": secrets.token_hex(_SALT_BYTES),
        "exam": exam,
        "feedback": feedback,
        "rules_sha256": rules_sha256(rules),
    }


def rules_sha256(rules: dict[str, Any]) -> str:
    """Return the hash of an exam's rules: the same for all who sit it, wherever they do.

    The seed is left out, for whoever guesses it can draw the hidden data; of a section's folder
    only the name is taken, for its place differs from machine to machine.
    """
    told = {key: value for key, value in rules.items() if key != "seed"}
    sections = told.get("sections")
    if sections is not None:
        told["sections"] = [
            {**one, "folder": Path(one["folder"]).name} if one.get("folder") else one
            for one in sections
        ]
    return hashlib.sha256(canonical(told).encode()).hexdigest()


def folder_sha256(folder: Path) -> str:
    """Return one hash over a section's files: a line each of name, size and hash, by name.

    What Python and editors leave behind (`__pycache__`, names that begin with a dot) is left out.
    Raises OSError.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        left = any(part.startswith(".") or part == "__pycache__" for part in inner.parts)
        if not left and path.is_file():
            content = path.read_bytes()
            name = inner.as_posix()
            digest.update(tree_line(name, len(content), hashlib.sha256(content).hexdigest()))
    return digest.hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
