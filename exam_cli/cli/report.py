"""`exam report`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exam_cli.cli.common import connect, current_session, json_option, workspace_option

if TYPE_CHECKING:
    from exam_cli.sitting.report import Made


@click.command()
@workspace_option
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print a table, one row a section.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to this file instead: the page, or with --json or --csv those.",
)
@click.option("--open", "open_it", is_flag=True, help="Open the page in the browser.")
def command(
    workspace: Path | None, as_json: bool, as_csv: bool, output: Path | None, open_it: bool
) -> None:
    """Make the report again, and after `exam submit` the certificate and the archive, too.

    Before the exam is submitted it is a practice report of the attempts so far, and says so.
    """
    from exam_cli.cli.screen import show, showing_progress
    from exam_cli.errors import UsageError
    from exam_cli.files import write_file, writing
    from exam_cli.sitting.report import REPORT, make, report

    if as_json and as_csv:
        raise UsageError("--json and --csv are two forms of one answer: choose one.")
    session = current_session(workspace)
    if not (as_json or as_csv or output):
        with showing_progress() as progress:
            made = make(session, connect, progress)
        tell(made)
        if open_it:
            click.launch(str(made.directory / REPORT))
        return
    data = as_json or as_csv
    with showing_progress(quiet=data) as progress:
        facts, notes = report(session, connect, progress, draw=not data)
    if as_json:
        text = json.dumps(facts.as_json(), ensure_ascii=False) + "\n"
    elif as_csv:
        from exam_cli.reports.facts import to_csv

        text = to_csv(facts)
    else:
        from exam_cli.reports.page import page

        text = page(facts)
    for note in notes:
        click.echo(note, err=True)
    if output is None:
        click.echo(text, nl=False)
        return
    with writing(output):
        write_file(output.absolute(), text.encode(), mode=0o644)
    show(f"Report     {output}")
    if open_it and not data:
        click.launch(str(output))


def tell(made: Made) -> None:
    """Print where the files are, and what could not be done."""
    from exam_cli.cli.screen import show

    words = {
        "report.html": "Report",
        "certificate.pdf": "Certificate",
        "statement.pdf": "Statement",
        "badge.json": "Badge",
        "result.json": "As data",
    }
    for name in made.names:
        show(f"{words.get(name, 'To hand in'):<12}{made.shown / name}")
    for note in made.notes:
        click.echo(note, err=True)
