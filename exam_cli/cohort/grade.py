"""Grade a class: every model of every candidate once, several at a time, nothing lost to a kill."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exam_cli.cohort.archive import unpack
from exam_cli.cohort.book import Book
from exam_cli.cohort.candidates import Candidate, Roll, call_the_roll
from exam_cli.config.edition import Edition
from exam_cli.config.exam import Exam
from exam_cli.config.section import Section
from exam_cli.engine.port import Engine
from exam_cli.errors import ExamError, ImageMissing
from exam_cli.files import locked, write_file
from exam_cli.grading.environment import Environment
from exam_cli.grading.grade import grade
from exam_cli.grading.intake import take
from exam_cli.grading.predictor import predictor_needs
from exam_cli.grading.scorer import SCORER_NEEDS
from exam_cli.grading.verdict import Rejection
from exam_cli.images.build import architecture_of, ensure_images
from exam_cli.progress import Progress
from exam_cli.sections.catalog import sections_of
from exam_cli.sections.vault import DataSet, SetName, section_data

_RESERVED_BYTES = 1 << 30  # for the engine and this program
_TRIES = 2  # of a grading that fails by our own fault


@dataclass(frozen=True)
class Order:
    """What is to be done: whose work lies where, by which exam, on which hidden set."""

    directory: Path
    out: Path
    exam: Exam
    edition: Edition
    which: SetName = "final"
    workers: int | None = None


@dataclass(frozen=True)
class Graded:
    """A graded cohort: its candidates' lines by section, and how much of it was new."""

    exam: Exam
    sections: tuple[Section, ...]
    roll: Roll
    lines: dict[tuple[str, int], dict[str, Any]]
    fresh: int
    workers: int


def grade_cohort(order: Order, connect: Callable[[], Engine], progress: Progress) -> Graded:
    """Grade everybody; a second call goes on where the first was stopped.

    Raises `ExamError` for a directory without candidates or a machine without room for one worker,
    and `OurFault` when the engine fails: whatever was graded until then is in the book.
    """
    roll = call_the_roll(order.directory)
    sections = tuple(sections_of(order.exam))
    order.out.mkdir(parents=True, exist_ok=True)
    with _alone(order.out):
        engine = connect()
        workers = workers_for(engine, sections, order.workers)
        progress.say(f"{len(roll.candidates)} candidates, {workers} at a time.")
        for stray in roll.strays:
            progress.say(f"{stray} is no candidate's directory or archive: left aside.")
        images = ensure_images(engine, order.edition, progress)
        labels = {"exam.session": f"cohort-{_key(str(order.out.resolve()))}"}
        for state in engine.find(labels):
            engine.remove(state.id)  # of a grading of this very cohort that was killed
        sets = _hidden_sets(order, sections, engine, images.workspace, progress)
        context = _key(
            json.dumps(
                [images.grader, order.which, *(one.sha256 for one in sets.values())], sort_keys=True
            )
        )
        with closing(Book(order.out / "grades.jsonl", context)) as book:
            desk = _Desk(order, sections, sets, images.grader, labels, connect, book)
            lines = _all_of_them(desk, roll, workers, progress)
        return Graded(order.exam, sections, roll, lines, desk.fresh, workers)


