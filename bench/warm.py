"""The containers that wait: until when they still import, and what they hold in memory."""

from __future__ import annotations

import time
from dataclasses import dataclass

from bench import machine, timing
from bench.stage import Stage

_LEAST_CPU_SECONDS = 1.0  # a predictor that has computed less has not imported TensorFlow
_CALM_SECONDS = 0.6
_PATIENCE = 120.0


@dataclass(frozen=True)
class Waiting:
    """A container that waits, and its first process on this machine."""

    container: str
    pid: int


def waiting(stage: Stage, session: str) -> dict[str, Waiting]:
    """Return the containers that wait for the session's next grade, by role."""
    found = stage.engine.find({"exam.session": session, "exam.warm": ""})
    return {
        state.labels["exam.role"]: Waiting(state.id, pid_of(stage, state.id))
        for state in found
        if state.running and not state.name.startswith("exam-claimed")
    }


def pid_of(stage: Stage, container: str) -> int:
    """Return the process id that a container's first process has on this machine; 0 if none."""
    line = [stage.docker, "inspect", "--format", "{{.State.Pid}}", container]
    return int(timing.run(line, ok=(0, 1)).out.strip() or 0)


def await_warm(stage: Stage, session: str) -> Waiting:
    """Wait until predictor and scorer wait in silence; return the predictor.

    Raises `timing.Failed` when they never do.
    """
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        found = waiting(stage, session)
        before = {role: machine.cpu_seconds(one.pid) for role, one in found.items()}
        time.sleep(_CALM_SECONDS)
        after = {role: machine.cpu_seconds(one.pid) for role, one in found.items()}
        there = {"predictor", "scorer"} <= found.keys() and None not in after.values()
        if there and before == after and (after["predictor"] or 0) >= _LEAST_CPU_SECONDS:
            return found["predictor"]
    raise timing.Failed(f"No warm grader was ready within {_PATIENCE:.0f} s: see `docker logs`.")
