"""The examiner's book: one line of JSON for each grading, on the disk before it counts.

A line that was cut off by a crash is no line: the grading is made again. Everything else is never
made twice.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from threading import Lock
from typing import Any


class Book:
    """Gradings by (candidate, section), kept in a file of lines. Threads may share it."""

    def __init__(self, path: Path, context: str) -> None:
        """Open the book at `path`; lines of another `context` (exam, data, image) do not count.

        Raises OSError.
        """
        self._context = context
        self._lock = Lock()
        self._lines: dict[tuple[str, int], dict[str, Any]] = {}
        whole = 0
        if path.exists():
            for line in path.read_bytes().splitlines(keepends=True):
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                self._take(line)
        self._file = path.open("ab")
        self._file.truncate(whole)  # or the next line would be written behind half a one

    def _take(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
            key = str(entry["candidate"]), int(entry["section"])
        except (ValueError, KeyError, TypeError):
            return
        if entry.get("context") == self._context:
            self._lines[key] = entry

    def find(self, candidate: str, section: int, sha256: str | None) -> dict[str, Any] | None:
        """Return the line of a candidate's model of that hash (None: there was no model)."""
        entry = self._lines.get((candidate, section))
        return entry if entry is not None and entry["model_sha256"] == sha256 else None

    def write(
        self, candidate: str, section: int, sha256: str | None, content: dict[str, Any]
    ) -> dict[str, Any]:
        """Write a line and return it once it is on the disk. Raises OSError."""
        entry = {
            "candidate": candidate,
            "section": section,
            "context": self._context,
            "model_sha256": sha256,
            **content,
        }
        line = json.dumps(entry, sort_keys=True).encode() + b"\n"
        with self._lock:
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
            self._lines[candidate, section] = entry
        return entry

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
