"""What a supervised exam says of a model at fault: fixed sentences, with no number of the model's.

It has seen hidden inputs, and could carry them out in the shapes, versions and exit statuses that
the usual sentences quote. `exam check` runs it on public inputs, so it may say more.
"""

from __future__ import annotations

from dataclasses import replace

from exam_cli.config.section import Section
from exam_cli.grading.environment import Environment
from exam_cli.grading.verdict import Verdict

_SENTENCES = {
    "load_failed": "The model does not load: `exam check {n}` says more.",
    "version_mismatch": "The model was saved by other versions and does not load: where it was "
    "trained, run `pip install tensorflow=={tensorflow} keras=={keras}`, train and save again.",
    "wrong_input": "The model does not take what task {n} gives: `exam check {n}` says more.",
    "wrong_output": "The model does not return what task {n} asks for: `exam check {n}` says more.",
    "not_finite": "The model predicts numbers that are not finite: look for a division by zero or "
    "a diverged training.",
    "timeout": "The model took longer than the {seconds} s that it may: make it smaller.",
    "out_of_memory": "The model took more than the {memory} MB of memory that there are: make it "
    "smaller.",
    "crashed": "The model broke while it loaded or predicted: `exam check {n}` says more.",
    "output_overflow": "The model wrote far more than a prediction: it must print less.",
}


def silenced(verdict: Verdict, section: Section, environment: Environment) -> Verdict:
    """Return the verdict with nothing in it that the model may have chosen to say, but its score.

    What was found before any model ran (intake, preflight) stays as it is.
    """
    verdict = replace(verdict, remarks=(), printed=b"")
    if verdict.status != "rejected" or verdict.seconds_predict is None:
        return verdict
    assert verdict.reason is not None, "what is rejected has a reason"
    sentence = _SENTENCES[verdict.reason].format(
        n=section.section,
        tensorflow=environment.tensorflow,
        keras=environment.keras,
        seconds=section.limits.predict_seconds,
        memory=section.limits.memory_megabytes,
    )
    return replace(verdict, message=sentence)
