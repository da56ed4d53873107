"""Rule 4: what was announced is in the ledger, once, whenever the program is killed.

The writers are real processes that print the number of an attempt after it is durable; they are
killed with SIGKILL while they write. What they printed is what a candidate has seen.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from exam_cli.session.ledger import Ledger
from tests.session.kill import killed_at_line

WRITER = """
import os, sys, time
from pathlib import Path
from exam_cli.session.ledger import Ledger
name = sys.argv[2]
with Ledger(Path(sys.argv[1])) as ledger:
    while True:
        event = ledger.append_attempt(4, {"verdict": "scored", "by": name, "padding": "x" * 3000})
        os.write(1, f"{event.payload['attempt']}\\n".encode())
        time.sleep(float(sys.argv[3]))
"""


class Writer:
    def __init__(self, path: Path, name: str, pause: float = 0.0) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), name, str(pause)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            bufsize=0,  # or wait_for_first would swallow more than the first
        )

    def wait_for_first(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode()

    def kill(self) -> list[int]:
        """Kill it and return what it had printed; a number cut off by the kill was not seen."""
        self._process.send_signal(signal.SIGKILL)
        printed, complaints = self._process.communicate()
        assert complaints == b""
        assert self._process.returncode == -signal.SIGKILL
        return [int(line) for line in printed.decode().splitlines(keepends=True) if "\n" in line]


def check(path: Path, announced: dict[str, list[int]]) -> int:
    """All that was announced is there, by its writer, without gaps or doubles."""
    with Ledger(path) as ledger:
        attempts = ledger.attempts(4)
        assert ledger.problems() == []
        assert [event.payload["attempt"] for event in attempts] == list(range(1, len(attempts) + 1))
        assert len(ledger.events()) == len(attempts)
    for name, numbers in announced.items():
        stored = [event.payload["attempt"] for event in attempts if event.payload["by"] == name]
        # At most one more than was printed: killed between the two, it counts and was not seen.
        assert stored[: len(numbers)] == numbers
        assert len(stored) <= len(numbers) + 1
    return len(attempts)


def test_one_writer_killed_while_it_writes(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    announced: dict[str, list[int]] = {}
    for step in range(40):
        writer = Writer(path, f"writer {step}")
        first = int(writer.wait_for_first())
        time.sleep(step * 0.0011)
        announced[writer.name] = [first, *writer.kill()]
    assert check(path, announced) >= 40


def test_writers_killed_from_their_very_start(tmp_path: Path) -> None:
    """Moments before, during and after the ledger is made."""
    chance = random.Random(4)
    for step in range(12):
        path = tmp_path / f"ledger {step}"
        writers = [Writer(path, f"writer {n}") for n in range(2)]
        time.sleep(chance.uniform(0.02, 0.3))
        check(path, {writer.name: writer.kill() for writer in writers})


def test_several_writers_killed_one_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    chance = random.Random(2)
    announced: dict[str, list[int]] = {}
    for step in range(6):
        # The pause lets others in: SQLite gives the lock to whoever asks first, not by turns.
        writers = [Writer(path, f"writer {step}.{n}", pause=0.002) for n in range(3)]
        firsts = {writer.name: [int(writer.wait_for_first())] for writer in writers}
        for writer in chance.sample(writers, len(writers)):
            time.sleep(chance.uniform(0, 0.02))
            announced[writer.name] = firsts[writer.name] + writer.kill()
    assert check(path, announced) >= 18


def test_killed_at_every_line_of_making_and_writing(tmp_path: Path) -> None:
    """Not by chance: at the first line, the second, and so on until it gets through."""
    for line in range(1000):
        path = tmp_path / f"{line}" / "ledger"
        path.parent.mkdir()

        def program(path: Path = path) -> None:
            with Ledger(path) as ledger:
                for _ in range(2):
                    event = ledger.append_attempt(4, {"by": "it"})
                    with Path(f"{path}.printed").open("a") as printed:
                        printed.write(f"{event.payload['attempt']}\n")

        killed = killed_at_line(line, program)
        printed = Path(f"{path}.printed")
        numbers = [int(n) for n in printed.read_text().split()] if printed.exists() else []
        stored = check(path, {"it": numbers})
        assert path.stat().st_mode & 0o777 == 0o600
        if not killed:
            assert numbers == [1, 2]
            assert stored == 2
            assert line > 50
            return
    pytest.fail("it never got through")


def test_a_writer_that_is_stopped_holds_others_up_only_until_it_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    writer = Writer(path, "stopped")
    first = int(writer.wait_for_first())
    os.kill(writer._process.pid, signal.SIGSTOP)
    other = Writer(path, "other")
    time.sleep(0.3)
    announced = {"stopped": [first, *writer.kill()]}
    first = int(other.wait_for_first())
    announced["other"] = [first, *other.kill()]
    check(path, announced)
