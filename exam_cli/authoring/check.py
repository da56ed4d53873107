"""`exam author check`: train the ladder over seeds, look at data and files, judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from exam_cli.authoring import static
from exam_cli.authoring.crew import cleaning_up, seed_data, train_all
from exam_cli.authoring.results import (
    DATA,
    SHUFFLED,
    Broken,
    DataLook,
    Measured,
    Task,
    kept,
    layers_that_matter,
    task_of,
)
from exam_cli.authoring.rules import Judgement, Measurements, judge
from exam_cli.authoring.train import container_spec
from exam_cli.config.edition import Edition
from exam_cli.config.section import Section
from exam_cli.engine.port import Engine
from exam_cli.errors import OurFault, UsageError
from exam_cli.images.build import ensure_images
from exam_cli.progress import Progress

MOST_SHUFFLED = 5
_MOST_CPUS = 2.0  # what the rule about the reference's time speaks of


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
    images = ensure_images(engine, edition, progress)
    image = images.workspace
    info, grader = engine.image(image), engine.image(images.grader)
    if info is None or grader is None:
        raise OurFault("The workspace image has just vanished: run the command again.")
    layers = layers_that_matter(info, grader)
    seeds = range(1, wanted.seeds + 1)
    tasks = [task for seed in seeds for task in _tasks(section, layers, seed, wanted.only)]
    missing = [task for task in tasks if wanted.fresh or not _is_done(task)]
    cores = engine.info().cpus
    with cleaning_up(engine) as labels:
        if missing:
            busy = len({task.seed for task in missing})
            workers = min(wanted.workers or cores, busy)
            cpus = max(0.5, min(_MOST_CPUS, cores / workers))
            spec = container_spec(image, cpus, labels)
            train_all(section, missing, connect, spec, workers, progress)
        progress.step("Building the data again")
        built: list[Judgement] = []
        if not wanted.only:
            data = seed_data(section, 1, engine, image)
            built = [static.data_problems(section, data)]
            built += static.same_bytes_twice(section, engine, image)
    judgements = [*files, *built] if not wanted.only else []
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


def _tasks(
    section: Section, layers: Sequence[str], seed: int, only: Sequence[str]
) -> Iterator[Task]:
    """Yield one seed's work: the data, the ladder from below, the typical model without labels."""
    if not only:
        yield task_of(section, layers, seed, DATA, None)
    for rung in only or section.ladder:
        if (section.folder / f"{rung}.py").is_file():
            yield task_of(section, layers, seed, rung, rung)
    typical = typical_of(section)
    if not only and seed <= MOST_SHUFFLED and (section.folder / f"{typical}.py").is_file():
        yield task_of(section, layers, seed, SHUFFLED, typical)


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
