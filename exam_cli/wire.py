"""The frame in which bytes cross a container's wall, and the lengths that guard it.

A frame is a fixed prefix (magic, header length, body length), a JSON header and a raw body. The
reader states beforehand how many bytes it will accept, so a hostile writer can at most be refused.

This one file runs on both sides: the host imports it, and the images carry a copy of it. It
therefore needs nothing but the standard library of Python 3.9.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO, Dict, Iterable, Iterator, Optional

MAGIC = b"EXAM"
PREFIX = struct.Struct(">4sIQ")  # magic, bytes of header, bytes of body
MAX_HEADER = 64 * 1024


class FrameError(Exception):
    """The bytes are no frame, or a longer one than was agreed."""


class FrameTooLong(FrameError):
    """The frame announces more bytes than was agreed."""


@dataclass(frozen=True)
class Frame:
    """One message: a small JSON object and raw bytes."""

    header: Dict[str, Any]
    body: bytes


def frame_start(header: Dict[str, Any], body_bytes: int) -> bytes:
    """Return prefix and header of a frame whose body of `body_bytes` bytes follows."""
    text = json.dumps(header, separators=(",", ":"), sort_keys=True).encode("utf-8")
    if len(text) > MAX_HEADER:
        raise FrameError(f"a header of {len(text)} bytes is over the limit of {MAX_HEADER}")
    return PREFIX.pack(MAGIC, len(text), body_bytes) + text


def frame_bytes(header: Dict[str, Any], body: bytes = b"") -> bytes:
    """Return a whole frame."""
    return frame_start(header, len(body)) + body


def _parse_prefix(prefix: bytes, max_header: int, max_body: int) -> "tuple[int, int]":
    magic, header_bytes, body_bytes = PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise FrameError("the stream does not start with a frame")
    if header_bytes > max_header or body_bytes > max_body:
        raise FrameTooLong(
            f"a frame of {header_bytes} + {body_bytes} bytes is over {max_header} + {max_body}"
        )
    return header_bytes, body_bytes


def _parse_header(text: bytes) -> Dict[str, Any]:
    try:
        header = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise FrameError("the header is not JSON") from error
    if not isinstance(header, dict):
        raise FrameError("the header is not a JSON object")
    return header


class FrameDecoder:
    """Puts one frame together from chunks of any size, refusing more than was agreed.

    Args:
        max_body: bytes of body that are accepted.
        max_header: bytes of header that are accepted.
    """

    def __init__(self, max_body: int, max_header: int = MAX_HEADER) -> None:
        self._max_body = max_body
        self._max_header = max_header
        self._buffer = bytearray()
        self._lengths: Optional[tuple[int, int]] = None
        self.rest = b""

    def feed(self, chunk: bytes) -> Optional[Frame]:
        """Take the next bytes; return the frame once it is complete.

        Bytes after the first frame are in `rest`. Raises `FrameError` as soon as the bytes cannot
        be an agreed frame any more; at most the agreed length plus one chunk is ever held.
        """
        self._buffer += chunk
        if self._lengths is None:
            if len(self._buffer) < PREFIX.size:
                return None
            self._lengths = _parse_prefix(
                bytes(self._buffer[: PREFIX.size]), self._max_header, self._max_body
            )
        header_end = PREFIX.size + self._lengths[0]
        frame_end = header_end + self._lengths[1]
        if len(self._buffer) < frame_end:
            return None
        header = _parse_header(bytes(self._buffer[PREFIX.size : header_end]))
        self.rest = bytes(self._buffer[frame_end:])
        return Frame(header, bytes(self._buffer[header_end:frame_end]))


def read_exactly(stream: BinaryIO, count: int) -> bytes:
    """Read `count` bytes or raise `FrameError`."""
    parts = []
    while count:
        part = stream.read(min(count, 1 << 20))
        if not part:
            raise FrameError("the stream ended within a frame")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def read_frame_start(
    stream: BinaryIO, max_body: int, max_header: int = MAX_HEADER
) -> "tuple[Dict[str, Any], int]":
    """Read prefix and header; return the header and the number of body bytes that follow."""
    prefix = read_exactly(stream, PREFIX.size)
    header_bytes, body_bytes = _parse_prefix(prefix, max_header, max_body)
    return _parse_header(read_exactly(stream, header_bytes)), body_bytes


def read_frame(stream: BinaryIO, max_body: int, max_header: int = MAX_HEADER) -> Frame:
    """Read one whole frame or raise `FrameError`."""
    header, body_bytes = read_frame_start(stream, max_body, max_header)
    return Frame(header, read_exactly(stream, body_bytes))


def chunks(stream: BinaryIO, size: int = 1 << 20) -> Iterator[bytes]:
    """Yield a stream's bytes piece by piece."""
    return iter(lambda: stream.read(size), b"")


def total_bytes(tensors: Iterable[Dict[str, Any]]) -> int:
    """Return the bytes that the described tensors take in a body."""
    return sum(int(tensor["bytes"]) for tensor in tensors)
