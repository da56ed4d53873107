"""`exam author`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exam_cli.cli.common import connect, json_option

if TYPE_CHECKING:
    from exam_cli.config.section import Section


@click.group()
def command() -> None:
    """Write a section, and prove that its bands mean something."""


form_option = click.option(
    "--form", default="a", show_default=True, help="Which form, where SECTION is a number."
)


def section_named(name: str, form: str) -> Section:
    """Return the section of a number, or of a folder with a section.yaml."""
    from exam_cli.errors import UsageError
    from exam_cli.sections.catalog import load_section, shipped_section

    if name.isdigit():
        return shipped_section(int(name), form)
    folder = Path(name)
    if not (folder / "section.yaml").is_file():
        raise UsageError(
            f"{name} is neither a section's number nor a folder with a section.yaml: "
            "`exam author new` makes such a folder."
        )
    return load_section(folder.resolve())


@command.command()
@click.argument("section", metavar="SECTION")
@form_option
@click.option(
    "--seeds",
    type=click.IntRange(1, 100),
    default=5,
    show_default=True,
    help="How many seeds, from the first one on.",
)
@click.option("--workers", type=click.IntRange(1, 64), help="Trainings at a time; one a core.")
@click.option("--only", metavar="RUNG", multiple=True, help="Train and judge only this rung.")
@click.option("--fresh", is_flag=True, help="Train anew what was trained before.")
@click.option("--write", is_flag=True, help="Write calibration.md and calibration.svg.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Draw metric against bands, as SVG.",
)
@click.option("--edition", default="tf2.21", show_default=True)
@json_option
@click.pass_context
def check(
    ctx: click.Context,
    section: str,
    form: str,
    seeds: int,
    workers: int | None,
    only: tuple[str, ...],
    fresh: bool,
    write: bool,
    plot: Path | None,
    edition: str,
    as_json: bool,
) -> None:
    """Train SECTION's ladder of models and judge whether its bands mean something.

    SECTION is a number, or a folder of your own. The models are trained in the pinned image, for
    each of several seeds; what was trained before is not trained again. The exit status is 1 when
    a rule does not hold.
    """
    from exam_cli.authoring.check import Wanted, check_section
    from exam_cli.authoring.picture import draw
    from exam_cli.authoring.report import as_json as report_as_json
    from exam_cli.authoring.report import markdown
    from exam_cli.cli.screen import showing_progress
    from exam_cli.config.edition import load_edition
    from exam_cli.errors import UsageError
    from exam_cli.files import write_file, writing

    if write and only:
        raise UsageError("`--write` tells about the whole ladder: leave `--only` out.")
    chosen = section_named(section, form)
    wanted = Wanted(seeds, workers, only, fresh)
    with showing_progress(quiet=as_json) as progress:
        report = check_section(chosen, wanted, connect, load_edition(edition), progress)
        pictures = [plot] if plot else []
        if write:
            pictures.append(chosen.folder / "calibration.svg")
            table = chosen.folder / "calibration.md"
            with writing(table):
                write_file(table, markdown(report).encode("utf-8"), 0o644)
        if pictures:
            progress.step("Drawing")
            svg = draw(report, connect())
            for path in pictures:
                with writing(path):
                    write_file(path, svg, 0o644)
    if as_json:
        click.echo(json.dumps(report_as_json(report), ensure_ascii=False))
    else:
        _show(report)
    ctx.exit(0 if report.holds else 1)


def _show(report: object) -> None:
    from exam_cli.authoring.check import Report
    from exam_cli.authoring.report import COLUMNS, rows
    from exam_cli.cli.screen import show

    assert isinstance(report, Report)
    show(f"{report.section.folder.name}: {report.section.title}\n")
    # Not a `rich` table: it would cut numbers off where the terminal is narrow.
    lines = [list(COLUMNS), *rows(report)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(COLUMNS))]
    for line in lines:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        show("  ".join(cells))
    show("")
    for one in report.judgements:
        show(f"{'ok  ' if one.holds else 'FAIL'}  {one.rule}")
        for problem in one.problems:
            show(f"      - {problem}")


@command.command()
@click.argument("section", metavar="SECTION")
@form_option
def notebook(section: str, form: str) -> None:
    """Make SECTION's starter.ipynb from its starter.py."""
    from exam_cli.authoring.notebook import NOTEBOOK, write_notebook
    from exam_cli.cli.screen import show

    folder = Path(section)
    if section.isdigit() or not folder.is_dir():
        folder = section_named(section, form).folder
    changed = write_notebook(folder)
    show(f"{folder / NOTEBOOK}{'' if changed else ' (as it was)'}")


@command.command()
@click.argument("name")
@click.option(
    "--number",
    type=click.IntRange(1, 999),
    default=6,
    show_default=True,
    help="The section's number in an exam.",
)
@click.option("--kind", default="regression", show_default=True, help="regression, classification.")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Where the folder is made; here unless told.",
)
def new(name: str, number: int, kind: str, into: Path) -> None:
    """Make a folder with every file of a section, as a small task that works already.

    Change its files one after another, and run `exam author check` on it in between.
    """
    from exam_cli.authoring.new import kinds, new_section
    from exam_cli.cli.screen import show
    from exam_cli.errors import UsageError

    if kind not in kinds():
        raise UsageError(f"There is no template {kind!r}: choose one of {', '.join(kinds())}.")
    folder = new_section(name, number, kind, into)
    show(f"{folder}\nnext: change its files, then `exam author check {folder}`")
