"""`exam report`: what an exam came to, as pages and files; made again whenever somebody asks.

Nothing here changes what was submitted: a report that cannot be made is a report that is missing.
"""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from exam_cli.config.section import Section
from exam_cli.engine.port import Engine
from exam_cli.errors import ExamError, OurFault
from exam_cli.files import locked, write_file, writing
from exam_cli.grading import predictions
from exam_cli.grading.kept import kept
from exam_cli.grading.verdict import metric_told
from exam_cli.images.build import architecture_of, references
from exam_cli.progress import SILENT, Progress
from exam_cli.reports import archive
from exam_cli.reports.facts import Attempt, Facts, SectionFacts
from exam_cli.reports.fonts import Fonts, fonts
from exam_cli.reports.study import Study, Wanted, study
from exam_cli.sections.catalog import sections_of
from exam_cli.sections.vault import SectionData, SetName, read_section_data
from exam_cli.session.clock import EXTRA, MOVED
from exam_cli.session.ledger import Event, Ledger
from exam_cli.session.session import Session
from exam_cli.sitting.editions import grading_edition
from exam_cli.sitting.rules import SUBMITTED, counting, passes, total

RESULT = "result"  # the directory, in the record and in the workspace
REPORT = "report.html"
_MOST_CLASSES = 100


@dataclass(frozen=True)
class Made:
    """Files that were made, in the record and (where that could be written) in the workspace.

    `shown` is the one of the two that people look into; `notes` are sentences about what could not
    be done.
    """

    facts: Facts
    directory: Path
    shown: Path
    names: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Read:
    """What the ledger says: the section's attempts, and what counts (`grade` of it, or None)."""

    section: Section
    weight: float
    attempts: tuple[Event, ...]
    counted: int | None
    grade: dict[str, Any] | None


def report(
    session: Session,
    connect: Callable[[], Engine],
    progress: Progress = SILENT,
    *,
    draw: bool = True,
) -> tuple[Facts, list[str]]:
    """Return what is to be told of a session, and sentences about what is missing from it.

    Args:
        session: whose report.
        connect: returns the engine, which is needed for intervals and pictures alone.
        progress: is told.
        draw: whether pictures are wanted.

    Raises `ExamError` when the record or the exam's sections cannot be read.
    """
    facts, read = _facts(session)
    if facts.feedback == "scores":  # an interval would tell the metric, and so would a picture
        return facts, []
    try:
        return _studied(facts, read, session, connect, progress, draw), []
    except (ExamError, OSError) as error:
        return facts, [f"There are no intervals and pictures in the report: {error}"]


def make(session: Session, connect: Callable[[], Engine], progress: Progress = SILENT) -> Made:
    """Make the report and, after a submission, certificate and archive.

    They lie in the record and in the workspace. Raises `ExamError`, `OSError`.
    """
    with locked(session.directory / "report.lock", 120.0):
        facts, notes = report(session, connect, progress)
        progress.step("Report and certificate")
        from exam_cli.reports.page import page

        to = session.directory / RESULT
        with writing(to):
            to.mkdir(mode=0o700, exist_ok=True)
            names = [REPORT]
            write_file(to / REPORT, page(facts).encode())
            if facts.submitted is not None:
                names += _papers(facts, session, connect, to, notes)
        place = session.workspace / RESULT
        said = _copied(to, names, place)
    return Made(facts, to, to if said else place, tuple(names), (*notes, *said))


def is_made(session: Session) -> bool:
    """Say whether all that a submission leaves behind is there; the archive is made last."""
    return any((session.directory / RESULT).glob("*.zip"))


def _papers(
    facts: Facts, session: Session, connect: Callable[[], Engine], to: Path, notes: list[str]
) -> list[str]:
    """Make certificate or statement, result and archive; return their names."""
    from exam_cli.reports.certificate import certificate

    paper = "certificate.pdf" if facts.passed else "statement.pdf"
    written, said = certificate(facts, _fonts(session, connect), _receipt(session, facts))
    notes += said
    write_file(to / paper, written)
    write_file(to / "result.json", _json(facts))
    name = archive.file_name(facts.candidate, session.id)
    for old in to.glob("*.zip"):
        if old.name != name:
            old.unlink()
    with Ledger(session.ledger_path) as ledger:
        events = ledger.events()
    models = {}
    for one in facts.sections:
        if one.model is not None:
            try:
                models[f"{one.section}-{one.slug}"] = kept(one.model, session.snapshots)
            except OurFault as error:  # the rest is worth handing in all the same
                notes.append(f"{error} It is missing from the archive.")
    files: dict[str, bytes | Path] = {
        f"{RESULT}/{one}": to / one for one in (REPORT, paper, "result.json")
    }
    # As a receipt does: a model could write hidden rows into its predictions' hash.
    whole = facts.feedback == "full" and not session.rules.supervised
    files["record/ledger.jsonl"] = archive.ledger_export(events, whole=whole)
    badges = []
    for path in _receipts(session):
        files[f"record/receipts/{path.name}"] = path
        if path.name.endswith("-badge.json"):
            write_file(to / "badge.json", path.read_bytes())
            badges = ["badge.json"]
    archive.pack(to / name, models, files)
    return [paper, *badges, "result.json", name]


