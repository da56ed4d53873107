"""Grade one submission: the road from a snapshot to a verdict, step by step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

from exam_cli.config.section import Section
from exam_cli.errors import ExamError, OurFault
from exam_cli.grading.band import measured, score_of
from exam_cli.grading.box import Box
from exam_cli.grading.environment import Environment
from exam_cli.grading.intake import Submission
from exam_cli.grading.predictor import PredictorRun, predict
from exam_cli.grading.preflight import saved_with
from exam_cli.grading.scorer import open_scorer, score
from exam_cli.grading.verdict import Rejection, Verdict
from exam_cli.sections.vault import DataSet


def grade(
    submission: Submission, section: Section, data: DataSet, environment: Environment
) -> Verdict:
    """Return the verdict on one submission. Writes nothing anywhere.

    Args:
        submission: a snapshot of a model.
        section: the task: contract, metric, bands, limits.
        data: the hidden set to grade on, labels included.
        environment: the engine and image to grade in.

    Never raises for a fault of the model or the engine: those are verdicts.
    """
    started = time.monotonic()
    run = PredictorRun()
    verdict = Verdict(
        section=section.section,
        slug=section.slug,
        status="failed",
        reason="internal",
        message="",
        score=None,
        measured=None,
        set_name=data.name,
        set_sha256=data.sha256,
        model=submission.record,
        environment=environment.describe(),
        isolation=environment.isolation(),
        seconds_total=0.0,
        seconds_predict=None,
    )
    try:
        value = _value(submission, section, data, environment, run)
        verdict = replace(
            verdict,
            status="scored",
            reason=None,
            score=score_of(value, section),
            measured=measured(value, section),
        )
        verdict = replace(verdict, message=_scored_sentence(verdict))
    except Rejection as rejection:
        verdict = rejected(verdict, rejection)
    except OurFault as fault:
        verdict = failed(verdict, fault)
    return replace(
        verdict,
        environment={**environment.describe(run.versions), "image": _image_id(environment)},
        seconds_total=time.monotonic() - started,
        seconds_predict=run.seconds,
        printed=run.printed,
    )


def rejected(verdict: Verdict, rejection: Rejection) -> Verdict:
    """Return a verdict that blames the model."""
    return replace(
        verdict, status="rejected", reason=rejection.reason, message=rejection.sentence, score=0
    )


def failed(verdict: Verdict, fault: ExamError) -> Verdict:
    """Return a verdict that blames us."""
    return replace(
        verdict, status="failed", reason=fault.reason or "internal", message=str(fault), score=None
    )


def _value(
    submission: Submission,
    section: Section,
    data: DataSet,
    environment: Environment,
    run: PredictorRun,
) -> float:
    version = saved_with(submission, section)
    assert data.labels is not None, "only sets with labels are graded on"
    with _scorer_in_waiting(environment) as scorer:
        predictions = predict(submission, version, section, data, environment, run)
        return score(scorer.result(), predictions, data.labels, section)


@contextmanager
def _scorer_in_waiting(environment: Environment) -> Iterator[Future[Box]]:
    """Start the scorer while the predictor works, and destroy it whatever happens."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(open_scorer, environment)
        try:
            yield future
        finally:
            if future.exception() is None:
                with future.result():
                    pass


def _image_id(environment: Environment) -> str | None:
    try:
        image = environment.engine.image(environment.image)
    except OurFault:
        return None
    return image.id if image else None


def _scored_sentence(verdict: Verdict) -> str:
    assert verdict.measured is not None
    following = verdict.measured.next_threshold
    if following is None:
        return "Scored 5 of 5."
    word = "at most" if verdict.measured.better == "lower" else "at least"
    name = verdict.measured.name
    return (
        f"Scored {verdict.score} of 5; {verdict.measured.next_score} needs {name} {word} "
        f"{following:g}."
    )
