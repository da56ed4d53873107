"""`exam doctor`."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from exam_cli.cli.common import connect, json_option


@click.command()
@click.option("--fix", "fix_it", is_flag=True, help="Install and start an engine if none answers.")
@json_option
@click.pass_context
def command(ctx: click.Context, fix_it: bool, as_json: bool) -> None:
    """Check what the exam stands on: each line says ok or what to do."""
    from exam_cli.cli.screen import show, table_of
    from exam_cli.sitting.doctor import examine, fix

    if fix_it and fix(connect):
        ctx.exit(1)
    findings = examine(connect)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings]))
    else:
        table = table_of("", "What", "")
        for one in findings:
            mark = "ok" if one.ok else ("to do" if one.needed else "note")
            table.add_row(mark, one.topic, one.text)
        show(table)
    ctx.exit(0 if all(one.ok or not one.needed for one in findings) else 1)
