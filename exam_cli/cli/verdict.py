"""How a verdict looks, and which exit status it means."""

from __future__ import annotations

from exam_cli.cli.screen import show, table_of
from exam_cli.config.exam import Feedback
from exam_cli.grading.verdict import BORDERLINE, Measured, Verdict
from exam_cli.sitting.grade import Graded

EXIT_STATUS = {"scored": 0, "fits": 0, "rejected": 1, "failed": 3}


def show_verdict(result: Graded, feedback: Feedback = "full") -> None:
    """Print what came of a grading, or of a check, for a person to read, as far as they may know.

    Args:
        result: the grading.
        feedback: the exam's: `scores`, `summary` (the metric, too) or `full` (what the next score
            needs, too).
    """
    verdict = result.verdict
    title = f"Section {verdict.section} {verdict.slug}"
    title += f", attempt {result.attempt}" if result.attempt else ", no attempt counted"
    if verdict.status == "fits":
        show(f"Section {verdict.section} {verdict.slug}: {verdict.message}")
    elif verdict.measured is None:
        show(f"{title}: {verdict.status} ({verdict.reason})")
        show(verdict.message)
    else:
        _show_score(verdict, verdict.measured, title, feedback)
    if verdict.seconds_predict is not None and not verdict.warm:
        show("No warm grader was ready, so this took the seconds of a cold start.")
    if result.receipt:
        show(f"Receipt: {result.receipt}")
    if result.log:
        show(f"What the model printed: {result.log}")


def _show_score(verdict: Verdict, metric: Measured, title: str, feedback: Feedback) -> None:
    row = {"Score": f"{verdict.score} of 5"}
    if feedback != "scores":
        unit = f" {metric.unit}" if metric.unit else ""
        row["Metric"] = f"{metric.name} {metric.value:.4g}{unit}"
        if metric.borderline:
            row["Metric"] += f"\n{BORDERLINE}"
    if feedback == "full":
        row["Next score needs"] = _next(metric)
    row["Seconds"] = f"{verdict.seconds_total:.1f}"
    table = table_of(*row, title=title)
    table.add_row(*row.values())
    show(table)
    for remark in verdict.remarks:
        show(remark)
    if feedback == "full" and verdict.hint:
        show(verdict.hint)


def _next(metric: Measured) -> str:
    """Return what the next score needs, and how far that is."""
    if metric.next_threshold is None:
        return "-"
    # From the digits that are told, so that no more can be read from the difference.
    distance = abs(metric.next_threshold - metric.told_value)
    way = "less" if metric.better == "lower" else "more"
    far = f" ({distance:.4g} {way})" if distance else ""
    return f"{metric.next_score}: {metric.need}{far}"
