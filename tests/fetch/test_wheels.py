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

from exam_cli.errors import DiskFull, ExamError
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
    """Keeps what the bar was told, and what was said aloud."""

    def __init__(self) -> None:
        self.counts: list[int] = []
        self.said: list[str] = []

    def say(self, sentence: str) -> None:
        self.said.append(sentence)

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
    with pytest.raises(ExamError, match="small09==1 did not arrive with the hash"):
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


def test_another_file_under_the_same_name_is_refused_and_not_kept(
    index: Index, tmp_path: Path
) -> None:
    pins = index.pins()[:3]
    index.wheels["small01"] += b"planted"
    with pytest.raises(ExamError, match="small01==1 did not arrive with the hash") as caught:
        fetch(pins, tmp_path)
    assert str(caught.value).count("small") == 1  # no other is blamed
    assert "small01" not in names(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".whl") == ["lock"]


def test_a_wheel_that_is_gone_is_named(index: Index, tmp_path: Path) -> None:
    index.gone.add("small02")
    with pytest.raises(ExamError, match="The index has no wheel of small02==1"):
        fetch(index.pins()[:3], tmp_path)


def test_a_withdrawn_wheel_is_used_and_told(index: Index, tmp_path: Path) -> None:
    index.yanked |= {"small00": "it broke things", "tensorflow": ""}
    heard = Heard()
    pins = [pin for pin in index.pins() if pin.name in ("small00", "small01", "tensorflow")]
    fetch_wheels(pins, tmp_path, "x86_64", "3.11", heard)
    assert names(tmp_path) == {"small00", "small01", "tensorflow"}
    told = sorted(one for one in heard.said if "withdrawn" in one)
    assert [one.split(".")[0] for one in told] == [
        "The authors of small00 have withdrawn version 1 (it broke things)",
        "The authors of tensorflow have withdrawn version 1",
    ]


def test_no_answer_is_not_a_wheel_that_is_gone(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(ExamError, match="check the network"):
        fetch(index.pins()[:1], tmp_path)


def test_a_full_disk_is_told_and_what_arrived_stays(index: Index, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("a small disk is made by root alone")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=40k", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be made here")
    try:
        with pytest.raises(DiskFull, match="The disk is full while fetching"):
            fetch(index.pins(), disk)
        assert {path.name for path in disk.iterdir() if path.suffix != ".whl"} == {"lock"}
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
