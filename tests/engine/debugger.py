"""The IDE's side of PyCharm's debugger: a server that pydevd dials, speaking its text protocol.

Each message is a line: the command's number, a sequence number, a text that is quoted as in URLs,
with tabs between them. Numbers and formats: `_pydevd_bundle/pydevd_comm_constants.py` and
`pydevd_process_net_command.py` of pydevd-pycharm.
"""

from __future__ import annotations

import shutil
import socket
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from importlib.metadata import files
from pathlib import Path
from typing import Self
from urllib.parse import unquote, unquote_plus

RUN, SUSPENDED, CONTINUE, BREAK, FRAME, VERSION = 101, 105, 106, 111, 114, 501
_PATIENCE = 60.0


@dataclass(frozen=True)
class Stop:
    """Where a thread stopped: the file as the IDE knows it."""

    thread: str
    frame: str
    file: str
    line: int
    function: str


class Debugger:
    """Waits for one program to dial in, and leads it."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(_PATIENCE)
        self._sequence = -1

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._listening.getsockname()[1]
        return port

    def accept(self) -> None:
        """Wait for the program."""
        self._connection, _ = self._listening.accept()
        self._connection.settimeout(_PATIENCE)
        self._lines = self._connection.makefile("rb")

    def send(self, command: int, *words: object) -> None:
        """Send a command. The IDE's sequence numbers are odd."""
        self._sequence += 2
        text = "\t".join(map(str, words))
        self._connection.sendall(f"{command}\t{self._sequence}\t{text}\n".encode())

    def expect(self, command: int) -> str:
        """Return the text of the next message of this kind; others are read over."""
        while line := self._lines.readline():
            number, _, text = line.decode().rstrip("\n").split("\t", 2)
            if int(number) == command:
                return unquote_plus(text)
        raise AssertionError(f"the program hung up before it sent {command}")

    def stopped(self) -> Stop:
        """Wait until a thread stops; return where."""
        thread = ET.fromstring(self.expect(SUSPENDED)).find("thread")
        assert thread is not None
        frame = thread.find("frame")
        assert frame is not None
        return Stop(
            thread.attrib["id"],
            frame.attrib["id"],
            unquote(frame.attrib["file"]),
            int(frame.attrib["line"]),
            frame.attrib["name"],
        )

    def variables(self, stop: Stop) -> dict[str, tuple[str, str]]:
        """Return a frame's variables: name -> type and value, as text."""
        self.send(FRAME, stop.thread, stop.frame, "FRAME", 0)
        found = ET.fromstring(self.expect(FRAME)).iter("var")
        return {
            one.attrib["name"]: (one.attrib["type"], unquote(one.attrib["value"])) for one in found
        }

    def finish(self) -> None:
        """Wait until the program hangs up, and hang up, too: SSH waits for both."""
        while self._lines.readline():
            pass
        self._lines.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if hasattr(self, "_connection"):
            self._lines.close()
            self._connection.close()
        self._listening.close()


def helpers(to: Path) -> Path:
    """Copy the debugger as the IDE uploads it: its Python files, no compiled ones."""
    for file in files("pydevd-pycharm") or ():
        if file.suffix == ".py" and ".." not in file.parts and "tests" not in file.parts:
            place = to / file
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(file.locate()), place)
    return to
