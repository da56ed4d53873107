"""Warm containers: a predictor and a scorer that wait, their imports done, for one request.

The engine alone keeps the pool. A waiting container is found by its labels and claimed by giving it
a name that only one claimant can give (`Engine.rename`); it serves one grade and is destroyed.
Whatever is stale, or has died, is passed over and removed when the pool is filled the next time.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import replace

from exam_cli.engine.port import ContainerSpec, Listed
from exam_cli.grading.box import Box
from exam_cli.grading.environment import CLAIMED, WAITING, Environment, Needs

_BORN = "exam.born"
_MEMORY = "exam.memory"  # label: its cap in bytes, until it is claimed
_DISK = "exam.disk"  # label: its memory disk in bytes
_OLD_SECONDS = 12 * 3600.0
_PROGRAMS = ("predictor", "scorer")


def is_waiting(state: Listed) -> bool:
    """Say whether a container waits in a pool: it was made for one and nobody has claimed it."""
    return WAITING in state.labels and not state.name.startswith(CLAIMED)


def claim(environment: Environment, program: str, needs: Needs) -> Box | None:
    """Return a waiting container that is now the caller's alone, or None when there is none.

    Args:
        environment: whose pool; its image and runtime must be the waiting one's.
        program: predictor or scorer.
        needs: memory is set to this; a smaller memory disk than needed disqualifies.

    Raises `EngineUnreachable`.
    """
    engine = environment.engine
    for state in _waiting(environment, program):
        if not _is_fit(state, environment, needs):
            continue
        if _claimed(environment, state):
            try:
                if state.labels.get(_MEMORY) != str(needs.memory_bytes):
                    engine.limit_memory(state.id, needs.memory_bytes)
            except BaseException:
                environment.discard(state.id)
                raise
            return Box(engine, state.id, running=True, discard=environment.discard)
    return None


def fill(environment: Environment, needs: dict[str, Needs]) -> None:
    """See that one fit container of each program that has `needs` waits; remove what is not fit.

    It returns as soon as they are started: they import while nobody waits for them.
    """
    engine = environment.engine
    for program in needs:
        fit = False
        for state in _waiting(environment, program):
            if not fit and _is_fit(state, environment, needs[program]):
                fit = True
            elif _claimed(environment, state):
                engine.remove(state.id)
        if not fit:
            engine.start(engine.create(_spec(environment, program, needs[program])))


def drain(environment: Environment) -> None:
    """Remove what waits: there will be no more grades."""
    for program in _PROGRAMS:
        for state in _waiting(environment, program):
            if _claimed(environment, state):
                environment.engine.remove(state.id)


def _claimed(environment: Environment, state: Listed) -> bool:
    """Say whether the caller, and nobody else, has got this container."""
    return environment.engine.rename(state.id, f"{CLAIMED}{state.id[:12]}")


def _spec(environment: Environment, program: str, needs: Needs) -> ContainerSpec:
    spec = environment.container(program, needs, "--warm")
    labels = {
        WAITING: _token(environment),  # what a claimant must find unchanged
        _BORN: str(int(time.time())),
        _MEMORY: str(needs.memory_bytes),
        _DISK: str(needs.tmpfs_bytes),
    }
    name = f"exam-warm-{program}-{secrets.token_hex(4)}"
    return replace(spec, name=name, labels={**spec.labels, **labels})


def _waiting(environment: Environment, program: str) -> list[Listed]:
    wanted = {"exam.role": program, WAITING: "", **environment.labels}
    return [state for state in environment.engine.find(wanted) if is_waiting(state)]


def _is_fit(state: Listed, environment: Environment, needs: Needs) -> bool:
    born, memory, disk = (int(state.labels.get(name, 0)) for name in (_BORN, _MEMORY, _DISK))
    return (
        state.running
        and 0 <= time.time() - born < _OLD_SECONDS
        and state.labels[WAITING] == _token(environment)
        and disk >= needs.tmpfs_bytes
        # Other runtimes than the default, gVisor for one, cannot change the caps of what runs.
        and (environment.runtime is None or memory == needs.memory_bytes)
    )


def _token(environment: Environment) -> str:
    """Return what must not have changed since a container was made."""
    return f"{environment.image_id or environment.image} {environment.runtime or 'default'}"
