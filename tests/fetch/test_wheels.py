"""Wheels arrive side by side, by hash, and whatever has arrived is not fetched again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from exam_cli.errors import ExamError
from exam_cli.fetch.lockfile import Pin, sha256_of
from exam_cli.fetch.wheels import fetch_wheels
from exam_cli.progress import SILENT, Silent
from tests.fetch.conftest import Index

# In a process of its own, for it is killed: the directory, then name and hash of each pin.
FETCH = """
import sys
from pathlib import Path
from exam_cli.fetch.lockfile import Pin
from exam_cli.fetch.wheels import fetch_wheels
from exam_cli.progress import SILENT
pins = [Pin(name, "1", frozenset([value])) for name, value in zip(sys.argv[2::2], sys.argv[3::2])]
fetch_wheels(pins, Path(sys.argv[1]), "x86_64", "3.11", SILENT)
"""


def fetch(pins: list[Pin], directory: Path) -> list[Path]:
    return fetch_wheels(pins, directory, "x86_64", "3.11", SILENT)


def fetching(pins: list[Pin], directory: Path) -> subprocess.Popen[bytes]:
    line = [sys.executable, "-c", FETCH, str(directory)]
    for pin in pins:
        line += [pin.name, *pin.hashes]
    return subprocess.Popen(line, start_new_session=True, stderr=subprocess.PIPE)


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def names(directory: Path) -> set[str]:
    return {path.name.split("-")[0] for path in directory.glob("*.whl")}


class Heard(Silent):
    """Keeps what the bar was told."""

    def __init__(self) -> None:
        self.counts: list[int] = []

    def advance(self, done: int) -> None:
        self.counts.append(done)


def test_the_bar_moves_with_each_wheel(index: Index, tmp_path: Path) -> None:
    heard = Heard()
    index.stuck = {"small07"}

    def go_on() -> None:
        until(lambda: bool(heard.counts) and heard.counts[-1] >= 17)
        index.go.set()

    threading.Thread(target=go_on, daemon=True).start()
    fetch_wheels(index.pins(), tmp_path, "x86_64", "3.11", heard)
    assert heard.counts == sorted(heard.counts)
    assert 17 in heard.counts and heard.counts[-1] == 22


def test_all_arrive_once_and_the_large_ones_side_by_side(index: Index, tmp_path: Path) -> None:
    heard, pins = Heard(), index.pins()
    index.stuck = {"tensorflow", "nvidia"}
    process = fetching(pins, tmp_path / "cache")
    until(lambda: index.now >= 2 and len(index.sent) == 20)  # nobody waits for the large ones
    index.go.set()
    assert process.wait(60) == 0
    found = fetch_wheels(pins, tmp_path / "cache", "x86_64", "3.11", heard)
    assert [sha256_of(path) for path in found] == [next(iter(pin.hashes)) for pin in pins]
    assert set(index.asked.values()) == {1}
    assert heard.counts == [len(pins)]
    assert {path.suffix for path in (tmp_path / "cache").iterdir()} <= {".whl", ""}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_what_has_arrived_survives_the_end_of_the_program(
    index: Index, tmp_path: Path, how: signal.Signals
) -> None:
    pins = index.pins()
    index.stuck = {"small07", "tensorflow"}  # in the middle of a batch, and a large one
    process = fetching(pins, tmp_path)
    until(lambda: {"small06", "nvidia", "small19"} <= index.sent and index.now == 2)
    os.killpg(process.pid, how) if how == signal.SIGKILL else process.send_signal(how)
    process.wait(60)
    index.go.set()
    asked = index.asked.copy()
    fetch(pins, tmp_path)
    assert names(tmp_path) == set(index.wheels)
    again = {name for name in index.wheels if index.asked[name] > asked[name] > 0}
    assert again == {"small07", "tensorflow"}
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_a_connection_that_breaks_is_taken_up_again(index: Index, tmp_path: Path) -> None:
    index.broken = {"tensorflow", "small03"}
    fetch(index.pins(), tmp_path)
    assert names(tmp_path) == set(index.wheels)


def test_a_failure_keeps_what_came_before_it(index: Index, tmp_path: Path) -> None:
    pins = index.pins()
    good = pins.pop(9)
    pins.insert(9, Pin(good.name, "1", frozenset(["0" * 64])))
    index.stuck = {"small08"}

    def go_on() -> None:
        until(lambda: "small07" in names(tmp_path))
        index.go.set()

    threading.Thread(target=go_on, daemon=True).start()
    with pytest.raises(ExamError, match="Fetching small00, small01, small02 and others failed"):
        fetch(pins, tmp_path)
    asked = index.asked.copy()
    pins[9] = good
    fetch(pins, tmp_path)
    assert not [name for name in list(index.wheels)[:8] if index.asked[name] > asked[name]]


def test_a_damaged_file_is_fetched_again(index: Index, tmp_path: Path) -> None:
    pins = index.pins()[:3]
    fetch(pins, tmp_path)
    damaged = next(tmp_path.glob("small01-*"))
    damaged.write_bytes(damaged.read_bytes()[:-1])
    found = fetch(pins, tmp_path)
    assert sha256_of(found[1]) in pins[1].hashes
    assert [index.asked[pin.name] for pin in pins] == [1, 2, 1]
