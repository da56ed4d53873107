"""`exam author check`: train the ladder over seeds, look at data and files, judge."""

from __future__ import annotations

import fcntl
import hashlib
import os
import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from exam_cli.authoring import static
from exam_cli.authoring.results import (
    DATA,
    SHUFFLED,
    Broken,
    DataLook,
    Measured,
    Task,
    data_key,
    kept,
    seed_bytes,
    task_of,
)
from exam_cli.authoring.rules import Judgement, Measurements, judge
from exam_cli.authoring.train import ROLE, container_spec, train
from exam_cli.config.edition import Edition
from exam_cli.config.section import Section
from exam_cli.engine.port import ContainerSpec, Engine, ImageInfo
from exam_cli.errors import OurFault, UsageError
from exam_cli.grading.box import Box
from exam_cli.images.build import architecture_of, ensure_images
from exam_cli.paths import cache_dir
from exam_cli.progress import Progress
from exam_cli.sections.vault import SectionData, section_data

MOST_SHUFFLED = 5
_MOST_CPUS = 2.0  # what the rule about the reference's time speaks of
_DATA_DAYS = 7


@dataclass(frozen=True)
class Report:
    """What a check found. `image` is the id of the workspace image, `cores` those of the engine."""

    section: Section
    seeds: tuple[int, ...]
    edition: str
    image: str
    cores: int
    measurements: Measurements
    judgements: tuple[Judgement, ...]

    @property
    def holds(self) -> bool:
        """Whether every rule holds."""
        return all(one.holds for one in self.judgements)


@dataclass(frozen=True)
class Wanted:
    """What to check. `only` names rungs, none means all; `fresh` trains what is kept, too."""

    seeds: int = 5
    workers: int | None = None
    only: tuple[str, ...] = ()
    fresh: bool = False


def check_section(
    section: Section,
    wanted: Wanted,
    connect: Callable[[], Engine],
    edition: Edition,
    progress: Progress,
) -> Report:
    """Train what is not trained yet, then judge.

    Raises `UsageError` for a rung that the ladder lacks, `ExamError` when a source or an image
    cannot be had, `OurFault` when dataset.py or a container fails.
    """
    unknown = set(wanted.only) - set(section.ladder)
    if unknown:
        rungs = ", ".join(section.ladder)
        raise UsageError(f"The ladder has no {', '.join(sorted(unknown))}: it has {rungs}.")
    files = static.file_problems(section)
    engine = connect()
    image = ensure_images(engine, edition, progress).workspace
    info = engine.image(image)
    if info is None:
        raise OurFault("The workspace image has just vanished: run the command again.")
    seeds = range(1, wanted.seeds + 1)
    tasks = [task for seed in seeds for task in _tasks(section, info, seed, wanted.only)]
    missing = [task for task in tasks if wanted.fresh or not _is_done(task)]
    cores = engine.info().cpus
    with _cleaning_up(engine) as labels:
        if missing:
            busy = len({task.seed for task in missing})
            workers = min(wanted.workers or cores, busy)
            cpus = max(0.5, min(_MOST_CPUS, cores / workers))
            spec = container_spec(image, cpus, labels)
            _train_all(section, missing, connect, spec, workers, progress)
        progress.step("Building the data again")
        twice = () if wanted.only else static.same_bytes_twice(section, engine, image)
    judgements = [*files, *twice] if not wanted.only else []
    measurements = _measurements(section, tasks)
    if not wanted.only:
        judgements += judge(measurements)
    else:
        judgements += [one for one in judge(measurements) if one.problems]
    return Report(
        section=section,
        seeds=tuple(seeds),
        edition=edition.edition,
        image=info.id,
        cores=cores,
        measurements=measurements,
        judgements=tuple(judgements),
    )


def _tasks(section: Section, image: ImageInfo, seed: int, only: Sequence[str]) -> Iterator[Task]:
    """Yield one seed's work: the data, the ladder from below, the typical model without labels."""
    if not only:
        yield task_of(section, image, seed, DATA, None)
    for rung in only or section.ladder:
        if (section.folder / f"{rung}.py").is_file():
            yield task_of(section, image, seed, rung, rung)
    typical = typical_of(section)
    if not only and seed <= MOST_SHUFFLED and (section.folder / f"{typical}.py").is_file():
        yield task_of(section, image, seed, SHUFFLED, typical)


