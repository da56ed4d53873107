"""Grade one submission: the road from a snapshot to a verdict, step by step."""

from __future__ import annotations

import hashlib
import math
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

from exam_cli.config.section import Section
from exam_cli.errors import OurFault
from exam_cli.grading import hints
from exam_cli.grading.band import measured, score_of
from exam_cli.grading.box import Box
from exam_cli.grading.environment import Environment
from exam_cli.grading.faults import no_probabilities, not_finite
from exam_cli.grading.intake import Submission
from exam_cli.grading.predictor import PredictorRun, Question, predict
from exam_cli.grading.preflight import saved_with
from exam_cli.grading.scorer import open_scorer, score
from exam_cli.grading.served import Serving
from exam_cli.grading.shapes import Other
from exam_cli.grading.verdict import Rejection, Verdict
from exam_cli.sections.vault import DataSet

_HARDWARE = ("cpu", "cores", "gpus")


def grade(
    submission: Submission,
    section: Section,
    data: DataSet,
    environment: Environment,
    others: Iterable[Other] = (),
    serving: Serving | None = None,
) -> Verdict:
    """Return the verdict on one submission. Writes nothing anywhere.

    Args:
        submission: a snapshot of a model.
        section: the task: contract, metric, bands, limits.
        data: the hidden set to grade on, labels included.
        environment: the engine and image to grade in.
        others: directories and contracts of the exam's other sections: when a model does not fit,
            it may be for one of them, and is told so.
        serving: what has graded this candidate's other models and may save the time of starting
            containers for this one.

    Never raises for a fault of the model or the engine: those are verdicts.
    """

    def value(run: PredictorRun, verdict: Verdict) -> Verdict:
        version = saved_with(submission, section, environment.keras)
        assert data.labels is not None, "only sets with labels are graded on"
        served = None
        if serving is not None and not environment.on_gpu:
            served = serving.answer(Question(submission, section, data), data.labels, run)
        if served is not None:
            predictions, found = served
        else:
            with _scorer_in_waiting(environment) as scorer:
                predictions = predict(submission, version, section, data, environment, run, others)
                found = score(scorer.result(), predictions, data.labels, section)
        points = score_of(found.value, section)
        verdict = replace(
            verdict,
            remarks=predictions.remarks,
            predictions_sha256=hashlib.sha256(predictions.data).hexdigest(),
            predictions=predictions.data,
        )
        return verdict.scored(
            points,
            measured(found.value, section, found.noise),
            hints.sentence(found.hint, points, section),
        )

    return _decided(submission, section, data, environment, value)


def check(
    submission: Submission,
    section: Section,
    sample: DataSet,
    environment: Environment,
    others: Iterable[Other] = (),
) -> Verdict:
    """Return whether a submission would load and answer as agreed, on public sample inputs.

    Arguments as for `grade`; the sample needs no labels. There is no score and no metric.
    """

    def fit(run: PredictorRun, verdict: Verdict) -> Verdict:
        version = saved_with(submission, section, environment.keras)
        predictions = predict(submission, version, section, sample, environment, run, others)
        numbers = struct.unpack(f"<{len(predictions.data) // 4}f", predictions.data)
        bad = sum(not math.isfinite(number) for number in numbers)
        if bad:
            raise not_finite(bad)
        if section.metric.name == "log_loss" and not -1e-6 < min(numbers) <= max(numbers) < 1.01:
            raise no_probabilities("logits", section)
        sentence = "The model loads, takes the agreed input and returns the agreed output."
        return replace(
            verdict,
            status="fits",
            reason=None,
            message=" ".join([sentence, *predictions.remarks]),
            remarks=predictions.remarks,
        )

    return _decided(submission, section, sample, environment, fit)


def _decided(
    submission: Submission,
    section: Section,
    data: DataSet,
    environment: Environment,
    decide: Callable[[PredictorRun, Verdict], Verdict],
) -> Verdict:
    """Run the deciding steps; whoever they blame, return a verdict with all that is known."""
    started = time.monotonic()
    run = PredictorRun()
    verdict = Verdict(
        section=section.section,
        slug=section.slug,
        environment=environment.describe(),
        isolation=environment.isolation(),
        set_name=data.name,
        set_sha256=data.sha256,
        model=submission.record,
    )
    try:
        verdict = decide(run, verdict)
    except Rejection as rejection:
        verdict = verdict.rejected(rejection)
    except OurFault as fault:
        verdict = verdict.failed(fault)
    return replace(
        verdict,
        environment={**environment.describe(run.versions), "image": _image_id(environment)},
        hardware={name: run.versions.get(name) for name in _HARDWARE} if run.versions else None,
        seconds_total=time.monotonic() - started,
        seconds_predict=run.seconds,
        printed=run.printed,
        warm=run.warm,
    )


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
    if environment.image_id is not None:
        return environment.image_id
    try:
        image = environment.engine.image(environment.image)
    except OurFault:
        return None
    return image.id if image else None
