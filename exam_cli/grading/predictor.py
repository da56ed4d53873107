"""Have a model answer in a container of its own; if it does not, tell why by evidence.

The evidence is the engine's word (killed for memory, exit code), our own clock, and the length of
what came back. What the program says about itself is believed only where it can do no harm: a model
may well claim to be at fault.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from exam_cli.config.section import Section
from exam_cli.config.values import plain
from exam_cli.errors import GpuMissing, OurFault
from exam_cli.grading import faults, pool
from exam_cli.grading.box import Box, PrintedTooMuch
from exam_cli.grading.environment import Environment, Needs
from exam_cli.grading.intake import Submission
from exam_cli.grading.shapes import Other
from exam_cli.grading.verdict import Rejection
from exam_cli.sections.vault import DataSet
from exam_cli.wire import Frame, FrameError, FrameTooLong, chunks, frame_start

_RECEIVED_SECONDS = 180.0
_BATCH_ROWS = (256, 2048)
_BATCH_BYTES = 6 << 20
_LINGER_SECONDS = 0.01
_WARM_SECONDS = 1.0  # one that takes longer to answer was still importing
_TMPFS = 256 << 20
_TMPFS_SLACK = 64 << 20


@dataclass(frozen=True)
class Predictions:
    """An array of float32 in row order: little-endian bytes and its shape, rows first.

    `remarks` are sentences about shapes that were made to fit.
    """

    shape: tuple[int, ...]
    data: bytes
    remarks: tuple[str, ...] = ()


@dataclass
class PredictorRun:
    """What is known of a run so far; filled in while it goes, so that a failure can be told."""

    versions: Mapping[str, Any] | None = None
    warm: bool = False
    seconds: float | None = None
    printed: bytes = b""


@dataclass(frozen=True)
class Question:
    """What a predictor is asked: a model, and the inputs it is to answer for.

    The token is in both answers, so neither can have been written before the question was known.
    """

    submission: Submission
    section: Section
    data: DataSet
    token: str = field(default_factory=lambda: secrets.token_hex(16))


def predict(
    submission: Submission,
    saved_with: str | None,
    section: Section,
    data: DataSet,
    environment: Environment,
    run: PredictorRun,
    others: Iterable[Other] = (),
) -> Predictions:
    """Return a model's predictions for every row of a data set.

    Args:
        submission: the snapshot.
        saved_with: the Keras version that saved it, if known.
        section: the contract and the limits.
        data: the inputs; its labels stay here.
        environment: where to run.
        run: takes versions, seconds and what the model printed.
        others: directories and contracts of other sections, which the model may be for.

    Raises `Rejection` when the model is at fault and `OurFault` when we are.
    """
    question = Question(submission, section, data)
    with environment.gpu_alone(), _listening(question, environment, run) as box:
        frame = answer_to(question, box, run)
    if frame.header.get("kind") == "fault":
        if environment.on_gpu and frame.header.get("reason") == "out_of_memory":
            raise faults.gpu_memory()
        raise faults.from_predictor(frame.header, saved_with, section, environment, others)
    return predictions_in(frame, question)


def ask(question: Question, box: Box, run: PredictorRun) -> None:
    """Send a question and wait until the program has it. Raises `OurFault`: no model is loaded."""
    box.send(_request(question))
    run.versions = _await_received(question, box)
    box.printed.clear()  # TensorFlow's own chatter while it was imported


def answer_to(question: Question, box: Box, run: PredictorRun) -> Frame:
    """Wait for the answer to a question that the program has. Raises `Rejection`, `OurFault`."""
    section = question.section
    limit = question.data.rows * section.contract.output.row_bytes
    started = time.monotonic()
    try:
        try:
            frame = box.receive(limit, float(section.limits.predict_seconds), fair=True)
        finally:
            run.seconds = time.monotonic() - started
        box.linger(_LINGER_SECONDS)
        if frame is None:
            raise faults.ended(box.ended(), section)
    except TimeoutError:
        raise faults.timeout(section) from None
    except (FrameTooLong, PrintedTooMuch):
        raise faults.output_overflow() from None
    except FrameError:
        raise faults.unreadable() from None
    finally:
        run.printed = bytes(box.printed)
    if frame.header.get("token") != question.token:
        raise faults.unreadable()
    return frame


def predictions_in(frame: Frame, question: Question) -> Predictions:
    """Return the predictions that an answer holds. Raises `Rejection` if it holds none."""
    section = question.section
    shape = (question.data.rows, *section.contract.output.shape)
    told = frame.header.get("shape")
    good = frame.header.get("kind") == "predictions" and frame.header.get("dtype") == "float32"
    if not good or told != list(shape) or len(frame.body) != 4 * math.prod(shape):
        raise Rejection("wrong_output", "The model's answer does not have the agreed shape.")
    return Predictions(shape, frame.body, faults.remarks(frame.header, section))


def predictor_needs(section: Section) -> Needs:
    """Return what a predictor may take in a section, the model's file and weights included.

    Where sections agree on their limits, one waiting predictor serves any of them.
    """
    largest = section.contract.max_megabytes << 20
    return Needs(section.limits.memory_megabytes << 20, max(_TMPFS, largest + _TMPFS_SLACK))


@contextmanager
def _listening(question: Question, environment: Environment, run: PredictorRun) -> Iterator[Box]:
    """Yield a predictor that has the question: a warm one if one is ready, else a fresh one."""
    needs = predictor_needs(question.section)
    if environment.on_gpu:
        # Never one that answers later: it is gone, and its memory of the GPU, before the next.
        with Box.fresh(environment.engine, environment.container("predictor", needs)) as box:
            ask(question, box, run)
            _need_gpu(run)
            yield box
        return
    warm = pool.claim(environment, "predictor", needs)
    if warm is not None:
        with warm:
            started = time.monotonic()
            alive = False
            with suppress(OurFault):  # it has died while it waited: no model was loaded yet
                ask(question, warm, run)
                alive = True
            if alive:
                run.warm = time.monotonic() - started < _WARM_SECONDS
                yield warm
                return
    spec = environment.container("predictor", needs)
    with Box.fresh(environment.engine, spec, environment.discard) as box:
        ask(question, box, run)
        yield box


def _need_gpu(run: PredictorRun) -> None:
    """Raise `GpuMissing` if the program computes on the processor: no model is loaded yet."""
    if not (run.versions or {}).get("gpus"):
        raise GpuMissing(
            "The exam is graded on a GPU and TensorFlow found none in the grader's container: "
            "`exam doctor` says what is missing."
        )


def _await_received(question: Question, box: Box) -> Mapping[str, Any]:
    """Wait until the program has all it needs. No model is loaded yet, so faults are ours."""
    try:
        received = box.receive(0, _RECEIVED_SECONDS)
    except TimeoutError as error:
        raise OurFault(
            f"The grader did not start within {_RECEIVED_SECONDS:.0f} s: the machine is "
            "overloaded; try again when it has calmed down."
        ) from error
    except (FrameError, PrintedTooMuch) as error:
        raise OurFault("The grader did not start as it should: try again.") from error
    header = received.header if received is not None else {}
    if (header.get("kind"), header.get("token")) != ("received", question.token):
        state = box.ended()
        why = "ran out of memory" if state and state.out_of_memory else "ended early"
        raise OurFault(f"The grader {why} before it saw the model: try again.") from RuntimeError(
            box.printed.decode(errors="replace")
        )
    return header


def _batch(data: DataSet) -> int:
    """Return how many rows go through the model at once: more of small rows, fewer of pictures."""
    row_bytes = max(tensor.bytes for tensor in data.inputs) // max(1, data.rows)
    least, most = _BATCH_ROWS
    return min(most, max(least, _BATCH_BYTES // max(1, row_bytes)))


def _request(question: Question) -> Iterator[bytes]:
    """Yield the one frame that goes in: contract, model, inputs."""
    submission, data = question.submission, question.data
    header = {
        "token": question.token,
        "contract": plain(question.section.contract),
        "batch": _batch(data),
        "model": {
            "format": submission.format,
            "root": submission.root,
            "files": [{"path": file.name, "bytes": file.bytes} for file in submission.files],
        },
        "tensors": [tensor.description for tensor in data.inputs],
    }
    size = submission.record.bytes + sum(tensor.bytes for tensor in data.inputs)
    yield frame_start(header, size)
    for path in [file.path for file in submission.files] + [one.path for one in data.inputs]:
        with path.open("rb") as stream:
            yield from chunks(stream)
