"""`exam status`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exam_cli.cli.common import connect, current_session, json_option, workspace_option

if TYPE_CHECKING:
    from exam_cli.config.exam import Feedback
    from exam_cli.sitting.status import Status


@click.command()
@workspace_option
@json_option
def command(workspace: Path | None, as_json: bool) -> None:
    """Show the clock, the containers, and the best and last score of each section."""
    from exam_cli.cli.screen import exam_line, show, table_of
    from exam_cli.sitting.status import status

    now = status(current_session(workspace, shows_clock=True), connect)
    if as_json:
        click.echo(json.dumps(now.as_json(), ensure_ascii=False))
        return
    show(f"Session    {now.session.id} ({now.session.exam}, {now.session.edition})")
    show(f"Workspace  {now.session.workspace}")
    rules = now.session.rules
    show(f"Exam       {exam_line(rules)}")
    for line in _clock(now):
        show(f"Clock      {line}")
    show(f"Containers {_containers(now.containers)}")
    table = table_of("Section", "Weight", "Attempts", "Last", "Best")
    for one in now.sections:
        table.add_row(
            f"{one.section.section} {one.section.title}",
            f"{one.section.weight:g}",
            str(one.attempts),
            _result(one.last, rules.feedback),
            _result(one.best, rules.feedback),
        )
    show(table)
    show(f"So far {now.total:.4g} points of 100; {rules.pass_mark:g} are a pass.")


def _clock(now: Status) -> Iterator[str]:
    """Yield the time, and what an examiner wants to know about it."""
    from exam_cli.cli.screen import clock_line, clock_warning, moved_sentence

    yield "the exam was submitted" if now.submitted else clock_line(now.clock)
    for extra in now.clock.extras:
        way = "given" if extra.seconds > 0 else "taken back"
        yield f"{abs(extra.seconds) // 60} minutes {way}: {extra.reason}"
    for move in now.clock.moves:
        seen = move.seen.astimezone().strftime("%Y-%m-%d %H:%M")
        yield f"{moved_sentence(move)} Seen when it said {seen}."
    warning = clock_warning(now.clock)
    if warning is not None and not now.submitted:
        yield warning


def _containers(states: Any) -> str:
    if states is None:
        return "no engine answers: `exam doctor` tells why"
    running = [
        f"{state.name} (unhealthy: `docker logs {state.name}` shows why, `exam down` and `exam up` "
        "start it afresh)"
        if state.unhealthy
        else state.name
        for state in states
        if state.running
    ]
    return ", ".join(running) or "none running: `exam up` starts them"


def _result(payload: dict[str, Any] | None, feedback: Feedback) -> str:
    if payload is None:
        return "-"
    if payload["verdict"] != "scored":
        return f"0 ({payload['reason']})"
    if feedback == "scores":
        return f"{payload['score']}"
    return f"{payload['score']} ({payload['metric']['name']} {payload['metric']['value']:.4g})"
