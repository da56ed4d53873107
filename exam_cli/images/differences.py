"""How two builds of one layer differ: which file, and in what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from exam_cli.images.layers import File


@dataclass(frozen=True)
class Difference:
    """A file that is not the same: its path in the image, and how it differs, in words."""

    path: str
    how: tuple[str, ...]


def differing_files(found: Mapping[str, File], expected: Mapping[str, File]) -> list[Difference]:
    """Return the files in which what was found is not what was expected, by path."""
    told = []
    for name in sorted(found.keys() | expected.keys()):
        here, there = found.get(name), expected.get(name)
        if there is None:
            told.append(Difference(f"/{name}", ("extra",)))
        elif here is None:
            told.append(Difference(f"/{name}", ("missing",)))
        elif here != there:
            told.append(Difference(f"/{name}", tuple(_how(here, there))))
    return told


def _how(found: File, expected: File) -> list[str]:
    if found.kind != expected.kind:
        return [f"a {found.kind} instead of a {expected.kind}"]
    told = []
    if found.content != expected.content:
        links = "link" in found.kind
        told.append(f"to {found.content} instead of {expected.content}" if links else "content")
    if found.mode != expected.mode:
        told.append(f"mode {found.mode:04o} instead of {expected.mode:04o}")
    if found.owner != expected.owner:
        owners = ("{}:{}".format(*file.owner) for file in (found, expected))
        told.append("owner {} instead of {}".format(*owners))
    if found.time != expected.time:
        told.append(f"time {_time(found)} instead of {_time(expected)}")
    return told


def _time(file: File) -> str:
    return f"{datetime.fromtimestamp(file.time, UTC):%Y-%m-%dT%H:%M:%SZ}"


def differing_settings(found: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """Return how two images' configurations differ, in words; Env is told by variable."""
    told = []
    for name in sorted(found.keys() | expected.keys()):
        here, there = found.get(name), expected.get(name)
        if here == there:
            continue
        if name == "Env":
            rows = (dict(row.split("=", 1) for row in one or ()) for one in (here, there))
            inner = differing_settings(*rows)
            told += [f"Env {words}" for words in inner or ["in another order"]]
        else:
            told.append(f"{name} {_said(here)} instead of {_said(there)}")
    return told


def _said(value: Any) -> str:
    return "unset" if value is None else repr(value) if isinstance(value, str) else str(value)
