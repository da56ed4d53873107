"""The room that kept models take: how much an exam allows, and what goes when it is full.

A model that counts, or is a section's best or last, is never dropped, however much it takes. Of the
others the one graded longest ago goes first. The ledger says so before the file goes.
"""

from __future__ import annotations

from exam_cli.config.exam import Exam
from exam_cli.grading.kept import drop, kept_models
from exam_cli.sections.catalog import sections_of
from exam_cli.session.ledger import Event, Ledger
from exam_cli.session.session import Session
from exam_cli.sitting import leftovers
from exam_cli.sitting.rules import best, counting

DROPPED = "snapshot_dropped"  # the ledger's event
_NEAR = 0.8  # of the cap: from here on it is announced
_GRADES = ("grade", "grade_failed")


def make_room(session: Session) -> list[str]:
    """Drop kept models while they take more than the exam allows; return what to say of it.

    Nothing is dropped while another grade of the session runs: the next one sees to it.
    Raises OSError, `ExamError`.
    """
    rules = session.rules
    held = kept_models(session.snapshots)
    if sum(held.values()) < _NEAR * rules.keep_bytes:
        return []
    with Ledger(session.ledger_path) as ledger:
        dropped = _drop(session, ledger, held)
    total = sum(size for name, size in held.items() if name not in dropped)
    said = (
        f"Kept models take {_gb(total)} of the {_gb(rules.keep_bytes)} that the exam allows "
        "(keep_gigabytes in exam.yaml); beyond that the oldest go, but never one that counts or is "
        "a section's best or last."
    )
    if not dropped:
        return [said]
    return [f"Dropped the kept models of {', '.join(dropped.values())}.", said]


def dropped(session: Session, sha256: str) -> Event | None:
    """Return the row that tells of a model's being dropped, if it was."""
    with Ledger(session.ledger_path) as ledger:
        found = [one for one in ledger.events(DROPPED) if one.payload.get("sha256") == sha256]
    return found[-1] if found else None


def _drop(session: Session, ledger: Ledger, held: dict[str, int]) -> dict[str, str]:
    """Drop what must go; return the names of the copies and whose they were, in words."""
    gone: dict[str, str] = {}
    excess = sum(held.values()) - session.rules.keep_bytes
    if excess <= 0:
        return gone
    with leftovers.nobody_grades(session) as sure:
        for name in _droppable(session.rules, ledger, held) if sure else ():
            if excess <= 0:
                break
            sha256, kind = name.split(".")
            attempts = _attempts_of(ledger, sha256)
            ledger.append(
                DROPPED,
                {"sha256": sha256, "format": kind, "bytes": held[name], "attempts": attempts},
            )
            drop(name, session.snapshots)
            excess -= held[name]
            gone[name] = (
                " and ".join(f"section {n} attempt {k}" for n, k in attempts) or "a failure"
            )
    return gone


def _droppable(rules: Exam, ledger: Ledger, held: dict[str, int]) -> list[str]:
    """Return the names of copies that may go, in the order in which they go."""
    precious = set()
    for section in sections_of(rules):
        attempts = [event.payload for event in ledger.attempts(section.section)]
        keep = [counting(section, attempts, rules.counts), best(section, attempts)]
        for one in (*keep, *attempts[-1:]):
            if one is not None and one["model"] is not None:
                precious.add(one["model"]["sha256"])
    last: dict[str, int] = {}  # when each was graded last, as a row's number
    for event in ledger.events():
        model = event.payload.get("model") if event.kind in _GRADES else None
        if model is not None:
            last[f"{model['sha256']}.{model['format']}"] = event.seq
    # What the ledger does not know of yet is being graded.
    old = [name for name in held if name in last and name.split(".")[0] not in precious]
    return sorted(old, key=lambda name: last[name])


def _attempts_of(ledger: Ledger, sha256: str) -> list[list[int]]:
    """Return [section, attempt] of each grading of a model."""
    return [
        [event.payload["section"], event.payload["attempt"]]
        for event in ledger.events("grade")
        if (event.payload.get("model") or {}).get("sha256") == sha256
    ]


def _gb(size: float) -> str:
    return f"{size / 1e9:.3g} GB"
