"""`exam handbook`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from exam_cli.cli.common import connect, json_option


@click.command()
@click.option(
    "--exam",
    metavar="FILE",
    default="practice",
    show_default=True,
    help="The exam.yaml that it is for, or one that is shipped: practice, mock, retake.",
)
@click.option("--edition", default="tf2.21", show_default=True, help="The pinned environment.")
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Where handbook.html and handbook.pdf go; by default the current directory.",
)
@json_option
def command(exam: str, edition: str, output: Path, as_json: bool) -> None:
    """Write the handbook that candidates of an exam get: handbook.html and handbook.pdf.

    It says what is examined, how to set up each tool, the rules, and how the result comes about.
    """
    from exam_cli.cli.screen import show
    from exam_cli.config.edition import load_edition
    from exam_cli.config.exam import load_exam
    from exam_cli.errors import ExamError
    from exam_cli.files import write_file, writing
    from exam_cli.images.build import architecture_of, references
    from exam_cli.reports.fonts import Fonts, fonts
    from exam_cli.reports.handbook import handbook, to_html, to_pdf
    from exam_cli.sections.catalog import sections_of

    environment = load_edition(edition)
    rules = load_exam(exam)
    book = handbook(rules, sections_of(rules), environment, Path(exam).name)
    try:
        image = references(environment, architecture_of(connect())).workspace
        found = fonts(image, environment.python, connect)
    except ExamError:  # no engine: every viewer has fonts for Latin letters
        found = Fonts()
    pages = {
        "handbook.html": to_html(book).encode(),
        "handbook.pdf": to_pdf(book, found, environment),
    }
    with writing(output):
        output.mkdir(parents=True, exist_ok=True)
        for name, content in pages.items():
            write_file(output / name, content, mode=0o644)
    if as_json:
        click.echo(json.dumps({name: str(output / name) for name in pages}))
        return
    for name in pages:
        show(f"Wrote {output / name}")
