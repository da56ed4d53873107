"""`exam up`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from exam_cli.cli.common import connect, json_option, workspace_option


@click.command()
@workspace_option
@click.option(
    "--exam",
    metavar="FILE",
    help="The exam.yaml to sit, or one that is shipped: practice (the default), mock, retake.",
)
@click.option("--edition", default="tf2.21", show_default=True, help="The pinned environment.")
@click.option(
    "--gpu/--cpu",
    default=None,
    help="Work in the variant with CUDA and all of the machine's NVIDIA GPUs, or again without; "
    "by default as before.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8888,
    show_default=True,
    help="For Jupyter, on 127.0.0.1; 0 takes any.",
)
@json_option
def command(
    workspace: Path | None,
    exam: str | None,
    edition: str,
    gpu: bool | None,
    port: int,
    as_json: bool,
) -> None:
    """Start the exam: build what is missing, lay out the workspace, start Jupyter and the clock.

    Running it again is harmless: it starts only what is not running and overwrites no file.
    """
    from exam_cli.cli.screen import (
        clock_line,
        clock_warning,
        exam_line,
        moved_sentence,
        show,
        showing_progress,
        table_of,
    )
    from exam_cli.cli.where import workspace_for_up
    from exam_cli.config.edition import Variant, load_edition
    from exam_cli.config.exam import load_exam
    from exam_cli.receipts.issue import tried
    from exam_cli.sitting.pool import renew_behind
    from exam_cli.sitting.submit import result
    from exam_cli.sitting.up import up

    load_edition(edition)  # first: a wrong name is told with or without an engine
    rules = load_exam(exam) if exam else None
    names: dict[bool | None, Variant | None] = {True: "gpu", False: "cpu", None: None}
    variant = names[gpu]
    with showing_progress(quiet=as_json) as progress:
        place = workspace_for_up(workspace)
        started = up(place, rules, edition, port, connect(), progress, variant)
    renew_behind(started.session, connect)
    for note in tried(started.session):  # receipts that a kill kept from being written
        click.echo(note, err=True)
    if as_json:
        answer = {
            "session": started.session.id,
            "workspace": str(started.session.workspace),
            "edition": started.session.edition,
            "variant": started.session.variant,
            "url": started.jupyter.url,
            "token": started.jupyter.token,
            "sections": [section.directory for section in started.sections],
        }
        click.echo(json.dumps(answer))
        return
    show(f"Jupyter    {started.jupyter.url}")
    show("Editors    exam attach pycharm --write, exam attach vscode --write")
    show(f"Workspace  {started.session.workspace}")
    if started.session.variant == "gpu":
        found = ", ".join(map(str, started.gpus)) or "as before"
        show(f"GPU        {found}; graded on the {started.session.rules.grade_on.upper()}")
        if gpu is None:
            show("           this session works with a GPU; `exam up --cpu` goes on without")
    show(f"Exam       {exam_line(started.session.rules)}")
    show(f"Clock      {clock_line(started.clock)}")
    if (warning := clock_warning(started.clock)) is not None:
        show(f"           {warning}")
    if started.moved is not None:
        show(f"           {moved_sentence(started.moved)}")
    table = table_of("Section", "Title", "Weight", "Directory")
    for section in started.sections:
        name = f"{section.section} {section.category}"
        table.add_row(name, section.title, f"{section.weight:g}", section.directory)
    show(table)
    if result(started.session) is None:
        show("Save one model a section in its directory, then: exam grade N")
    else:
        show("This exam was submitted and is over: `exam submit` shows the result.")