def typical_of(section: Section) -> str:
    """Return the rung that is trained on shuffled labels: `typical`, or the last but one."""
    return "typical" if "typical" in section.ladder else section.ladder[-2]


def _is_done(task: Task) -> bool:
    result = kept(task)
    return result is not None and not isinstance(result, Broken)


def _measurements(section: Section, tasks: Sequence[Task]) -> Measurements:
    ladder: dict[str, list[Measured]] = {rung: [] for rung in section.ladder}
    shuffled: list[Measured] = []
    looks: list[DataLook] = []
    broken: list[Broken] = []
    for task in tasks:
        result = kept(task)
        if isinstance(result, Broken):
            broken.append(result)
        elif isinstance(result, DataLook):
            looks.append(result)
        elif isinstance(result, Measured):
            (shuffled if task.shuffled else ladder[task.name]).append(result)
    return Measurements(section, ladder, shuffled, looks, broken)


# Containers.


def _train_all(
    section: Section,
    missing: Sequence[Task],
    connect: Callable[[], Engine],
    spec: ContainerSpec,
    workers: int,
    progress: Progress,
) -> None:
    """Give each worker one seed after another. Raises what a worker raised first."""
    by_seed: dict[int, list[Task]] = {}
    for task in missing:
        by_seed.setdefault(task.seed, []).append(task)
    waiting: queue.SimpleQueue[list[Task]] = queue.SimpleQueue()
    for tasks in by_seed.values():
        waiting.put(tasks)
    crew = _Crew()
    progress.step(f"Training {section.folder.name}", len(missing))

    def work() -> None:
        engine = connect()  # one connection each: the library shares none between threads
        while not crew.stopped:
            try:
                tasks = waiting.get_nowait()
            except queue.Empty:
                return
            data = seed_data(section, tasks[0].seed, engine, spec.image)
            train(section, data, tasks, engine, spec, crew.started, crew.done)

    threads = [
        threading.Thread(target=crew.guard, args=(work,), daemon=True) for _ in range(workers)
    ]
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.2)
            progress.advance(crew.count)
            if crew.error is not None:
                raise crew.error
    except BaseException:
        crew.stopped = True
        engine = connect()
        for container in crew.containers:
            engine.remove(container)
        raise
    if crew.error is not None:
        raise crew.error


class _Crew:
    """What the workers' threads share."""

    def __init__(self) -> None:
        self.stopped = False
        self.count = 0
        self.containers: list[str] = []
        self.error: BaseException | None = None

    def started(self, box: Box) -> None:
        self.containers.append(box.container)

    def done(self) -> None:
        self.count += 1

    def guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            if not self.stopped:
                self.error = self.error or error


@contextmanager
def _cleaning_up(engine: Engine) -> Iterator[dict[str, str]]:
    """Remove what killed checks left, before and after; yield the labels of this check's own.

    Every check holds a shared lock. Whoever gets it alone knows that no other check of this cache
    runs, so that every training container which bears the cache's label is a leftover.
    """
    place = cache_dir() / "ladder"
    place.mkdir(parents=True, exist_ok=True)
    labels = {"exam.check": hashlib.sha256(str(place).encode()).hexdigest()[:12]}
    lock = os.open(place / "check.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for state in engine.find({"exam.role": ROLE, **labels}):
                engine.remove(state.id)
            _forget_old_data(place / "data")
        except BlockingIOError:
            pass
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield labels
    finally:
        os.close(lock)


def seed_data(section: Section, seed: int, engine: Engine, image: str) -> SectionData:
    """Return the data of a check seed, built once and kept for some days."""
    directory = cache_dir() / "ladder" / "data" / data_key(section, seed)
    directory.mkdir(parents=True, exist_ok=True)
    os.utime(directory)
    return section_data(
        section, seed_bytes(seed), directory, engine, image, architecture_of(engine)
    )


def _forget_old_data(place: Path) -> None:
    """Remove data that no check has used for a week: it can be built again at any time."""
    oldest = time.time() - _DATA_DAYS * 86400
    for directory in place.glob("*"):
        if directory.stat().st_mtime < oldest:
            shutil.rmtree(directory, ignore_errors=True)
