"""What happens on a Docker engine, heard in a thread and kept until it is asked for."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any

import requests
from docker.errors import DockerException

from exam_cli.engine.port import Event

KINDS = ("start", "rename", "die")


class DockerEvents:
    """The engine's stream of events as `Events`."""

    def __init__(self, stream: Any) -> None:
        """Take over a stream of decoded events, which the library can cut off."""
        self._stream = stream
        self._kept: deque[Event] = deque()
        threading.Thread(target=self._hear, name="events", daemon=True).start()

    def _hear(self) -> None:
        # However it ends: who listens would rather know less than come to harm.
        with contextlib.suppress(
            DockerException, requests.exceptions.RequestException, OSError, ValueError
        ):
            for raw in self._stream:
                self._kept.append(_event(raw))

    def take(self) -> list[Event]:
        """Return what has happened since the last call, oldest first."""
        return [self._kept.popleft() for _ in range(len(self._kept))]

    def close(self) -> None:
        """Cut the stream off, which ends the thread."""
        with contextlib.suppress(DockerException, OSError, AttributeError):
            self._stream.close()  # over SSH it cannot be cut off, and ends with the process


def _event(raw: Mapping[str, Any]) -> Event:
    # The engine tells a container's labels, its name and its image in one list.
    told = raw["Actor"]["Attributes"]
    return Event(raw["Action"], raw["Actor"]["ID"], told.get("name", "").lstrip("/"), told)
