"""What people see: progress on standard error, tables on standard output."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from exam_cli.cli.table import Table, terminal_width
from exam_cli.progress import SILENT, Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from exam_cli.config.exam import Exam
    from exam_cli.session.clock import Clock, Move

_UNSEEN_SECONDS = 0.7  # what ends before needs no bar


class _Bar:
    """Draws steps as one live line each, once they take long; sentences stay above it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._step: tuple[str, int | None, int] | None = None
        self._bars: Bars | None = None
        self._task: TaskID | None = None
        self._timer = threading.Timer(_UNSEEN_SECONDS, self._draw)
        self._timer.daemon = True
        self._timer.start()

    def _draw(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        with self._lock:
            self._bars = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bars.start()
            self._show()

    def _show(self) -> None:
        """Draw the step that there is; call it with the lock held."""
        if self._bars is None or self._step is None:
            return
        title, total, done = self._step
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._task = self._bars.add_task(title, total=total, completed=done)

    def say(self, sentence: str) -> None:
        with self._lock:
            if self._bars is None:
                click.echo(sentence, err=True)
            else:
                self._bars.console.print(sentence, highlight=False, markup=False)

    def step(self, title: str, total: int | None = None) -> None:
        with self._lock:
            self._step = (title, total, 0)
            self._show()

    def advance(self, done: int) -> None:
        with self._lock:
            if self._step is not None:
                self._step = (*self._step[:2], done)
            if self._bars is not None and self._task is not None:
                self._bars.update(self._task, completed=done)

    def end(self) -> None:
        self._timer.cancel()
        self._timer.join()  # it may be drawing for the first time just now
        if self._bars is not None:
            self._bars.stop()


class _Sentences:
    """For a stderr that is no terminal: silent but for choices that people must know of."""

    def say(self, sentence: str) -> None:
        click.echo(sentence, err=True)

    def step(self, title: str, total: int | None = None) -> None:
        pass

    def advance(self, done: int) -> None:
        pass


@contextmanager
def showing_progress(*, quiet: bool = False) -> Iterator[Progress]:
    """Yield a `Progress` that draws on standard error if that is a terminal."""
    if quiet:
        yield SILENT
        return
    if not sys.stderr.isatty():
        yield _Sentences()
        return
    bar = _Bar()
    try:
        yield bar
    finally:
        bar.end()


_WARNED_MINUTES = (0, 5, 10, 30)


def _time(seconds: float) -> str:
    """Return a span of time as 4:59:59, of either sign."""
    span = timedelta(seconds=int(abs(seconds)))
    hours = span.days * 24 + span.seconds // 3600
    return f"{hours}:{span.seconds // 60 % 60:02}:{span.seconds % 60:02}"


def clock_line(clock: Clock) -> str:
    """Return the clock in words."""
    if clock.started is None or clock.elapsed is None:
        return "not started"
    since = clock.started.astimezone().strftime("%Y-%m-%d %H:%M")
    if clock.seconds_left is None:
        return f"{_time(clock.elapsed)} since {since}, no time limit"
    left = time_left(clock.seconds_left) if clock.seconds_left else "time is up"
    extra = f", {_time(clock.extra_seconds)} of it extra" if clock.extra_seconds else ""
    return f"{left}{extra}, {_time(clock.elapsed)} since {since}"


def time_left(seconds: float) -> str:
    """Return what is left in the fewest words."""
    return f"{_time(seconds)} left"


def minutes_warned(clock: Clock) -> int | None:
    """Return the fewest of the minutes that are warned of within which the end lies, else None."""
    left = clock.seconds_left
    if left is None:
        return None
    return next((one for one in _WARNED_MINUTES if left <= 60 * one), None)


def clock_warning(clock: Clock) -> str | None:
    """Return what has to be said when little time is left, or none; else None."""
    left, minutes = clock.seconds_left, minutes_warned(clock)
    if left is None or minutes is None:
        return None
    if minutes == 0:
        return "The time is up: what was graded counts, and `exam submit` ends the exam."
    advice = ": grade what shall count" if minutes < 30 else ""
    return f"Less than {minutes} minutes left ({_time(left)}){advice}."


def moved_sentence(move: Move) -> str:
    """Return what is said when somebody has set the machine's clock."""
    way = "forward" if move.seconds > 0 else "back"
    by = _time(round(move.seconds))
    return (
        f"This machine's clock was set {by} {way}; that moves no deadline, and it is in the record."
    )


def exam_line(exam: Exam) -> str:
    """Return the rules of an exam in words."""
    attempts = "any number of attempts" if exam.attempts is None else f"{exam.attempts} attempts"
    return (
        f"{exam.title or exam.exam}: {exam.pass_mark:g} of 100 to pass, {attempts} a section, "
        f"the {exam.counts} one counts"
    )


def table_of(*columns: str, title: str | None = None) -> Table:
    """Return an empty table in the program's one style."""
    return Table(columns, title)


def show(what: Table | str) -> None:
    """Print a table or a line on standard output."""
    click.echo(what.text(terminal_width()) if isinstance(what, Table) else what)
