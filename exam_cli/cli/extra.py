"""`exam extra`."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exam_cli.cli.common import current_session, json_option, workspace_option

if TYPE_CHECKING:
    from exam_cli.session.session import Session


@click.command()
@click.argument("time")
@click.option("--reason", required=True, help="Why; it stands in the record and in `exam status`.")
@click.option("--take-back", is_flag=True, help="Take back so much of what was given by mistake.")
@workspace_option
@click.option(
    "--session", "sessions", multiple=True, metavar="ID", help="For this session, or these."
)
@click.option("--exam", metavar="NAME", help="For all on this machine who still sit this exam.")
@json_option
def command(
    time: str,
    reason: str,
    take_back: bool,
    workspace: Path | None,
    sessions: tuple[str, ...],
    exam: str | None,
    as_json: bool,
) -> None:
    """Give a candidate TIME more, such as 15m or 1h30m: the one of this workspace, or those named.

    It counts from now on, in Jupyter, too, and also when the time was up already.
    """
    from exam_cli.cli.screen import clock_line, show
    from exam_cli.config.exam import seconds_of
    from exam_cli.errors import ExamError
    from exam_cli.sitting.clock import extend

    seconds = seconds_of(time)
    if not seconds:
        raise click.UsageError(f"{time!r} is no time: write 15m, 1h or 1h30m.")
    if not reason.strip():
        raise click.UsageError("Say why: --reason 'fire alarm', say.")
    if (workspace is not None) + bool(sessions) + (exam is not None) > 1:
        raise click.UsageError("Name whom it is for by one of --workspace, --session and --exam.")
    chosen = _chosen(sessions, exam) or [current_session(workspace, shows_clock=True)]
    answers, refused = [], None
    for one in chosen:
        try:
            clock = extend(
                one, -seconds if take_back else seconds, reason.strip(), getpass.getuser()
            )
        except ExamError as refusal:
            # One who has handed in must not keep the others from their time.
            if len(chosen) == 1:
                raise
            refused = refusal
            click.echo(f"exam: {refusal}", err=True)
            continue
        deadline = clock.deadline.isoformat() if clock.deadline else None
        answers.append(
            {"session": one.id, "deadline": deadline, "seconds_left": clock.seconds_left}
        )
        if not as_json:
            show(f"Session {one.id}, {one.workspace}: {clock_line(clock)}")
    if as_json:
        click.echo(json.dumps(answers))
    if refused is not None and not answers:
        raise refused


def _chosen(ids: tuple[str, ...], exam: str | None) -> list[Session]:
    """Return the sessions of these ids, or all that still sit an exam; none if none is named."""
    from exam_cli.errors import ExamError
    from exam_cli.session.session import all_sessions
    from exam_cli.sitting.clock import look

    if not ids and exam is None:
        return []
    known = {one.id: one for one in all_sessions()}
    if exam is not None:
        found = [one for one in known.values() if one.exam == exam and not look(one).submitted]
        if not found:
            raise ExamError(f"Nobody on this machine sits the exam {exam}.", reason="no_session")
        return found
    missing = [id for id in ids if id not in known]
    if missing:
        raise ExamError(
            f"There is no session {', '.join(missing)} on this machine: `exam status` in a "
            "workspace tells its session.",
            reason="no_session",
        )
    return [known[id] for id in ids]
