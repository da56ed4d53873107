"""What was measured last, part by part, so that one part can be measured again alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.rows import Part, part_from

RESULTS = Path(__file__).resolve().parent / "results"
_FILE = "latest.json"


@dataclass(frozen=True)
class Measured:
    """A part, and when and where it was measured."""

    part: Part
    date: str
    machine: str


def read() -> dict[str, Measured]:
    """Return all parts that were measured, by name."""
    told: dict[str, Any] = (
        json.loads((RESULTS / _FILE).read_text()) if (RESULTS / _FILE).exists() else {}
    )
    return {
        name: Measured(part_from(one["part"]), one["date"], one["machine"])
        for name, one in told.items()
    }


def keep(measured: Measured) -> None:
    """Put a part in place of what was measured of it before."""
    parts = {**read(), measured.part.name: measured}
    told = {name: {**vars(one), "part": one.part.as_json()} for name, one in parts.items()}
    RESULTS.mkdir(exist_ok=True)
    lines = (f"{json.dumps(name)}: {json.dumps(one)}" for name, one in told.items())
    (RESULTS / _FILE).write_text("{\n" + ",\n".join(lines) + "\n}\n")  # a line a part
