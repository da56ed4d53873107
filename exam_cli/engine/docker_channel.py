"""A container's streams over the Docker API's attach socket.

The engine multiplexes stdout and stderr: every piece is preceded by eight bytes, the first of which
names the stream and the last four of which give the length (Docker Engine API, "Stream format").
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from exam_cli.engine.port import Stream

_HEADER = struct.Struct(">BxxxI")
_STREAMS: dict[int, Stream] = {1: "stdout", 2: "stderr"}


class DockerChannel:
    """The engine's attach socket as a `Channel`."""

    def __init__(self, raw: Any, response: Any) -> None:
        # On a Unix socket the library hands out a SocketIO that hides the socket itself.
        self._socket: socket.socket = getattr(raw, "_sock", raw)
        self._socket.setblocking(True)
        self._response = response
        self._buffer = bytearray()
        self._sender: threading.Thread | None = None

    def send(self, chunks: Iterator[bytes]) -> None:
        """Send all chunks in the background; a container that has ended just stops it."""
        previous = self._sender

        def run() -> None:
            if previous is not None:  # here and not outside: the caller must never wait
                previous.join()
            with contextlib.suppress(OSError):
                for chunk in chunks:
                    self._socket.sendall(chunk)

        self._sender = threading.Thread(target=run, name="send", daemon=True)
        self._sender.start()

    def receive(self, timeout: float) -> tuple[Stream, bytes] | None:
        """Return the next bytes and their stream, or None at the end of both."""
        deadline = time.monotonic() + timeout
        while True:
            if len(self._buffer) >= _HEADER.size:
                kind, length = _HEADER.unpack_from(self._buffer)
                if length == 0:
                    del self._buffer[: _HEADER.size]
                    continue
                available = min(length, len(self._buffer) - _HEADER.size)
                if available:
                    return _STREAMS.get(kind, "stderr"), self._take(kind, length, available)
            if not self._readable(deadline - time.monotonic()):
                raise TimeoutError(f"nothing came within {timeout:.1f} s")
            try:
                data = self._socket.recv(1 << 18)
            except OSError:
                return None
            if not data:
                return None
            self._buffer += data

    def _take(self, kind: int, length: int, available: int) -> bytes:
        """Remove `available` bytes of a piece of `length`; leave a header for the rest."""
        piece = bytes(self._buffer[_HEADER.size : _HEADER.size + available])
        del self._buffer[: _HEADER.size + available]
        if available < length:
            self._buffer[:0] = _HEADER.pack(kind, length - available)
        return piece

    def _readable(self, seconds: float) -> bool:
        if seconds <= 0:
            return False
        poller = select.poll()  # select() refuses descriptors over 1023
        poller.register(self._socket, select.POLLIN)
        return bool(poller.poll(seconds * 1000))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes a sender that is stuck
        with contextlib.suppress(OSError):
            self._socket.close()
        with contextlib.suppress(OSError):
            self._response.close()
        if self._sender is not None:
            self._sender.join(timeout=5)
