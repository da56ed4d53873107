"""Measure what people wait for, side by side with the naive way; write bench/results/latest.md.

make bench                         all that takes minutes
python -m bench.run grades up      some parts; the others stay as they were measured last
"""

from __future__ import annotations

import importlib
import sys
from datetime import UTC, datetime

import click

from bench import machine, store, table
from bench.stage import Stage, stage
from bench.store import Measured
from bench.timing import Failed
from exam_cli.errors import ExamError

# In the order of the page. Each is a module with `measure(stage) -> Part`.
_QUICK = ("grades", "cohort", "submit", "up", "attach", "sizes", "start")
_TRUST = ("repeat", "builds", "beside", "kills", "soak")
_GROWTH = ("growth",)
_IMAGES = ("editions", "archive")
PARTS = (*_QUICK, *_TRUST, *_GROWTH, *_IMAGES)


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@click.option("--rounds", type=click.IntRange(1, 100), default=5, show_default=True)
@click.option("--growth", is_flag=True, help="Also how cost grows: about half an hour.")
@click.option("--trust", is_flag=True, help="Also what wobbles, disturbs, leaks or gets lost.")
@click.option("--images", is_flag=True, help="Also build, sit and move the images.")
def main(parts: tuple[str, ...], rounds: int, growth: bool, trust: bool, images: bool) -> None:
    """Measure PARTS, or all that takes minutes, and write bench/results/latest.md."""
    more = ((_TRUST, trust), (_GROWTH, growth), (_IMAGES, images))
    wanted = parts or (*_QUICK, *(name for names, asked in more if asked for name in names))
    failed = False
    try:
        with stage(rounds, build=images) as place:
            for name in wanted:
                try:
                    take(name, place)
                except Failed as error:  # the others are worth having all the same
                    failed = True
                    click.echo(f"bench: {name} could not be measured: {error}", err=True)
    except ExamError as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        click.echo("bench: Interrupted; what was measured is kept, nothing runs on.", err=True)
        sys.exit(130)
    click.echo((store.RESULTS / "latest.md").read_text())
    sys.exit(failed)


def take(name: str, place: Stage) -> None:
    """Measure one part, keep it and write the page anew."""
    part = importlib.import_module(f"bench.{name}").measure(place)
    today = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    store.keep(Measured(part, today, machine.describe(place.engine)))
    write()


def write() -> None:
    """Write the page from all parts that were ever measured."""
    found = store.read()
    (store.RESULTS / "latest.md").write_text(table.page([found[n] for n in PARTS if n in found]))


if __name__ == "__main__":
    main()