def _json(facts: Facts) -> bytes:
    return (json.dumps(facts.as_json(), indent=2, ensure_ascii=False) + "\n").encode()


def _copied(source: Path, names: list[str], to: Path) -> list[str]:
    """Copy files into the workspace; return a sentence when that cannot be done."""
    try:
        if to.is_symlink() or (to.exists() and not to.is_dir()):
            return [f"{to} is in the way, so the result lies in {source} alone."]
        to.mkdir(exist_ok=True)
        for name in names:
            draft = to / f".{name}.part"
            draft.unlink(missing_ok=True)
            shutil.copyfile(source / name, draft)
            draft.replace(to / name)
    except OSError as error:
        return [f"{to} cannot be written ({error.strerror}): the result lies in {source}."]
    return []


# From the ledger.


def _facts(session: Session) -> tuple[Facts, list[_Read]]:
    rules = session.rules
    with Ledger(session.ledger_path) as ledger:
        ledger.require_sound()  # a page is believed: it shows nothing that was changed
        started = ledger.events("started")
        ended = ledger.events(SUBMITTED)
        extra = sum(int(event.payload["seconds"]) for event in ledger.events(EXTRA))
        moves = len(ledger.events(MOVED))
        by_number = {one.section: one for one in sections_of(rules)}
        attempts = {number: tuple(ledger.attempts(number)) for number in by_number}
    end = ended[0] if ended else None
    if end is None:
        read = [_so_far(one, attempts[one.section], session) for one in by_number.values()]
        points = total([(one.weight, one.grade) for one in read])
    else:
        read = [
            _final(by_number[one["section"]], one, attempts[one["section"]])
            for one in end.payload["sections"]
            if one["section"] in by_number
        ]
        points = float(end.payload["total"])
    weights = sum(one.weight for one in read) or 1.0
    facts = Facts(
        exam=rules.exam,
        title=rules.title,
        candidate=(end.payload.get("recipient") or {}).get("name") if end else None,
        session=session.id,
        edition=session.edition,
        variant=rules.grade_on,
        feedback=rules.feedback,
        reveal=rules.reveal and end is not None,
        started=_when(started[0]) if started else None,
        submitted=_when(end) if end else None,
        read=datetime.now(UTC),
        total=points,
        pass_mark=rules.pass_mark,
        passed=bool(end.payload["passed"]) if end else passes(points, rules),
        official=bool(end and end.payload.get("official")),
        fingerprint=end.hash if end else None,
        sections=tuple(_section_facts(one, weights, session) for one in read),
        extra_seconds=extra,
        clock_moves=moves,
    )
    return facts, read


def _so_far(section: Section, attempts: tuple[Event, ...], session: Session) -> _Read:
    payloads = [event.payload for event in attempts]
    found = counting(section, payloads, session.rules.counts)
    return _Read(section, section.weight, attempts, found["attempt"] if found else None, found)


def _final(section: Section, content: Mapping[str, Any], attempts: tuple[Event, ...]) -> _Read:
    return _Read(section, content["weight"], attempts, content["attempt"], content["grade"])


def _section_facts(read: _Read, weights: float, session: Session) -> SectionFacts:
    section, grade, feedback = read.section, read.grade, session.rules.feedback
    counted = next((e.payload for e in read.attempts if e.payload["attempt"] == read.counted), None)
    if grade is None:
        message = "No model of this section was scored."
    else:
        message = grade["told"] if "told" in grade else _told(grade, feedback)
    return SectionFacts(
        section=section.section,
        slug=section.slug,
        title=section.title,
        category=section.category,
        form=section.form,
        weight=read.weight,
        share=100 * read.weight / weights,
        bands=section.bands,
        counted=read.counted,
        score=grade["score"] if grade else 0,
        metric=metric_told(grade["metric"], feedback) if grade else None,
        unit=section.metric.unit,
        better=section.metric.better,
        metric_name=section.metric.name,
        message=message,
        model=counted["model"] if counted else None,
        environment=_environment(grade),
        attempts=tuple(_attempt(event, feedback) for event in read.attempts),
    )


