"""What people see: progress on standard error, tables on standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.console import Console

from exam_cli.progress import SILENT, Progress

if TYPE_CHECKING:
    from rich.progress import TaskID

    from exam_cli.config.exam import Exam
    from exam_cli.session.clock import Clock


class _Bar:
    """Draws steps as one live line each; sentences stay above it."""

    def __init__(self, console: Console) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )
        from rich.progress import Progress as RichProgress

        self._console = console
        self.rich = RichProgress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None

    def say(self, sentence: str) -> None:
        self._console.print(sentence, highlight=False)

    def step(self, title: str, total: int | None = None) -> None:
        if self._task is not None:
            self.rich.remove_task(self._task)
        self._task = self.rich.add_task(title, total=total)

    def advance(self, done: int) -> None:
        if self._task is not None:
            self.rich.update(self._task, completed=done)


class _Sentences:
    """For a stderr that is no terminal: silent but for choices that people must know of."""

    def say(self, sentence: str) -> None:
        print(sentence, file=sys.stderr)

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
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Sentences()
        return
    bar = _Bar(console)
    with bar.rich:
        yield bar


def clock_line(clock: Clock) -> str:
    """Return the clock in words."""
    if clock.started is None:
        return "not started"
    since = clock.started.astimezone().strftime("%Y-%m-%d %H:%M")
    elapsed = timedelta(seconds=int(clock.elapsed or 0))
    if clock.seconds_left is None:
        return f"{elapsed} since {since}, no time limit"
    return f"{timedelta(seconds=int(clock.seconds_left))} left, {elapsed} since {since}"


def exam_line(exam: Exam) -> str:
    """Return the rules of an exam in words."""
    attempts = "any number of attempts" if exam.attempts is None else f"{exam.attempts} attempts"
    return (
        f"{exam.title or exam.exam}: {exam.pass_mark:g} of 100 to pass, {attempts} a section, "
        f"the {exam.counts} one counts"
    )


def table_of(*columns: str, title: str | None = None):  # type: ignore[no-untyped-def]
    """Return an empty table in the program's one style."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    return Table(*columns, title=title, box=SIMPLE_HEAD, title_justify="left", pad_edge=False)


def show(renderable: object) -> None:
    """Print a table or a line on standard output."""
    Console().print(renderable, highlight=False, soft_wrap=isinstance(renderable, str))
