"""Run commands by the clock, in turn, so that a machine that slows down slows all sides."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_ENDING_SECONDS = 30.0


@dataclass(frozen=True)
class Done:
    """What a command took, from its start to its exit, and what it printed on both streams.

    `cpu_seconds` are its own and those of children that it waited for; what an engine does for it
    is not among them.
    """

    seconds: float
    cpu_seconds: float
    out: str
    err: str


class Failed(Exception):
    """A command that is measured did not do its work; the message has its last words."""


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    ok: Sequence[int] = (0,),
) -> Done:
    """Run a command to its end. Raises `Failed` when its exit status is not among `ok`."""
    # Files, not pipes: whoever the command leaves running behind it must not be waited for.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        with started(command, cwd=cwd, env=env, stdout=out.fileno(), stderr=err.fileno()) as child:
            _, status, usage = os.wait4(child.pid, 0)
            seconds = time.perf_counter() - began
            child.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode(errors="replace"))
    if child.returncode not in ok:
        words = (texts[1].strip() or texts[0].strip())[-2000:]
        raise Failed(f"{' '.join(map(str, command))} ended with {child.returncode}: {words}")
    return Done(seconds, usage.ru_utime + usage.ru_stime, *texts)


@contextlib.contextmanager
def started(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdout: int = subprocess.DEVNULL,
    stderr: int = subprocess.DEVNULL,
) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a running command; when left early, it is asked to end and given time to clean up."""
    process = subprocess.Popen(
        list(command),
        cwd=cwd,
        env=None if env is None else {**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
    )
    try:
        yield process
    finally:
        if process.returncode is None and process.poll() is None:
            process.terminate()
            try:
                process.wait(_ENDING_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def interleaved(
    rounds: int, measures: Mapping[str, Callable[[], float]], said: Callable[[str], None]
) -> dict[str, list[float]]:
    """Take every measure once a round; return what each gave, in the order of the rounds."""
    found: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(1, rounds + 1):
        for name, measure in measures.items():
            said(f"round {number} of {rounds}: {name}")
            found[name].append(measure())
    return found


def now() -> float:
    """Return the seconds of a clock that only goes forward."""
    return time.perf_counter()


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Return ours over theirs, round by round."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]
