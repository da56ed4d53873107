"""One container of ours for one answer: start it, talk in frames, destroy it."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from exam_cli.engine.port import Channel, ContainerSpec, ContainerState, Engine
from exam_cli.grading.courtesy import BRISK_SECONDS, LOOK_SECONDS, Courtesy, courtesy
from exam_cli.wire import Frame, FrameDecoder

_PRINTED_KEPT = 64 << 10
_PRINTED_LIMIT = 16 << 20
_ENDING_SECONDS = 10.0


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
            fair: whether a program that is not brisk keeps out of the way of the grades beside it,
                whatever it is up to (see `courtesy.py`); seconds that it has to stand still for
                them do not count.

        Raises `TimeoutError`, `FrameError`, `PrintedTooMuch`.
        """
        decoder = FrameDecoder(max_body)
        frame = decoder.feed(self._rest)
        self._rest = b""
        with contextlib.ExitStack() as until_then:
            started = time.monotonic()
            brisk_until = started + BRISK_SECONDS if fair else math.inf
            manners: Courtesy | None = None
            while frame is None:
                now = time.monotonic()
                if now >= brisk_until:
                    brisk_until = math.inf
                    manners = until_then.enter_context(courtesy(self._engine, self.container))
                held = 0.0 if manners is None else manners.attend()
                left = started + seconds + held - now
                if left <= 0:
                    raise TimeoutError(f"no answer within {seconds:.0f} s")
                left = min(left, brisk_until - now, math.inf if manners is None else LOOK_SECONDS)
                try:
                    piece = self._channel.receive(left)
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
