"""Frames come from strangers: any chunking works, and nothing but an agreed frame comes out."""

from __future__ import annotations

import io
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_cli.wire import (
    MAGIC,
    MAX_HEADER,
    PREFIX,
    Frame,
    FrameDecoder,
    FrameError,
    FrameTooLong,
    chunks,
    frame_bytes,
    frame_start,
    read_exactly,
    read_frame,
    read_frame_start,
    total_bytes,
)

LIMIT = 4096

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)
headers = st.dictionaries(texts, values, max_size=5)
bodies = st.binary(max_size=LIMIT)


def raw(header: bytes, body: bytes = b"") -> bytes:
    """A frame whose header is whatever bytes a hostile writer likes."""
    return PREFIX.pack(MAGIC, len(header), len(body)) + header + body


@st.composite
def chunked(draw: st.DrawFn) -> tuple[Frame, list[bytes]]:
    """A frame, and its bytes cut at random places."""
    frame = Frame(draw(headers), draw(bodies))
    whole = frame_bytes(frame.header, frame.body)
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    ends = [*cuts, len(whole)]
    return frame, [whole[start:end] for start, end in zip([0, *cuts], ends, strict=True)]


@given(chunked())
def test_any_chunking_decodes_to_the_same(case: tuple[Frame, list[bytes]]) -> None:
    frame, pieces = case
    decoder = FrameDecoder(LIMIT)
    answers = [decoder.feed(piece) for piece in pieces]
    complete = [answer for answer in answers if answer is not None]
    assert complete[0] == frame
    # Only empty pieces may follow the one that completed it.
    assert not b"".join(pieces[answers.index(complete[0]) + 1 :])


@given(headers, bodies)
def test_one_byte_at_a_time(header: dict[str, Any], body: bytes) -> None:
    decoder = FrameDecoder(LIMIT)
    whole = frame_bytes(header, body)
    assert all(decoder.feed(whole[i : i + 1]) is None for i in range(len(whole) - 1))
    assert decoder.feed(whole[-1:]) == Frame(header, body)


@given(headers, bodies, st.data())
def test_a_truncated_frame_never_decodes(
    header: dict[str, Any], body: bytes, data: st.DataObject
) -> None:
    whole = frame_bytes(header, body)
    part = whole[: data.draw(st.integers(0, len(whole) - 1))]
    assert FrameDecoder(LIMIT).feed(part) is None
    with pytest.raises(FrameError, match="ended within"):
        read_frame(io.BytesIO(part), LIMIT)


@given(headers, bodies)
def test_the_reading_side_agrees_with_the_decoder(header: dict[str, Any], body: bytes) -> None:
    whole = frame_bytes(header, body)
    assert read_frame(io.BytesIO(whole), LIMIT) == Frame(header, body)
    stream = io.BytesIO(whole)
    assert read_frame_start(stream, LIMIT) == (header, len(body))
    assert b"".join(chunks(stream, 7)) == body


@given(st.binary(min_size=PREFIX.size, max_size=200))
def test_garbage_is_refused(garbage: bytes) -> None:
    if garbage.startswith(MAGIC):
        garbage = b"X" + garbage
    for read in (
        lambda: FrameDecoder(LIMIT).feed(garbage),
        lambda: read_frame(io.BytesIO(garbage), LIMIT),
    ):
        with pytest.raises(FrameError, match="does not start"):
            read()


@pytest.mark.parametrize(
    ("header", "body"),
    [(MAX_HEADER + 1, 0), (0, LIMIT + 1), (2**32 - 1, 2**64 - 1)],
)
def test_too_long_is_refused_as_soon_as_it_is_announced(header: int, body: int) -> None:
    prefix = PREFIX.pack(MAGIC, header, body)
    decoder = FrameDecoder(LIMIT)
    assert decoder.feed(prefix[:-1]) is None
    with pytest.raises(FrameTooLong):
        decoder.feed(prefix[-1:])
    with pytest.raises(FrameTooLong):
        read_frame_start(io.BytesIO(prefix), LIMIT)


def test_exactly_what_was_agreed_is_accepted() -> None:
    body = b"x" * LIMIT
    padding = MAX_HEADER - len(frame_start({"a": ""}, 0)) + PREFIX.size
    header = {"a": "b" * padding}
    assert FrameDecoder(LIMIT).feed(frame_bytes(header, body)) == Frame(header, body)
    with pytest.raises(FrameError, match="over the limit"):
        frame_start({"a": "b" * (padding + 1)}, 0)


def test_bytes_after_the_frame_are_dropped() -> None:
    trailing = frame_bytes({"a": 1}, b"body") + b"\x00" * 100
    assert FrameDecoder(LIMIT).feed(trailing) == Frame({"a": 1}, b"body")


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b'{"a": ',
        b"[1, 2]",
        b'"text"',
        b"3",
        b"null",
        b"[" * 60_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"a": ' + b"9" * 5_000 + b"}",  # more digits than Python turns into a number
    ],
    ids=lambda header: repr(header[:12]),
)
def test_a_header_that_is_no_json_object_is_refused(header: bytes) -> None:
    with pytest.raises(FrameError):
        FrameDecoder(LIMIT).feed(raw(header))
    with pytest.raises(FrameError):
        read_frame(io.BytesIO(raw(header)), LIMIT)


@given(st.binary(max_size=400))
def test_no_header_raises_anything_but_a_frame_error(header: bytes) -> None:
    try:
        frame = FrameDecoder(LIMIT).feed(raw(header))
    except FrameError:
        return
    assert frame is not None and frame.header == json.loads(header)


def test_never_more_is_held_than_was_agreed_and_one_chunk() -> None:
    chunk = bytes(1 << 20)
    body = 4 << 20

    def peak_of(total: int) -> int:
        decoder = FrameDecoder(body)
        tracemalloc.start()
        decoder.feed(frame_start({}, body))
        for _ in range(total // len(chunk)):
            if decoder.feed(chunk) is not None:
                break
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    # The frame completes within the agreed length, and the copy that is handed out is the same
    # size; a writer that goes on for sixteen times as long adds nothing to that.
    assert peak_of(64 << 20) <= 3 * (body + len(chunk))
    assert peak_of(64 << 20) <= peak_of(body) + len(chunk)


def test_read_exactly_stops_at_the_count() -> None:
    stream = io.BytesIO(b"abcdef")
    assert read_exactly(stream, 0) == b""
    assert read_exactly(stream, 4) == b"abcd"
    with pytest.raises(FrameError):
        read_exactly(stream, 3)


def test_total_bytes_adds_up() -> None:
    assert total_bytes([{"bytes": 3}, {"bytes": 4}]) == 7
    assert total_bytes([]) == 0
