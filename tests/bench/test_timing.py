"""What is timed is what was meant, and nothing is left running."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from bench import timing


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_failure_is_told_with_its_last_words() -> None:
    with pytest.raises(timing.Failed, match=r"ended with 3: .*not today"):
        timing.run(python("import sys; print('not today', file=sys.stderr); sys.exit(3)"))


def test_nobody_waits_for_what_a_command_leaves_behind() -> None:
    code = "import os, time\nif (left := os.fork()) == 0:\n time.sleep(60)\nprint(left)"
    left = int(timing.run(python(code)).out)
    os.kill(left, signal.SIGKILL)  # raises if it has ended, so somebody waited for it


def test_a_command_that_is_left_early_is_ended() -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        timing.started(python("import time; time.sleep(60)")) as child,
    ):
        raise KeyboardInterrupt
    assert child.returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


def test_measures_take_turns() -> None:
    order: list[str] = []

    def measure(name: str) -> float:
        order.append(name)
        return float(len(order))

    found = timing.interleaved(
        2, {"a": lambda: measure("a"), "b": lambda: measure("b")}, lambda _: None
    )
    assert order == ["a", "b", "a", "b"] and found == {"a": [1.0, 3.0], "b": [2.0, 4.0]}
    assert timing.ratios(found["a"], found["b"]) == [0.5, 0.75]
