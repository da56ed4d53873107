"""The end of an exam: five references graded on the final sets, and all papers made."""

from __future__ import annotations

from pathlib import Path

from bench import timing
from bench.references import References, references
from bench.rows import Part, row
from bench.stage import EXAM, Stage
from bench.timing import Failed

_MOST_SECONDS = 60
_MOST_MEGABYTES = 3
_ABOUT = """\
Process start to exit, each time in a session of its own where each section's reference was graded
once. `exam submit --yes` grades the five on the final sets in one served predictor, writes the
durable row and its receipts, and makes report (intervals and pictures included), certificate and
archive. `exam report` makes report, certificate and archive once more."""


def measure(stage: Stage) -> Part:
    """Submit as often as there is time for."""
    refs = references(stage)
    submitted, again, size = [], [], []
    rounds = max(2, stage.rounds // 2)
    for number in range(1, rounds + 1):
        stage.say(f"submit, round {number} of {rounds}")
        workspace = stage.work / f"ending-{number}"
        _graded(stage, refs, workspace)
        line: list[str | Path] = [EXAM, "submit", "--yes", "--name", "A Reference"]
        submitted.append(timing.run([*line, "--workspace", workspace]).seconds)
        page = workspace / "result" / "report.html"
        if not (page.is_file() and (page.parent / "certificate.pdf").is_file()):
            raise Failed(f"no report and certificate at {page.parent}")
        size.append(page.stat().st_size / 1e6)
        again.append(timing.run([EXAM, "report", "--workspace", workspace]).seconds)
        stage.exam("down", "--workspace", workspace)
    rows = (
        row(
            "`exam submit`, five references, report and certificate included",
            submitted,
            at_most=_MOST_SECONDS,
        ),
        row("`exam report`, made once more", again),
        row("report.html of five references", size, "MB", at_most=_MOST_MEGABYTES),
    )
    return Part("submit", "The end of an exam", _ABOUT, rows)


def _graded(stage: Stage, refs: References, workspace: Path) -> None:
    """Begin a session, and have each reference scored in it."""
    stage.exam("up", "--workspace", workspace, "--exam", refs.exam, "--port", "0")
    for section in refs.sections:
        refs.hand_in(section, workspace)
    stage.exam("grade", "all", "--workspace", workspace)
