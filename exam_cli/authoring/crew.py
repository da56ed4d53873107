"""A check's containers: several seeds at a time, nothing left behind, data built once."""

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
from pathlib import Path

from exam_cli.authoring.results import Task, data_key, seed_bytes
from exam_cli.authoring.train import ROLE, train
from exam_cli.config.section import Section
from exam_cli.engine.port import ContainerSpec, Engine
from exam_cli.errors import ExamError, OurFault
from exam_cli.grading.box import Box
from exam_cli.images.build import architecture_of
from exam_cli.paths import cache_dir
from exam_cli.progress import Progress
from exam_cli.sections.vault import SectionData, section_data

_DATA_DAYS = 7


def train_all(
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
def cleaning_up(engine: Engine) -> Iterator[dict[str, str]]:
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
    """Return the data of a check seed, built once and kept for some days.

    Raises `ExamError` when dataset.py fails: here that is the author's to mend, and not our fault.
    """
    directory = cache_dir() / "ladder" / "data" / data_key(section, seed)
    directory.mkdir(parents=True, exist_ok=True)
    os.utime(directory)
    architecture = architecture_of(engine)
    try:
        return section_data(section, seed_bytes(seed), directory, engine, image, architecture)
    except OurFault as fault:
        if type(fault) is not OurFault:  # the engine or the disk
            raise
        raise ExamError(
            f"{fault} (to be mended in {section.folder / 'dataset.py'})"
        ) from fault.__cause__


def _forget_old_data(place: Path) -> None:
    """Remove data that no check has used for a week: it can be built again at any time."""
    oldest = time.time() - _DATA_DAYS * 86400
    for directory in place.glob("*"):
        if directory.stat().st_mtime < oldest:
            shutil.rmtree(directory, ignore_errors=True)