def workers_for(engine: Engine, sections: tuple[Section, ...], wanted: int | None) -> int:
    """Return how many gradings the engine's machine has room for: one a core, as memory allows.

    Raises `ExamError` when there is not room for one, or not for as many as were `wanted`.
    """
    info = engine.info()
    each = max(predictor_needs(one).memory_bytes for one in sections) + SCORER_NEEDS.memory_bytes
    room = max(0, info.memory_bytes - _RESERVED_BYTES) // each
    if room < (wanted or 1):
        raise ExamError(
            f"The engine's machine has {info.memory_bytes / 2**30:.1f} GB of memory, room for "
            f"{room} gradings at a time of {each / 2**30:.1f} GB each"
            + (": take fewer --workers." if room else ": give it more."),
            reason="too_little_memory",
        )
    return wanted or max(1, min(info.cpus, room))


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep a second command from grading the same cohort meanwhile; it waits."""
    with locked(out / ".lock"):
        for left in out.glob(".work-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def _hidden_sets(
    order: Order,
    sections: tuple[Section, ...],
    engine: Engine,
    builder: str,
    progress: Progress,
) -> dict[int, DataSet]:
    """Return each section's hidden set, drawn from the exam's seed.

    An exam without a seed gets one of its own here, so that a second run grades on the same rows.
    """
    seed_file = order.out / ".seed"
    if order.exam.seed_bytes is not None:
        seed = order.exam.seed_bytes
    elif seed_file.is_file():
        seed = seed_file.read_bytes()
    else:
        seed = secrets.token_bytes(32)
        write_file(seed_file, seed)
    architecture = architecture_of(engine)
    progress.step("Hidden data", len(sections))
    found = {}
    for section in sections:
        vault = order.out / ".vault"
        data = section_data(section, seed, vault, engine, builder, architecture, shared=True)
        found[section.section] = data.sets[order.which]
        progress.advance(len(found))
    return found


class _Desk:
    """What the workers share, and how one candidate is graded at it."""

    def __init__(
        self,
        order: Order,
        sections: tuple[Section, ...],
        sets: dict[int, DataSet],
        image: str,
        labels: dict[str, str],
        connect: Callable[[], Engine],
        book: Book,
    ) -> None:
        self._order = order
        self._sections = sections
        self._sets = sets
        self._image = image
        self._labels = labels
        self._connect = connect
        self._book = book
        self._local = threading.local()
        self._counting = threading.Lock()
        self.closed = False
        self.fresh = 0

    def candidate(self, candidate: Candidate) -> dict[tuple[str, int], dict[str, Any]]:
        """Return a candidate's lines, section by section."""
        with tempfile.TemporaryDirectory(prefix=".work-", dir=self._order.out) as scratch:
            trouble = ("several_models", candidate.trouble) if candidate.trouble else None
            place = candidate.path
            if trouble is None and not place.is_dir():
                place = Path(scratch, "handed-in")
                place.mkdir()
                try:
                    unpack(candidate.path, place, [one.directory for one in self._sections])
                except ExamError as error:
                    trouble = ("not_a_model", str(error))
            return {
                (candidate.name, section.section): self._line(
                    candidate, section, place, Path(scratch, "models"), trouble
                )
                for section in self._sections
                if not self.closed
            }

    def _line(
        self,
        candidate: Candidate,
        section: Section,
        place: Path,
        models: Path,
        trouble: tuple[str, str] | None,
    ) -> dict[str, Any]:
        """Return one line: from the book if it is there, else from a grading."""
        try:
            if trouble is not None:
                raise Rejection(*trouble)
            submission = take(section, place, models)
        except Rejection as rejection:
            return self._noted(candidate, section, rejection)
        sha256 = submission.record.sha256
        known = self._book.find(candidate.name, section.section, sha256)
        if known is not None:
            return known
        others = [(one.directory, one.contract) for one in self._sections if one is not section]
        for _ in range(_TRIES):
            verdict = grade(
                submission, section, self._sets[section.section], self._environment(), others
            )
            if verdict.status != "failed" or self.closed:
                break
        line = {**verdict.as_json(None), "predictions_sha256": verdict.predictions_sha256}
        if verdict.status == "failed" or self.closed:
            # A failure is ours, and what ended when the containers were taken away says nothing of
            # the model: neither is a line of the book, and the next run tries again.
            return {**line, "candidate": candidate.name, "model_sha256": sha256}
        with self._counting:
            self.fresh += 1
        return self._book.write(candidate.name, section.section, sha256, line)

    def _noted(
        self, candidate: Candidate, section: Section, rejection: Rejection
    ) -> dict[str, Any]:
        """Write down, once, that there was nothing to grade."""
        known = self._book.find(candidate.name, section.section, None)
        if known is not None and known["message"] == rejection.sentence:
            return known
        content = {
            "verdict": "rejected",
            "reason": rejection.reason,
            "message": rejection.sentence,
            "score": 0,
            "metric": None,
            "model": None,
            "seconds": None,
        }
        return self._book.write(candidate.name, section.section, None, content)

    def _environment(self) -> Environment:
        """Return where this thread grades: engines are not shared between threads."""
        if not hasattr(self._local, "engine"):
            engine = self._connect()
            if engine.image(self._image) is None:
                raise ImageMissing("The grader image is not on this engine: run it again.")
            self._local.engine = engine
        edition = self._order.edition
        return Environment(
            engine=self._local.engine,
            image=self._image,
            edition=edition.edition,
            variant="cpu",
            tensorflow=edition.tensorflow,
            keras=edition.keras,
            runtime=self._order.exam.runtime,
            labels=self._labels,
        )

    def stop(self) -> None:
        """Begin nothing more, and end what runs, all at once: someone waits at the keyboard."""
        self.closed = True
        found = self._connect().find(self._labels)
        with ThreadPoolExecutor(len(found) or 1) as removers:
            list(removers.map(lambda state: self._connect().remove(state.id), found))


def _all_of_them(
    desk: _Desk, roll: Roll, workers: int, progress: Progress
) -> dict[tuple[str, int], dict[str, Any]]:
    """Grade candidate after candidate; when stopped, leave no container behind."""
    lines: dict[tuple[str, int], dict[str, Any]] = {}
    progress.step("Grading", len(roll.candidates))
    try:
        with ThreadPoolExecutor(workers) as pool:
            _wait_for(desk, roll, pool, lines, progress)
    finally:
        if desk.closed:
            desk.stop()  # what was being created while the first call looked
    return lines


def _wait_for(
    desk: _Desk,
    roll: Roll,
    pool: ThreadPoolExecutor,
    lines: dict[tuple[str, int], dict[str, Any]],
    progress: Progress,
) -> None:
    waiting = {pool.submit(desk.candidate, candidate) for candidate in roll.candidates}
    done = 0
    try:
        while waiting:
            ready, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for one in ready:
                lines.update(one.result())
            done += len(ready)
            progress.advance(done)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        desk.stop()
        raise


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
