"""The desk at which candidates are graded, one by each worker at a time."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exam_cli.cohort.archive import unpack
from exam_cli.cohort.book import Book
from exam_cli.cohort.candidates import Candidate
from exam_cli.config.section import Section
from exam_cli.engine.port import Engine
from exam_cli.errors import ExamError, ImageMissing
from exam_cli.grading.environment import Environment
from exam_cli.grading.grade import grade
from exam_cli.grading.intake import take
from exam_cli.grading.served import Server, Serving
from exam_cli.grading.verdict import Rejection
from exam_cli.sections.vault import DataSet
from exam_cli.sitting.circumstances import Circumstances

_TRIES = 2  # of a grading that fails by our own fault

Line = dict[str, Any]


@dataclass
class _Place:
    """What one worker keeps: its own connection to the engine, and a scorer for all it grades."""

    environment: Environment
    scorer: Server


class Desk:
    """Grades candidates on one set of hidden data; any number of threads may work at it.

    Args:
        scratch: directory for copies of models; what is put there is removed again.
        sections: the exam's, and `sets` their hidden data by number.
        environment: where to grade, seen from an engine: engines are not shared between threads.
        connect: returns an engine.
        book: where lines are written, and found if they were written before.
        around: begins to note what a section's grade is made from.
        seal: returns what makes a line fit for a receipt.
    """

    def __init__(
        self,
        scratch: Path,
        sections: tuple[Section, ...],
        sets: Mapping[int, DataSet],
        environment: Callable[[Engine], Environment],
        connect: Callable[[], Engine],
        book: Book,
        around: Callable[[Section], Circumstances],
        seal: Callable[[], dict[str, Any]],
    ) -> None:
        self._scratch = scratch
        self._sections = sections
        self._sets = sets
        self._environment = environment
        self._connect = connect
        self._book = book
        self._around = around
        self._seal = seal
        self._local = threading.local()
        self._lock = threading.Lock()
        self._scorers: list[Server] = []
        self.stopped = False
        self.fresh = 0

    def candidate(self, candidate: Candidate) -> dict[tuple[str, int], Line]:
        """Return a candidate's lines, section by section. Raises OSError, `OurFault`."""
        with tempfile.TemporaryDirectory(prefix=".work-", dir=self._scratch) as name:
            work = _Work(candidate, *self._laid_out(candidate, Path(name)), Path(name, "models"))
            place = self._place()
            with Server(place.environment, "predictor") as predictor:
                serving = Serving(predictor, place.scorer, lambda: self.stopped)
                return {
                    (candidate.name, section.section): self._line(work, section, place, serving)
                    for section in self._sections
                    if not self.stopped
                }

    def _laid_out(self, candidate: Candidate, scratch: Path) -> tuple[Path, tuple[str, str] | None]:
        """Return where a candidate's directories are, and why nothing is graded there, if so."""
        if candidate.trouble:
            return candidate.path, ("several_models", candidate.trouble)
        if candidate.path.is_dir():
            return candidate.path, None
        directory = scratch / "handed-in"
        directory.mkdir()
        try:
            unpack(candidate.path, directory, [one.directory for one in self._sections])
        except ExamError as error:
            return directory, ("not_a_model", str(error))
        return directory, None

    def _line(self, work: _Work, section: Section, place: _Place, serving: Serving) -> Line:
        """Return one line: from the book if it is there, else from a grading."""
        try:
            if work.trouble is not None:
                raise Rejection(*work.trouble)
            submission = take(section, work.directory, work.models)
        except Rejection as rejection:
            return self._noted(work.candidate, section, rejection)
        name, sha256 = work.candidate.name, submission.record.sha256
        known = self._book.find(name, section.section, sha256)
        if known is not None:
            return known
        data = self._sets[section.section]
        others = [(one.directory, one.contract) for one in self._sections if one is not section]
        around = self._around(section)
        around.found(place.environment)
        for _ in range(_TRIES):
            verdict = grade(submission, section, data, place.environment, others, serving)
            if verdict.status != "failed" or self.stopped:
                break
        line = {**verdict.as_json(None), "predictions_sha256": verdict.predictions_sha256}
        if verdict.status == "failed" or self.stopped:
            # A failure is ours, and what ended when the containers were taken away says nothing of
            # the model: neither is a line of the book, and the next run tries again.
            return {**line, "candidate": name, "model_sha256": sha256}
        line.update({"circumstances": around.as_json(verdict), "seal": self._seal()})
        with self._lock:
            self.fresh += 1
        return self._book.write(name, section.section, sha256, line)

    def _noted(self, candidate: Candidate, section: Section, rejection: Rejection) -> Line:
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

    def _place(self) -> _Place:
        """Return where this thread grades."""
        if not hasattr(self._local, "place"):
            environment = self._environment(self._connect())
            image = environment.engine.image(environment.image)
            if image is None:
                raise ImageMissing("The grader image is not on this engine: run it again.")
            environment = environment.of_image(image)
            scorer = Server(environment, "scorer")
            with self._lock:
                self._scorers.append(scorer)
            self._local.place = _Place(environment, scorer)
        place: _Place = self._local.place
        return place

    def close(self) -> None:
        """Remove what the workers kept; they work no more."""
        for scorer in self._scorers:
            scorer.close()

    def stop(self) -> None:
        """Begin nothing more, and end what runs, all at once: someone waits at the keyboard."""
        self.stopped = True
        engine = self._connect()
        found = engine.find(self._environment(engine).labels)
        with ThreadPoolExecutor(len(found) or 1) as removers:
            list(removers.map(lambda state: self._connect().remove(state.id), found))


@dataclass(frozen=True)
class _Work:
    """A candidate's directories, or why there are none to grade; and where copies may lie."""

    candidate: Candidate
    directory: Path
    trouble: tuple[str, str] | None
    models: Path
