"""`exam export`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from exam_cli.cli.common import current_session, json_option, workspace_option


@click.command()
@click.argument("section", metavar="N", type=int)
@workspace_option
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    help="The zip file, or a directory for it; by default the current directory.",
)
@json_option
def command(section: int, workspace: Path | None, output: Path | None, as_json: bool) -> None:
    """Pack section N for Colab or another machine: task, data, starter, and a notebook.

    The notebook's first cell installs the versions that the model is graded with and checks them.
    The model comes back as a file: put it into the section's directory.
    """
    from exam_cli.cli.screen import show
    from exam_cli.sections.catalog import find_section
    from exam_cli.sitting.export import export_section
    from exam_cli.workspace.export import NOTEBOOK

    session = current_session(workspace)
    chosen = find_section(session.rules, section)
    path = export_section(chosen, session, output)
    if as_json:
        told = {"section": section, "path": str(path.resolve()), "bytes": path.stat().st_size}
        click.echo(json.dumps(told))
        return
    show(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    show(
        f"On Colab, upload {chosen.directory}/{NOTEBOOK} from it, run the first cell and give it "
        f"{path.name}. Elsewhere, unpack it and open the notebook beside it."
    )
    show(f"The model comes back as {chosen.directory}/model.keras in {session.workspace}.")
