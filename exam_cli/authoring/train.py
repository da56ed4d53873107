"""Run `images/programs/ladder.py` on one seed's data, in a container, and take what it tells."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from exam_cli.authoring.results import SetName, Task, keep, seed_bytes
from exam_cli.config.section import Section
from exam_cli.config.values import plain
from exam_cli.engine.port import ContainerSpec, Engine, Limits
from exam_cli.errors import OurFault
from exam_cli.grading.box import Box, PrintedTooMuch
from exam_cli.paths import log_dir
from exam_cli.sections.vault import SectionData
from exam_cli.wire import FrameError, chunks, frame_start

ROLE = "ladder"
RUNG_SECONDS = (
    900.0  # far over the five minutes that a reference may take: to measure, not to judge
)
_START_SECONDS = 180.0
_MEMORY = 8 << 30
_TMPFS = 3 << 30
_SHARED = 64 << 20
_BATCH = 1024
_MAX_LOG = 1 << 20
HIDDEN: tuple[SetName, SetName] = ("probe", "final")
_COMMAND = ("/opt/exam/bin/python", "-sE", "/opt/exam/programs/ladder.py")


def container_spec(image: str, cpus: float, labels: dict[str, str]) -> ContainerSpec:
    """Return the container that trains: no network, no mounts, a memory disk to write on."""
    threads = str(max(1, round(cpus)))
    return ContainerSpec(
        image=image,
        command=_COMMAND,
        user="65534:65534",
        # Keras's loaders of directories use semaphores, which live in /dev/shm.
        limits=Limits(_MEMORY, cpus, 512, tmpfs={"/tmp": _TMPFS, "/dev/shm": _SHARED}),
        labels={"exam.role": ROLE, **labels},
        environment={
            "HOME": "/tmp",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "TF_NUM_INTRAOP_THREADS": threads,
            "TF_NUM_INTEROP_THREADS": threads,
        },
        working_dir="/tmp",
        init=True,
        stdin=True,
    )


def train(
    section: Section,
    data: SectionData,
    tasks: Sequence[Task],
    engine: Engine,
    spec: ContainerSpec,
    started: Callable[[Box], None],
    done: Callable[[], None],
) -> None:
    """Do all tasks of one seed; each result is on disk before `done` is called.

    Raises `OurFault` when the container does not do its part; what was done until then is kept.
    """
    with Box.fresh(engine, spec) as box:
        started(box)
        box.send(_request(section, data, tasks))
        allowed = _START_SECONDS
        for task in tasks:
            try:
                frame = box.receive(_MAX_LOG, allowed + 3 * RUNG_SECONDS)
            except (TimeoutError, FrameError, PrintedTooMuch) as error:
                raise OurFault(f"Training {task.name} gave no readable answer: {error}.") from error
            if frame is None or frame.header.get("name") != task.name:
                state = box.ended()
                why = "ran out of memory" if state and state.out_of_memory else "ended early"
                words = box.printed.decode(errors="replace")
                raise OurFault(
                    f"The container that trains section {section.section} {why} at {task.name}."
                ) from RuntimeError(words)
            told: dict[str, Any] = dict(frame.header)
            if told["kind"] == "broken":
                told["log"] = str(_keep_log(section, task, frame.body))
            keep(task, told, spec.limits.cpus)
            done()
            allowed = 0.0


def _keep_log(section: Section, task: Task, printed: bytes) -> Path:
    directory = log_dir()
    directory.mkdir(parents=True, exist_ok=True)
    name = f"check-{section.folder.name}-{task.name.strip('()')}-seed{task.seed}"
    path = directory / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.log"
    path.write_bytes(printed)
    return path


def _request(section: Section, data: SectionData, tasks: Sequence[Task]) -> Iterator[bytes]:
    """Yield the one frame that goes in: what to do, scripts, train files, hidden sets."""
    names = sorted({"dataset", *(task.script for task in tasks if task.script)})
    files: list[tuple[dict[str, Any], Path]] = [
        ({"kind": "script", "name": name}, section.folder / f"{name}.py") for name in names
    ]
    if section.metric.file:
        files.append(({"kind": "script", "name": "metric"}, section.folder / section.metric.file))
    files += [({"kind": "file", "name": name}, path) for name, path in data.train.items()]
    files += [({"kind": "tree", "name": name}, path) for name, path in data.trees.items()]
    for which in HIDDEN:
        chosen = data.sets[which]
        tensors = [("input", tensor) for tensor in chosen.inputs]
        if chosen.labels is not None:
            tensors.append(("labels", chosen.labels))
        for kind, tensor in tensors:
            files.append(({**tensor.description, "kind": kind, "set": which}, tensor.path))
    parts = [{**part, "bytes": path.stat().st_size} for part, path in files]
    header = {
        "contract": plain(section.contract),
        "metric": section.metric.name,
        "batch": _BATCH,
        "seconds": RUNG_SECONDS,
        "seed": seed_bytes(tasks[0].seed).hex(),
        "parts": parts,
        "work": [
            {"name": task.name, "script": task.script, "shuffled": task.shuffled} for task in tasks
        ],
    }
    yield frame_start(header, sum(part["bytes"] for part in parts))
    for _, path in files:
        with path.open("rb") as stream:
            yield from chunks(stream)
