"""One container of ours for one answer: start it, talk in frames, destroy it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from exam_cli.engine.port import Channel, ContainerSpec, ContainerState, Engine
from exam_cli.errors import OurFault
from exam_cli.grading.environment import CPUS
from exam_cli.wire import Frame, FrameDecoder

_PRINTED_KEPT = 64 << 10
_PRINTED_LIMIT = 16 << 20
_ENDING_SECONDS = 10.0
_BRISK_SECONDS = 2.0


class PrintedTooMuch(Exception):
    """The program flooded its standard error."""


class Box:
    """A container of one answer, from its first byte to its removal.

    Use it as a context manager: whatever happens inside, the container is discarded afterwards.
    """

    def __init__(
        self,
        engine: Engine,
        container: str,
        *,
        running: bool,
        discard: Callable[[str], None] | None = None,
    ) -> None:
        """Take over a container that nobody else uses, and start it unless it is `running`.

        `discard` sees to the removal of the container; without it, it is removed at once.
        """
        self._engine = engine
        self._discard = discard or engine.remove
        self._printed_bytes = 0
        self._rest = b""  # what came in one piece with the frame before
        self.printed = bytearray()
        self.container = container
        try:
            self._channel: Channel = engine.attach(container)
            if not running:
                engine.start(container)
        except BaseException:
            engine.remove(container)
            raise

    @classmethod
    def fresh(
        cls, engine: Engine, spec: ContainerSpec, discard: Callable[[str], None] | None = None
    ) -> Self:
        """Create and start a container."""
        return cls(engine, engine.create(spec), running=False, discard=discard)

    def send(self, chunks: Iterator[bytes]) -> None:
        """Send bytes in the background."""
        self._channel.send(chunks)

    def receive(self, max_body: int, seconds: float, *, fair: bool = False) -> Frame | None:
        """Return the next frame, or None when the program ended without one.

        Args:
            max_body: bytes of body that are accepted.
            seconds: how long to wait for the whole frame.
            fair: whether a program that is not brisk goes on behind all others and with half of the
                machine, so that a grade beside it hardly feels it, whatever this one is up to.

        Raises `TimeoutError`, `FrameError`, `PrintedTooMuch`.
        """
        started = time.monotonic()
        deadline = started + seconds
        brisk_until = started + _BRISK_SECONDS if fair else deadline
        decoder = FrameDecoder(max_body)
        frame = decoder.feed(self._rest)
        self._rest = b""
        while frame is None:
            now = time.monotonic()
            if now >= deadline:
                raise TimeoutError(f"no answer within {seconds:.0f} s")
            if now >= brisk_until:
                brisk_until = deadline
                self._stand_back()
            try:
                piece = self._channel.receive(max(0.0, min(brisk_until, deadline) - now))
            except TimeoutError:
                continue
            if piece is None:
                return None
            stream, data = piece
            if stream == "stdout":
                frame = decoder.feed(data)
            else:
                self._keep(data)
        self._rest = decoder.rest
        return frame

    def _stand_back(self) -> None:
        """Have the container go on behind all others, with half of the machine's cores at most."""
        with contextlib.suppress(OurFault):  # it has ended, or its runtime knows no such change
            cores = min(CPUS, max(1.0, self._engine.info().cpus / 2))
            self._engine.put_behind(self.container, cores)

    def linger(self, seconds: float) -> None:
        """Take what was printed before the answer and comes after it, for the streams are two."""
        deadline = time.monotonic() + seconds
        with contextlib.suppress(TimeoutError):
            while not self._rest and (left := deadline - time.monotonic()) > 0:
                piece = self._channel.receive(left)
                if piece is None:
                    return
                stream, data = piece
                if stream == "stdout":
                    self._rest = data
                else:
                    self._keep(data)

    def _keep(self, data: bytes) -> None:
        self._printed_bytes += len(data)
        self.printed += data[: max(0, _PRINTED_KEPT - len(self.printed))]
        if self._printed_bytes > _PRINTED_LIMIT:
            raise PrintedTooMuch

    def ended(self) -> ContainerState | None:
        """Return how the container ended, or that it runs still; None when it is gone."""
        with contextlib.suppress(TimeoutError):
            return self._engine.wait(self.container, _ENDING_SECONDS)
        return self._engine.state(self.container)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._channel.__exit__(kind, error, traceback)
        finally:
            self._discard(self.container)
