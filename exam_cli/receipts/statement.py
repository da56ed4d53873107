"""What a receipt says: an in-toto statement made from one row of the ledger, and from nothing else.

A statement (https://github.com/in-toto/attestation, spec/v1) says something (the predicate) of
artifacts known by their hashes (the subject): here, of models. A SavedModel's hash is that over a
line for each of its files (`grading/copying.py`).

**What is left out.** A receipt is for the candidate to keep and to show. So it tells no more than
the exam's `feedback` does: the metric as far as the grade itself told it, and the hash of the
predictions only in an exam without secrets. (A model can write what it has seen of the hidden
inputs into its predictions; whoever knows all that it may have written finds by the hash what it
did.) What is left out is named in `withheld`, and is bound all the same: the row's hash is in the
receipt, and the row, which is the examiner's, has a random salt, so that nobody can find the metric
by trying all. The examiner, who has the ledger, sees the whole of it, and `exam verify` compares
the whole of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from exam_cli.config.exam import Feedback
from exam_cli.grading.verdict import metric_told
from exam_cli.session.chain import Event, canonical

STATEMENT = "https://in-toto.io/Statement/v1"  # names of formats: nothing is ever fetched
# Names of our own that claim no host; another meaning would need another name.
GRADE = "urn:uuid:6b1f3c52-3a0e-5d0b-9b58-0d2a7a1c4e01"
SUBMISSION = "urn:uuid:6b1f3c52-3a0e-5d0b-9b58-0d2a7a1c4e02"
CLASS = "urn:uuid:6b1f3c52-3a0e-5d0b-9b58-0d2a7a1c4e04"
_KINDS = {"grade": GRADE, "grade_failed": GRADE, "submitted": SUBMISSION}


def is_receipted(event: Event) -> bool:
    """Say whether a row has a receipt: a grade or a submission, with a model to speak of.

    A row from before there were receipts has none, nor has one that this program cannot have
    written.
    """
    try:
        return bool(event.kind in _KINDS and _subject(event) and encoded(statement(event, "")))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return False


def statement(event: Event, session: str) -> dict[str, Any]:
    """Return what the receipt of a row says; the same row always gives the same.

    Args:
        event: one that `is_receipted`.
        session: the id of the session whose ledger it is in.
    """
    grade = event.kind != "submitted"
    return {
        "_type": STATEMENT,
        "subject": _subject(event),
        "predicateType": _KINDS[event.kind],
        "predicate": {
            "exam": event.payload["seal"]["exam"],
            "session": session,
            "rules_sha256": event.payload["seal"]["rules_sha256"],
            "feedback": event.payload["seal"]["feedback"],
            **(_graded(event.payload, event.payload["seal"]) if grade else _submitted(event)),
            "ledger": {
                "seq": event.seq,
                "time": event.time,
                "kind": event.kind,
                "previous": event.previous,
                "hash": event.hash,
            },
        },
    }


def class_statement(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the receipt of a candidate of a class says: one line of the examiner's book.

    Args:
        line: a grade of `cohort.book`, with a model.
    """
    seal = line["seal"]
    return {
        "_type": STATEMENT,
        "subject": _models([line]),
        "predicateType": CLASS,
        "predicate": {
            "exam": seal["exam"],
            "candidate": line["candidate"],
            "rules_sha256": seal["rules_sha256"],
            "feedback": seal["feedback"],
            **_graded(line, seal),
            "book": {"context": line["context"], "hash": line_sha256(line)},
        },
    }


def line_sha256(line: Mapping[str, Any]) -> str:
    """Return the hash of a line of the examiner's book."""
    return hashlib.sha256(canonical(dict(line)).encode()).hexdigest()


def encoded(content: dict[str, Any]) -> bytes:
    """Return a statement's one text, which is what gets signed."""
    return canonical(content).encode("ascii")


def _subject(event: Event) -> list[dict[str, Any]]:
    payload = event.payload
    grades = [payload]
    if event.kind == "submitted":
        grades = [one["grade"] for one in payload["sections"] if one["grade"] is not None]
    return _models(grades)


def _models(grades: list[Any]) -> list[dict[str, Any]]:
    return [
        {"name": one["model"]["path"], "digest": {"sha256": one["model"]["sha256"]}}
        for one in grades
        if one.get("model") is not None
    ]


def _graded(payload: Mapping[str, Any], seal: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said of one grade."""
    feedback: Feedback = seal["feedback"]
    about = payload["circumstances"]
    metric = metric_told(payload["metric"], feedback)
    withheld = [] if metric == payload["metric"] else ["metric"]
    predictions = {"predictions_sha256": about["predictions_sha256"]}
    if predictions["predictions_sha256"] is not None and (feedback != "full" or about["silenced"]):
        predictions = {}
        withheld.append("predictions_sha256")
    return {
        "attempt": payload["attempt"],
        "section": {
            "section": payload["section"],
            "slug": payload["slug"],
            "form": about["form"],
            "sha256": about["section_sha256"],
            "yaml_sha256": about["section_yaml_sha256"],
        },
        "model": payload["model"],
        "set": payload["set"],
        **predictions,
        "verdict": payload["verdict"],
        "reason": payload["reason"],
        "score": payload["score"],
        "max_score": payload["max_score"],
        "metric": metric,
        "withheld": withheld,
        "environment": {
            **payload["environment"],
            "layers": about["layers"],
            "lock_sha256": about["lock_sha256"],
        },
        "isolation": payload["isolation"],
        "hardware": about["hardware"],
        "started": about["started"],
        "ended": about["ended"],
    }


def _submitted(event: Event) -> dict[str, Any]:
    """Return what is said of the end of an exam: the total, and each section's final grade."""
    content = event.payload
    names = ("counts", "total", "pass_mark", "passed")
    sections = []
    for one in content["sections"]:
        head = {key: one[key] for key in ("section", "slug", "title", "form", "weight", "score")}
        found = one["grade"]
        if found is not None:
            found = {**_graded(found, content["seal"]), "attempt": one["attempt"]}
        sections.append({**head, "attempt": one["attempt"], "grade": found})
    return {**{name: content[name] for name in names}, "sections": sections}
