"""Have predictions looked at beside labels, in a container that has neither network nor model.

What comes back is our own program's, and is bounded and checked all the same: numbers that are
finite, texts of a length, pictures that are what they say and no larger than a page can bear.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from exam_cli.config.section import Section
from exam_cli.engine.port import Channel, ContainerSpec, Engine, Limits
from exam_cli.errors import OurFault
from exam_cli.progress import SILENT, Progress
from exam_cli.sections.vault import DataSet
from exam_cli.wire import Frame, FrameDecoder, FrameError, chunks, frame_start

_SECONDS = 120.0
_MOST_PICTURES = 4
_MOST_EXAMPLES = 12
_SVG_BYTES = 200 << 10
_PNG_BYTES = 64 << 10
_BODY_BYTES = _MOST_PICTURES * _SVG_BYTES + _MOST_EXAMPLES * _PNG_BYTES
_LONGEST = 600  # characters of a caption, a name or a hidden text
_PNG = b"\x89PNG\r\n\x1a\n"
_KINDS = ("numbers", "classes", "series")

Kind = Literal["numbers", "classes", "series"]


@dataclass(frozen=True)
class Wanted:
    """What is to be looked at.

    Args:
        section: the task.
        predictions: float32, little-endian, in the order of the set's rows.
        data: the set that they are for.
        classes: what its classes are called; empty where nobody knows.
        draw: whether pictures are wanted; without them it is the interval alone.
        reveal: whether hidden rows may be shown. Only then are inputs handed over at all.
    """

    section: Section
    predictions: bytes
    data: DataSet
    classes: tuple[str, ...] = ()
    draw: bool = True
    reveal: bool = False


@dataclass(frozen=True)
class Picture:
    """A drawing (SVG), and what it shows in words."""

    svg: bytes
    caption: str
    alt: str
    wide: bool


@dataclass(frozen=True)
class Confusion:
    """How often a class was taken for another, of how many rows of it."""

    truth: str
    answer: str
    count: int
    of: int


@dataclass(frozen=True)
class Example:
    """A hidden row that was surely mistaken: a text or a picture (PNG)."""

    truth: str
    answer: str
    sure: str | None
    text: str | None
    png: bytes | None


@dataclass(frozen=True)
class Study:
    """What was found: the metric's 95 % interval if there is one, pictures, mistakes."""

    kind: Kind
    rows: int
    interval: tuple[float, float] | None
    pictures: tuple[Picture, ...] = ()
    confusions: tuple[Confusion, ...] = ()
    examples: tuple[Example, ...] = ()


def study(
    wanted: Sequence[Wanted],
    engine: Engine,
    image: str,
    labels: Mapping[str, str],
    progress: Progress = SILENT,
) -> list[Study]:
    """Return what was found, one for each that is wanted, in one container.

    Args:
        wanted: what to look at, each a section's.
        engine: runs the container.
        image: the workspace image, which has matplotlib.
        labels: of the container, so that it can be found again.
        progress: is told after each.

    Raises `OurFault`.
    """
    if not wanted:
        return []
    code = Path(__file__).with_name("studying.py").read_text(encoding="utf-8")
    spec = ContainerSpec(
        image=image,
        command=("/opt/exam/bin/python", "-sE", "-c", code),
        user="65534:65534",
        limits=Limits(2 << 30, 2.0, 64, tmpfs={"/tmp": 64 << 20}),
        labels={"exam.role": "study", **labels},
        environment={"HOME": "/tmp", "MPLCONFIGDIR": "/tmp", "OPENBLAS_NUM_THREADS": "1"},
        stdin=True,
    )
    container = engine.create(spec)
    words = bytearray()
    try:
        with engine.attach(container) as channel:
            engine.start(container)
            channel.send(_requests(wanted))
            found = []
            for frame in _answers(channel, len(wanted), words):
                found.append(_checked(frame))
                progress.advance(len(found))
        return found
    except (FrameError, TimeoutError, ValueError, KeyError, TypeError) as error:
        said = RuntimeError(f"{error!r}\n{words.decode(errors='replace')[-4000:]}")
        raise OurFault("The pictures of the report could not be made: try again.") from said
    finally:
        engine.remove(container)


