"""A model that is not brisk keeps out of the way of the others.

Caches and the memory's bandwidth have no cap of their own, so a slow model slows whatever runs
beside it, whichever its cap on processor time. Hence two measures. It goes on behind all other
containers, with half of the machine. And while another grade is in its own first seconds, it all
but stands still, for which its time limit waits: nobody is told `timeout` because of a neighbour.

Who grades the slow model sees to this, not who would be slowed: should it be killed, its container
is left over and removed, and none of the others' was ever touched.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from exam_cli.engine.port import Engine, Event
from exam_cli.errors import OurFault
from exam_cli.grading.announce import seconds_since
from exam_cli.grading.environment import CLAIMED, CPUS, WAITING

BRISK_SECONDS = 2.0
LOOK_SECONDS = 0.02  # between two looks at who has come: short beside a grade
_STILL_CPUS = 0.02
_SCORING_SECONDS = 0.15  # what a grade still needs when its predictor has answered
_ANNOUNCED = "announced"  # in place of a container that was not claimed yet
_MOST_HELD = 0.5  # of the time, or a busy neighbourhood would never let it end


class Courtesy:
    """How one container treats the grades beside it, from the time that it was not brisk."""

    def __init__(self, engine: Engine, container: str) -> None:
        """Have a running container stand behind all others. Raises `OurFault` when it has ended.

        That is also what a runtime raises that cannot change the caps of what runs.
        """
        self._engine = engine
        self._container = container
        self._cores = min(CPUS, max(1.0, engine.info().cpus / 2))
        self._guests: dict[str, float] = {}  # container -> when it is no longer waited for
        self._began = self._looked = time.monotonic()
        self._held_since: float | None = None
        self._held = 0.0
        engine.put_behind(container, self._cores)
        self._events = engine.listen({"exam.role": "predictor"})

    def attend(self) -> float:
        """Stand still while a grade beside this one is brisk; return the seconds so far."""
        now = time.monotonic()
        if (ago := seconds_since()) < min(BRISK_SECONDS, now - self._looked):
            self._guests[_ANNOUNCED] = now - ago + BRISK_SECONDS
        self._looked = now
        for event in self._events.take():
            self._note(event, now)
        self._guests = {one: until for one, until in self._guests.items() if until > now}
        held = self._seconds(now)
        self._hold(bool(self._guests) and held <= _MOST_HELD * (now - self._began), now)
        return held

    def close(self) -> None:
        """Listen no more, and let the container run: it cannot even end while it stands still."""
        self._events.close()
        self._hold(False, time.monotonic())

    def _note(self, event: Event, now: float) -> None:
        if event.container == self._container:
            return
        if event.kind == "die":
            self._guests.pop(_ANNOUNCED, None)
            if event.container in self._guests:
                self._guests[event.container] = now + _SCORING_SECONDS
        elif event.name.startswith(CLAIMED) or WAITING not in event.labels:
            self._guests[event.container] = now + BRISK_SECONDS

    def _seconds(self, now: float) -> float:
        return self._held + (0.0 if self._held_since is None else now - self._held_since)

    def _hold(self, hold: bool, now: float) -> None:
        if hold == (self._held_since is not None):
            return
        # When the engine could not do it, the container has ended, or the next look tries again.
        with contextlib.suppress(OurFault):
            self._engine.put_behind(self._container, _STILL_CPUS if hold else self._cores)
            self._held, self._held_since = self._seconds(now), now if hold else None


@contextlib.contextmanager
def courtesy(engine: Engine, container: str) -> Iterator[Courtesy | None]:
    """Yield the courtesy of a container; None where its runtime, or its end, permits none."""
    found = None
    with contextlib.suppress(OurFault):
        found = Courtesy(engine, container)
    try:
        yield found
    finally:
        if found is not None:
            found.close()
