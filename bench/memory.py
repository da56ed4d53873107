"""How much memory a class takes: the command's own and that of its containers, at their most."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import machine, timing
from bench.stage import Stage
from bench.timing import Failed
from bench.warm import pid_of

_COHORT = "cohort-"


@dataclass(frozen=True)
class Peak:
    """The most that was seen, in bytes: resident on the host, anonymous in all its containers."""

    host: int
    containers: int
    seconds: float


def peak_of(stage: Stage, command: Sequence[str | Path], every_seconds: float = 0.1) -> Peak:
    """Run a command that grades a class and watch it; to look costs a little itself."""
    before = set(_containers(stage))
    pids: dict[str, int] = {}
    host = containers = 0
    began = time.perf_counter()
    with timing.started(command, stderr=subprocess.PIPE) as child:
        while child.poll() is None:
            host = max(host, machine.peak_bytes(child.pid))
            now = 0
            for container in set(_containers(stage)) - before:
                if not pids.get(container):
                    pids[container] = pid_of(stage, container)
                with contextlib.suppress(OSError):  # it has just begun, or ended
                    now += machine.anonymous_bytes(container, pids[container])
            containers = max(containers, now)
            time.sleep(every_seconds)
        seconds = time.perf_counter() - began
        assert child.stderr is not None
        words = child.stderr.read().decode(errors="replace")
    if child.returncode:
        raise Failed(f"`exam cohort grade` ended with {child.returncode}: {words[-2000:]}")
    if not containers:
        raise Failed("No container of the class was seen: has the label of cohorts changed?")
    return Peak(host, containers, seconds)


def _containers(stage: Stage) -> list[str]:
    """Return the running containers of any cohort that is graded in our image."""
    image = stage.engine.image(stage.images.grader)
    return [
        one.id
        for one in stage.engine.find({"exam.session": ""})
        if one.running
        and one.labels["exam.session"].startswith(_COHORT)
        and image is not None
        and one.image_id == image.id
    ]
