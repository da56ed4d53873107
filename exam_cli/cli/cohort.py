"""`exam cohort`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import click

from exam_cli.cli.common import connect, json_option, official_option


@click.group()
def command() -> None:
    """Grade a class."""


@command.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="Where the results go, and what makes it possible to go on after a stop.",
)
@click.option(
    "--exam",
    metavar="FILE",
    default="mock",
    show_default=True,
    help="The exam.yaml that was sat; its seed draws the hidden data.",
)
@click.option(
    "--set",
    "which",
    type=click.Choice(["probe", "final"]),
    default="final",
    show_default=True,
    help="The hidden set to grade on.",
)
@click.option("--edition", default="tf2.21", show_default=True, help="The pinned environment.")
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    help="Gradings at a time; by default what cores and memory allow.",
)
@official_option
@json_option
@click.pass_context
def grade(
    ctx: click.Context,
    directory: Path,
    out: Path,
    exam: str,
    which: str,
    edition: str,
    workers: int | None,
    official: bool,
    as_json: bool,
) -> None:
    """Grade the work of everybody who has a directory, or an archive, in DIR.

    A candidate's directory holds one directory a section, as a workspace does. Run it again after a
    stop: it goes on, and grades nothing twice. The results: results.csv, results.json, report.html,
    and in receipts/ a signed receipt of each grade, which `exam verify` checks.

    Exit status: 0 when every model got its verdict, 3 when some could not be graded by our fault.
    """
    from exam_cli.cli.screen import show, showing_progress, table_of
    from exam_cli.cohort.grade import Order, grade_cohort
    from exam_cli.cohort.page import page
    from exam_cli.cohort.receipts import write_receipts
    from exam_cli.cohort.results import rows_of, to_csv, to_json
    from exam_cli.config.edition import load_edition
    from exam_cli.config.exam import load_exam
    from exam_cli.files import write_file

    chosen: Literal["probe", "final"] = "probe" if which == "probe" else "final"
    rules = load_exam(exam)
    environment = load_edition(edition, rules.grade_on)
    order = Order(directory, out, rules, environment, chosen, workers, official)
    with showing_progress(quiet=as_json) as progress:
        graded = grade_cohort(order, connect, progress)
    rows = rows_of(graded)
    content = to_json(graded, rows)
    for name, text in (
        ("results.csv", to_csv(graded, rows)),
        ("results.json", content),
        ("report.html", page(graded, rows)),
    ):
        write_file(out / name, text.encode("utf-8", "backslashreplace"), mode=0o644)
    write_receipts(graded, out)
    failed = sum(line["verdict"] == "failed" for row in rows for line in row.lines.values())
    if as_json:
        click.echo(json.dumps(json.loads(content), ensure_ascii=False))
    else:
        table = table_of("Candidate", "Points", *(one.directory for one in graded.sections))
        for row in rows:
            points = "-" if row.total is None else f"{row.total:.4g}"
            cells = [line["reason"] or f"{line['score']}" for line in row.lines.values()]
            table.add_row(row.candidate, points, *cells)
        show(table)
        show(f"{graded.fresh} models graded now. Results: {out / 'report.html'}")
        if failed:
            show(f"{failed} could not be graded by no fault of theirs: run the command again.")
    ctx.exit(3 if failed else 0)