def _environment(grade: Mapping[str, Any] | None) -> dict[str, Any] | None:
    made_in = (grade or {}).get("environment") or {}
    if made_in.get("digest") is None:
        return None
    return {name: made_in[name] for name in ("digest", "lock_sha256")}


def _told(grade: Mapping[str, Any], feedback: str) -> str:
    """Return an attempt's message as far as it may be told; a reason it failed for always may."""
    if feedback == "full" or grade["verdict"] != "scored":
        return str(grade["message"])
    return f"Scored {grade['score']} of 5."


def _attempt(event: Event, feedback: Any) -> Attempt:
    payload = event.payload
    metric = metric_told(payload["metric"], feedback)
    return Attempt(
        attempt=payload["attempt"],
        time=_when(event),
        verdict=payload["verdict"],
        reason=payload.get("reason"),
        score=payload["score"],
        value=metric["value"] if metric else None,
    )


def _when(event: Event) -> datetime:
    return datetime.fromisoformat(event.time)


# With the engine.


def _studied(
    facts: Facts,
    read: list[_Read],
    session: Session,
    connect: Callable[[], Engine],
    progress: Progress,
    draw: bool,
) -> Facts:
    """Return the facts with a look at the predictions of each section that has some."""
    which: SetName = "final" if facts.submitted else "probe"
    wanted: dict[int, Wanted] = {}
    for one in read:
        found = predictions.kept(session.directory, _predictions_sha256(one.grade))
        directory = session.vault / one.section.directory
        if found is None or not directory.is_dir():
            continue
        data = read_section_data(directory)
        wanted[one.section.section] = Wanted(
            section=one.section,
            predictions=found,
            data=data.sets[which],
            classes=_classes(one.section, data),
            draw=draw and facts.feedback == "full",
            reveal=facts.reveal,
        )
    if not wanted:
        return facts
    engine = connect()
    image = references(grading_edition(session), architecture_of(engine)).workspace
    progress.step("Intervals and pictures", len(wanted))
    looks = study(list(wanted.values()), engine, image, {"exam.session": session.id}, progress)
    by_number: dict[int, Study] = dict(zip(wanted, looks, strict=True))
    return replace(
        facts,
        sections=tuple(replace(one, study=by_number.get(one.section)) for one in facts.sections),
    )


def _predictions_sha256(grade: dict[str, Any] | None) -> str | None:
    """Return the hash of a grade's predictions, as a submission or an attempt has it."""
    if grade is None:
        return None
    found = grade.get("predictions_sha256") or grade.get("circumstances", {}).get(
        "predictions_sha256"
    )
    return found if isinstance(found, str) else None


def _classes(section: Section, data: SectionData) -> tuple[str, ...]:
    """Return what a section's classes are called; nothing where that cannot be found out."""
    told = section.classes
    if told is None:
        return ()
    if told.names is not None:
        return told.names
    names: list[str] = []
    try:
        if told.file is not None:
            names = data.train[told.file].read_text(encoding="utf-8").splitlines()
        elif told.folders is not None:
            with tarfile.open(data.trees[told.folders]) as tree:
                names = sorted({name.split("/")[0] for name in tree.getnames() if "/" in name})
    except (KeyError, OSError, ValueError, tarfile.TarError):
        return ()
    return tuple(name[:60] for name in names[:_MOST_CLASSES])


def _fonts(session: Session, connect: Callable[[], Engine]) -> Fonts:
    edition = grading_edition(session)
    try:
        image = references(edition, architecture_of(connect())).workspace
    except ExamError:
        return Fonts()
    return fonts(image, edition.python, connect)


def _receipts(session: Session) -> list[Path]:
    """Return the session's receipts, whatever has written them; no links."""
    place = session.directory / "receipts"
    found = place.iterdir() if place.is_dir() else ()
    return sorted(path for path in found if path.is_file() and not path.is_symlink())


def _receipt(session: Session, facts: Facts) -> str | None:
    """Return the SHA-256 of the receipt of the submission: the one that names its row; or None."""
    import hashlib

    for path in _receipts(session):
        if "submi" in path.name and facts.fingerprint is not None:
            return hashlib.sha256(path.read_bytes()).hexdigest()
    return None
