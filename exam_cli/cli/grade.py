"""`exam grade`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exam_cli.cli.common import connect, current_session, json_option, workspace_option

if TYPE_CHECKING:
    from exam_cli.sitting.grade import Graded

EXIT_STATUS = {"scored": 0, "rejected": 1, "failed": 3}


@click.command()
@click.argument("section", metavar="N|all")
@workspace_option
@json_option
@click.pass_context
def command(ctx: click.Context, section: str, workspace: Path | None, as_json: bool) -> None:
    """Score the model in section N's directory, or in every section's.

    Exit status: 0 scored, 1 rejected (the model is at fault), 3 failed (we are; no attempt).
    """
    from exam_cli.cli.screen import showing_progress
    from exam_cli.sections.catalog import all_sections, find_section
    from exam_cli.sitting.grade import grade_section

    if section != "all" and not section.isdecimal():
        raise click.UsageError(f"{section!r} is no section: give its number, or `all`.")
    chosen = all_sections() if section == "all" else [find_section(int(section))]
    session = current_session(workspace)
    results = []
    with showing_progress(quiet=as_json) as progress:
        for one in chosen:
            progress.step(f"Grading section {one.section}")
            results.append(grade_section(one, session, connect))
    if as_json:
        answers = [result.verdict.as_json(result.attempt) for result in results]
        click.echo(json.dumps(answers if section == "all" else answers[0], ensure_ascii=False))
    else:
        for result in results:
            _show(result)
    ctx.exit(max(EXIT_STATUS[result.verdict.status] for result in results))


def _show(result: Graded) -> None:
    from exam_cli.cli.screen import show, table_of

    verdict = result.verdict
    title = f"Section {verdict.section} {verdict.slug}"
    title += f", attempt {result.attempt}" if result.attempt else ", no attempt counted"
    if verdict.measured is None:
        show(f"{title}: {verdict.status} ({verdict.reason})")
        show(verdict.message)
    else:
        metric = verdict.measured
        unit = f" {metric.unit}" if metric.unit else ""
        following = "-"
        if metric.next_threshold is not None:
            word = "at most" if metric.better == "lower" else "at least"
            distance = abs(metric.next_threshold - metric.value)
            following = (
                f"{metric.next_score}: {metric.name} {word} {metric.next_threshold:g} "
                f"({distance:.4g} {'less' if metric.better == 'lower' else 'more'})"
            )
        table = table_of("Score", "Metric", "Next score needs", "Seconds", title=title)
        table.add_row(
            f"{verdict.score} of 5",
            f"{metric.name} {metric.value:.4g}{unit}",
            following,
            f"{verdict.seconds_total:.1f}",
        )
        show(table)
    if result.log:
        show(f"What the model printed: {result.log}")
