"""Grade a class: every model of every candidate once, several at a time, nothing lost to a kill."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from exam_cli.cohort.book import Book
from exam_cli.cohort.candidates import Roll, call_the_roll
from exam_cli.cohort.desk import Desk
from exam_cli.config.edition import Edition
from exam_cli.config.exam import Exam
from exam_cli.config.section import Section
from exam_cli.engine.port import Engine
from exam_cli.errors import ExamError, ImageMissing
from exam_cli.files import locked, write_file
from exam_cli.grading.environment import Environment
from exam_cli.grading.official import as_recorded, behind_walls
from exam_cli.grading.predictor import predictor_needs
from exam_cli.grading.scorer import SCORER_NEEDS
from exam_cli.images.build import Images, architecture_of, ensure_images
from exam_cli.images.gpu import need_gpus
from exam_cli.progress import Progress
from exam_cli.sections.catalog import sections_of
from exam_cli.sections.vault import DataSet, SetName, section_data
from exam_cli.sitting.circumstances import Circumstances, sealed_for

_RESERVED_BYTES = 1 << 30  # for the engine and this program


@dataclass(frozen=True)
class Order:
    """What is to be done: whose work lies where, by which exam, on which hidden set."""

    directory: Path
    out: Path
    exam: Exam
    edition: Edition
    which: SetName = "final"
    workers: int | None = None
    official: bool = False


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

    Raises `ExamError` for a directory without candidates, a machine without room for one worker,
    or official grading that lacks a wall, and `OurFault` when the engine fails: whatever was graded
    until then is in the book.
    """
    roll = call_the_roll(order.directory)
    sections = tuple(sections_of(order.exam))
    order.out.mkdir(parents=True, exist_ok=True)
    with _alone(order.out):
        engine = connect()
        gpu = order.edition.variant == "gpu"
        if gpu:
            need_gpus(engine, order.edition)
        # Grades on a GPU wait for each other, so more workers would only hold memory.
        workers = workers_for(engine, sections, 1 if gpu else order.workers)
        progress.say(f"{len(roll.candidates)} candidates, {workers} at a time.")
        for stray in roll.strays:
            progress.say(f"{stray} is no candidate's directory or archive: left aside.")
        images = ensure_images(engine, order.edition, progress)
        labels = {"exam.session": f"cohort-{_key(str(order.out.resolve()))}"}
        for state in engine.find(labels):
            engine.remove(state.id)  # of a grading of this very cohort that was killed
        sets = _hidden_sets(order, sections, engine, images.workspace, progress)
        # What was not graded officially is graded again where that is asked for.
        official = ["official"] if order.official else []
        hashes = [one.sha256 for one in sets.values()]
        environment = partial(_environment, order, images, labels)
        here = _at(environment(engine))
        made_in = [images.grader, here.image_digest]
        context = _key(json.dumps([*made_in, order.which, *official, *hashes]))
        with closing(Book(order.out / "grades.jsonl", context)) as book:
            if order.official:
                as_recorded(here, order.edition, architecture_of(engine))
                walls = behind_walls(here, order.exam.walls).walls
                environment = partial(environment, walls=walls)
            silenced = order.official or order.exam.supervised
            desk = Desk(
                order.out,
                sections,
                sets,
                environment,
                connect,
                book,
                lambda section: Circumstances(section, silenced),
                lambda: sealed_for(order.exam),
            )
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


def _environment(
    order: Order,
    images: Images,
    labels: dict[str, str],
    engine: Engine,
    walls: tuple[str, ...] = (),
) -> Environment:
    edition = order.edition
    return Environment(
        engine=engine,
        image=images.grader,
        edition=edition.edition,
        variant=edition.variant,
        tensorflow=edition.tensorflow,
        keras=edition.keras,
        runtime=order.exam.runtime,
        labels=labels,
        walls=walls,
        lock_sha256=images.lock_sha256,
    )


def _at(environment: Environment) -> Environment:
    image = environment.engine.image(environment.image)
    if image is None:
        raise ImageMissing("The grader image is not on this engine: run it again.")
    return environment.of_image(image)


def _all_of_them(
    desk: Desk, roll: Roll, workers: int, progress: Progress
) -> dict[tuple[str, int], dict[str, Any]]:
    """Grade candidate after candidate; when stopped, leave no container behind."""
    lines: dict[tuple[str, int], dict[str, Any]] = {}
    progress.step("Grading", len(roll.candidates))
    try:
        with ThreadPoolExecutor(workers) as pool:
            _wait_for(desk, roll, pool, lines, progress)
    finally:
        if desk.stopped:
            desk.stop()  # what was being created while the first call looked
        desk.close()
    return lines


def _wait_for(
    desk: Desk,
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
