"""The picture of a check, drawn with the workspace image's matplotlib in a container."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from exam_cli.authoring.check import Report, typical_of
from exam_cli.authoring.results import Measured
from exam_cli.authoring.train import ROLE
from exam_cli.engine.port import ContainerSpec, Engine, Limits
from exam_cli.errors import OurFault

_SECONDS = 120.0
_MOST_BYTES = 1 << 20
# Read as many bytes as announced: the engine does not tell a container that its input has ended.
_RUN = "import io, sys\nsys.stdin = io.StringIO(sys.stdin.buffer.read({size}).decode())\n{code}"


def draw(report: Report, engine: Engine) -> bytes:
    """Return the picture as SVG. Raises `OurFault` when it cannot be drawn."""
    told = json.dumps(_points(report)).encode()
    code = Path(__file__).with_name("draw.py").read_text(encoding="utf-8")
    spec = ContainerSpec(
        image=report.image,
        command=("/opt/exam/bin/python", "-sE", "-c", _RUN.format(size=len(told), code=code)),
        user="65534:65534",
        limits=Limits(1 << 30, 1.0, 64, tmpfs={"/tmp": 64 << 20}),
        labels={"exam.role": ROLE},
        environment={"HOME": "/tmp", "OPENBLAS_NUM_THREADS": "1"},
        stdin=True,
    )
    out, words = bytearray(), bytearray()
    container = engine.create(spec)
    try:
        with engine.attach(container) as channel:
            engine.start(container)
            channel.send(iter([told]))
            while (piece := channel.receive(_SECONDS)) is not None and len(out) < _MOST_BYTES:
                (out if piece[0] == "stdout" else words).extend(piece[1])
    except TimeoutError as error:
        raise OurFault(f"Drawing took over {_SECONDS:.0f} s: try again.") from error
    finally:
        engine.remove(container)
    if not out.rstrip().endswith(b"</svg>"):
        raise OurFault("The picture could not be drawn: see the log.") from RuntimeError(
            words.decode(errors="replace")
        )
    return bytes(out)


def _points(report: Report) -> dict[str, Any]:
    section, found = report.section, report.measurements
    unit = f" ({section.metric.unit})" if section.metric.unit else ""
    rungs: list[tuple[str, Sequence[Measured]]] = list(found.ladder.items())
    rungs.append((f"{typical_of(section)},\nshuffled", found.shuffled))
    return {
        "title": f"Section {section.section}, form {section.form}: {section.title}",
        "metric": f"{section.metric.name}{unit}, {section.metric.better} is better",
        "better": section.metric.better,
        "bands": list(section.bands),
        "rungs": [
            {
                "name": name,
                "points": [
                    (which, interval.value, interval.low, interval.high)
                    for one in ones
                    for which, interval in one.sets.items()
                ],
            }
            for name, ones in rungs
            if ones
        ],
    }
