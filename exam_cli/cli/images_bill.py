"""`exam images sbom`, and what `exam images list` tells of licences and known holes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exam_cli.cli.common import connect

if TYPE_CHECKING:
    from exam_cli.config.edition import Role

_REACH = {"model": "a model", "workspace": "a workspace", "none": "nobody here"}
_LIMITS = (
    "Only what the file knows, compiled on {compiled}; Debian's packages are not in it. For those, "
    "give `exam images sbom` to a scanner that has today's list, or run debsecan in the workspace."
)


@click.command()
@click.option("--edition", default="tf2.21", show_default=True)
@click.option("--gpu", is_flag=True, help="The edition's GPU variant.")
@click.option(
    "--role",
    type=click.Choice(["grader", "workspace"]),
    default="workspace",
    show_default=True,
    help="Which of the two images.",
)
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write it there instead of to the terminal.",
)
@click.pass_context
def sbom(ctx: click.Context, edition: str, gpu: bool, role: Role, output: Path | None) -> None:
    """Print an image's bill of materials: CycloneDX, JSON.

    The image itself is asked what is in it, and that is compared with the edition's locks.

    Exit status: 0 the locks name all of it, 1 something is in one and not in the other.
    """
    from exam_cli.cli.screen import showing_progress
    from exam_cli.config.edition import load_edition
    from exam_cli.files import write_file, writing
    from exam_cli.images.bill import bill_of, strays
    from exam_cli.images.listing import subject_of

    wanted = load_edition(edition, "gpu" if gpu else "cpu")
    with showing_progress() as progress:
        progress.step("Asking the image")
        subject = subject_of(connect(), wanted, role)
        text = bill_of(subject)
    if output is None:
        click.echo(text, nl=False)
    else:
        with writing(output):
            write_file(output, text.encode(), mode=0o644)
    found = strays(subject)
    for sentence in found:
        click.echo(sentence, err=True)
    ctx.exit(1 if found else 0)


def show_security(as_json: bool) -> None:
    """Print the known holes of every edition's Python packages."""
    from exam_cli.cli.screen import show, table_of
    from exam_cli.images.security import known_holes

    found = known_holes()
    if as_json:
        click.echo(json.dumps([one.as_json() for one in found], ensure_ascii=False))
        return
    for one in found:
        counts = ", ".join(f"{number} {severity}" for severity, number in one.counts.items())
        title = f"{one.edition}, {one.variant}: {counts or 'none known'}"
        if not one.holes:
            show(title)
            continue
        table = table_of("Package", "Hole", "Severity", "Within reach of", "Fixed", title=title)
        for hole in one.holes:
            package = f"{hole.package} {hole.version}"
            reach = _REACH[hole.reach]
            table.add_row(package, f"{hole.id}: {hole.text}", hole.severity, reach, hole.fixed)
        show(table)
    show(_LIMITS.format(compiled=found[0].compiled))


def show_licences(as_json: bool) -> None:
    """Print the licences of what is in the workspace images that are here."""
    from exam_cli.cli.screen import show, showing_progress, table_of
    from exam_cli.images.bill import licences_of
    from exam_cli.images.listing import subjects

    with showing_progress(quiet=as_json) as progress:
        progress.step("Asking the images")
        found = {
            (one.edition.edition, one.edition.variant): licences_of(one.facts)
            for one in subjects(connect())
        }
    if as_json:
        rows = [
            {"edition": edition, "variant": variant, "licences": licences}
            for (edition, variant), licences in found.items()
        ]
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    for (edition, variant), licences in found.items():
        table = table_of("Licence", "Packages", title=f"{edition}, {variant}")
        for licence, packages in licences.items():
            table.add_row(licence, ", ".join(packages))
        show(table)
    if not found:
        show("No workspace image is here: `exam images build` makes one.")
