"""How a verdict looks, and which exit status it means."""

from __future__ import annotations

from exam_cli.cli.screen import show, table_of
from exam_cli.sitting.grade import Graded

EXIT_STATUS = {"scored": 0, "fits": 0, "rejected": 1, "failed": 3}


def show_verdict(result: Graded) -> None:
    """Print what came of a grading, or of a check, for a person to read."""
    verdict = result.verdict
    title = f"Section {verdict.section} {verdict.slug}"
    title += f", attempt {result.attempt}" if result.attempt else ", no attempt counted"
    if verdict.status == "fits":
        show(f"Section {verdict.section} {verdict.slug}: {verdict.message}")
    elif verdict.measured is None:
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
    if verdict.seconds_predict is not None and not verdict.warm:
        show("No warm grader was ready, so this took the seconds of a cold start.")
    if result.log:
        show(f"What the model printed: {result.log}")