def _requests(wanted: Sequence[Wanted]) -> Iterator[bytes]:
    """Yield a frame for each: predictions, labels, inputs where they may be shown, own metric."""
    for number, one in enumerate(wanted):
        section, data = one.section, one.data
        assert data.labels is not None, "only sets with labels are graded on"
        inputs = _shown_inputs(one)
        script = b""
        if section.metric.file is not None:
            script = (section.folder / section.metric.file).read_bytes()
        described = {
            "name": "predictions",
            "dtype": "float32",
            "shape": [data.rows, *section.contract.output.shape],
            "bytes": len(one.predictions),
        }
        tensors = [described, {**data.labels.description, "name": "labels"}]
        tensors += [{**tensor.description, "name": f"input {n}"} for n, tensor in enumerate(inputs)]
        header = {
            "left": len(wanted) - number - 1,
            "metric": section.metric.name,
            "unit": section.metric.unit or "",
            "draw": one.draw,
            "reveal": one.draw and one.reveal,
            "classes": list(one.classes),
            "tensors": tensors,
            "script": len(script),
        }
        yield frame_start(header, sum(int(one["bytes"]) for one in tensors) + len(script))
        yield one.predictions
        for tensor in (data.labels, *inputs):
            with tensor.path.open("rb") as stream:
                yield from chunks(stream)
        yield script


def _shown_inputs(one: Wanted) -> list[Any]:
    """Return the inputs that people can look at, texts and pictures; none that may not be shown."""
    if not (one.draw and one.reveal):
        return []
    texts = [tensor for tensor in one.data.inputs if tensor.description["dtype"] == "string"]
    return texts or [one for one in one.data.inputs if len(one.description["shape"]) in (3, 4)]


def _answers(channel: Channel, count: int, words: bytearray) -> Iterator[Frame]:
    """Yield as many frames as were asked for. Raises FrameError, TimeoutError."""
    decoder = FrameDecoder(_BODY_BYTES)
    while (piece := channel.receive(_SECONDS)) is not None:
        stream, content = piece
        if stream == "stderr":
            words.extend(content[: max(0, (1 << 20) - len(words))])
            continue
        while (frame := decoder.feed(content)) is not None:
            yield frame
            count -= 1
            if count == 0:
                return
            decoder, content = FrameDecoder(_BODY_BYTES), decoder.rest
    raise FrameError("the program ended before it had answered")


# What came back. Whatever is not as agreed raises ValueError, KeyError or TypeError.


def _checked(frame: Frame) -> Study:
    header = frame.header
    sizes = _list(header["bytes"], _MOST_PICTURES + _MOST_EXAMPLES)
    bodies, start = [], 0
    for size in sizes:
        bodies.append(frame.body[start : start + _count(size)])
        start += size
    if start != len(frame.body):
        raise ValueError("the pictures are not as long as announced")
    drawn = _list(header["pictures"], _MOST_PICTURES)
    shown = _list(header["examples"], _MOST_EXAMPLES)
    images: list[bytes | None] = [*bodies[len(drawn) :]]
    if images and len(images) != len(shown):
        raise ValueError("there are not as many examples as pictures of them")
    kind = header["kind"]
    if kind not in _KINDS:
        raise ValueError("that is no kind of section")
    return Study(
        kind=kind,
        rows=_count(header["rows"]),
        interval=_interval(header["interval"]),
        pictures=tuple(
            Picture(_svg(body), _text(one["caption"]), _text(one["alt"]), one["wide"] is True)
            for one, body in zip(drawn, bodies, strict=False)
        ),
        confusions=tuple(
            Confusion(_text(one["truth"]), _text(one["answer"]), _count(one["count"]), one["of"])
            for one in _list(header["confusions"], 3)
            if _count(one["of"])
        ),
        examples=tuple(
            Example(
                _text(one["truth"]),
                _text(one["answer"]),
                _optional(one.get("sure")),
                _optional(one.get("text")),
                None if image is None else _png(image),
            )
            for one, image in zip(shown, images or [None] * len(shown), strict=True)
        ),
    )


def _list(value: object, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise ValueError("that is no list, or a longer one than was agreed")
    return value


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 40:
        raise ValueError("that is no number of things")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise ValueError("that is no text, or a longer one than was agreed")
    return value


def _optional(value: object) -> str | None:
    return None if value is None else _text(value)


def _interval(value: object) -> tuple[float, float] | None:
    if value is None:
        return None
    low, high = (float(end) for end in _list(value, 2))
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ValueError("that is no interval")
    return low, high


def _svg(body: bytes) -> bytes:
    """Return a drawing. It is shown as an image, in which no script runs and nothing is fetched."""
    text = body.decode("utf-8")
    if len(body) > _SVG_BYTES or "<svg" not in text or not text.rstrip().endswith("</svg>"):
        raise ValueError("that is no drawing, or a larger one than was agreed")
    if "<script" in text or "<foreignObject" in text:
        raise ValueError("that is more than a drawing")
    return body


def _png(body: bytes) -> bytes:
    if len(body) > _PNG_BYTES or not body.startswith(_PNG):
        raise ValueError("that is no picture, or a larger one than was agreed")
    return body
