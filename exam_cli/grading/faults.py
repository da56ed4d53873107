"""The sentences for a model that is at fault. Each is ours; of the model only numbers get in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from exam_cli.config.edition import editions
from exam_cli.config.section import InputForm, Section
from exam_cli.engine.port import ContainerState
from exam_cli.errors import ExamError, OurFault
from exam_cli.grading import shapes
from exam_cli.grading.environment import Environment
from exam_cli.grading.preflight import version_text
from exam_cli.grading.seccomp import KILLED
from exam_cli.grading.verdict import Rejection

_DTYPES = frozenset(
    ["string", "bool", "bfloat16", "complex64", "complex128"]
    + [f"float{bits}" for bits in (16, 32, 64)]
    + [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
)


def timeout(section: Section) -> Rejection:
    """The clock ran out."""
    return Rejection(
        "timeout",
        f"The model took longer than the {section.limits.predict_seconds} s that loading and "
        "predicting may take: make it smaller.",
    )


def output_overflow() -> Rejection:
    """More bytes came than were agreed."""
    return Rejection(
        "output_overflow", "The model wrote far more output than a prediction: it must print less."
    )


def unreadable() -> Rejection:
    """The answer was no frame."""
    return Rejection("crashed", "The model's answer could not be read: it wrote into the channel.")


def not_finite(count: int) -> Rejection:
    """`count` numbers are NaN or infinite; 0 when they are only too large to compute with."""
    what = f"{count} of the predicted numbers are" if count else "The predicted numbers are"
    return Rejection(
        "not_finite",
        f"{what} not finite (NaN, infinite or too large): look for a division by zero or a "
        "diverged training.",
    )


def no_probabilities(kind: object, section: Section) -> Rejection:
    """The metric needs probabilities and got numbers outside 0..1 (logits), or odd sums."""
    if kind == "sums":
        return Rejection(
            "wrong_output",
            "The model's probabilities do not add up to 1 in a row: end it with one softmax over "
            "all classes, not with a sigmoid for each.",
        )
    last = "sigmoid" if section.contract.output.shape == (1,) else "softmax"
    return Rejection(
        "wrong_output",
        f"The model returns logits (numbers outside 0 to 1) where {section.metric.name} needs "
        f"probabilities: add a {last} at its end.",
    )


def ended(state: ContainerState | None, section: Section) -> Exception:
    """The container said no more: tell why by what the engine saw."""
    if state is None:
        return OurFault("The grader's container vanished during the grade: try again.")
    if state.out_of_memory:
        return _out_of_memory(section)
    if state.exit_code is None:
        # What the program closes, the engine keeps open: the line to the engine itself was cut.
        return OurFault("The connection to the engine broke during the grade: try again.")
    if state.exit_code == KILLED:
        # No program can end so by itself, and from within a container its first cannot be killed.
        return OurFault("The grader's container was killed from outside: try again.")
    return Rejection(
        "crashed",
        f"The model ended the grader's process (exit status {state.exit_code}) instead of "
        "predicting: load it in a fresh Python process and call predict to see why.",
    )


def gpu_memory() -> OurFault:
    """A GPU's memory is full: that proves nobody's fault, for others may have filled it."""
    return OurFault(
        "The GPU's memory did not suffice to load and predict: end what else uses it (`nvidia-smi` "
        "shows that) and try again, or make the model smaller.",
        reason="gpu_memory",
    )


def _out_of_memory(section: Section) -> Rejection:
    return Rejection(
        "out_of_memory",
        f"Loading and predicting took more than the {section.limits.memory_megabytes} MB of "
        "memory, /tmp included, that there are: make the model smaller.",
    )


def from_predictor(
    header: Mapping[str, Any],
    saved_with: str | None,
    section: Section,
    environment: Environment,
    others: Iterable[shapes.Other] = (),
) -> Rejection:
    """Turn the predictor's fault frame into a rejection, trusting nothing but its numbers.

    `others` are the directories and contracts of the exam's other sections: the model may be for
    one of them.
    """
    raw = header.get("detail")
    detail: Mapping[str, Any] = raw if isinstance(raw, dict) else {}
    match header.get("reason"):
        case "load_failed":
            return _load_failed(detail, saved_with, environment)
        case "wrong_input":
            return _wrong_input(detail, section, others)
        case "wrong_output":
            return _wrong_output(detail, section, others)
        case "out_of_memory":
            return _out_of_memory(section)
        case _:
            return Rejection(
                "crashed",
                "The model loaded but raised an error while predicting: load it in a fresh Python "
                "process and call it on the task's example input to see why.",
            )


def _load_failed(
    detail: Mapping[str, Any], saved_with: str | None, environment: Environment
) -> Rejection:
    keras = saved_with or version_text(detail.get("saved_with"))
    if keras is not None and keras.split("+")[0] != environment.keras:
        return _mismatch("Keras", keras, environment.keras, environment)
    tensorflow = version_text(detail.get("tensorflow"))
    if tensorflow is not None and tensorflow.split("+")[0] != environment.tensorflow:
        return _mismatch("TensorFlow", tensorflow, environment.tensorflow, environment)
    if detail.get("missing") == "serving_default":
        return Rejection(
            "load_failed",
            "The SavedModel has no serving_default signature: save it with `model.export(...)`.",
        )
    if detail.get("missing") == "model_config":
        return Rejection(
            "load_failed",
            "The file holds weights without a model: save the whole model with `model.save`.",
        )
    if "saved_with" in detail:  # HDF5, which holds no slices and operators between layers
        return Rejection(
            "load_failed",
            "The model does not load from HDF5 in a fresh process: save it as model.keras, which "
            "holds more, and check that with `keras.models.load_model`.",
        )
    return Rejection(
        "load_failed",
        "The model does not load in a fresh process: use only layers that load without your own "
        "code, and check with `keras.models.load_model`.",
    )


def _mismatch(what: str, saved: str, here: str, environment: Environment) -> Rejection:
    made_for = _edition_with(what, saved)
    return Rejection(
        "version_mismatch",
        f"The model was saved by {what} {saved} and does not load in this edition's {what} {here}: "
        "where it was trained, run `pip install "
        f"tensorflow=={environment.tensorflow} keras=={environment.keras}`, train and save again."
        + (f" It looks made for the edition {made_for}." if made_for else ""),
    )


def _edition_with(what: str, version: str) -> str:
    """Return the name of the edition that has this Keras or TensorFlow, "" where none has."""
    with contextlib.suppress(ExamError):  # a faulty file of another edition is none of ours
        for one in editions():
            if version == (one.keras if what == "Keras" else one.tensorflow):
                return one.edition
    return ""


def _wrong_input(
    detail: Mapping[str, Any], section: Section, others: Iterable[shapes.Other]
) -> Rejection:
    expected = " or ".join(_form(form) for form in section.contract.inputs)
    count, batch = shapes.number(detail.get("inputs")), shapes.number(detail.get("batch"))
    got = detail.get("got")
    if count is not None:
        return Rejection(
            "wrong_input", f"The model takes {count} inputs; it must take one: {expected}."
        )
    if batch is not None:
        return Rejection(
            "wrong_input",
            f"The model takes batches of exactly {batch} rows; leave the batch size open (None).",
        )
    told = shapes.shape(got.get("shape")) if isinstance(got, dict) else None
    if not isinstance(got, dict) or told is None:
        return Rejection("wrong_input", f"The model must take {expected}.")
    dtype = got.get("dtype")
    known = dtype if isinstance(dtype, str) and dtype in _DTYPES else "unknown"
    advice = shapes.another_section(got, None, others)
    advice = advice or shapes.on_input(told[1:], section.contract.inputs)
    return _with(
        advice, "wrong_input", f"The model takes {known} {_text(told)}; it must take {expected}."
    )


def _wrong_output(
    detail: Mapping[str, Any], section: Section, others: Iterable[shapes.Other]
) -> Rejection:
    output = section.contract.output
    expected = f"{output.dtype} {_rows(output.shape)}"
    outputs, got = shapes.number(detail.get("outputs")), shapes.shape(detail.get("got"))
    if outputs is not None:
        return Rejection(
            "wrong_output", f"The model returns {outputs} outputs; it must return one: {expected}."
        )
    if detail.get("dtype") is not None:
        return Rejection("wrong_output", f"The model must return numbers: {expected}.")
    if detail.get("rows") is not None:
        return Rejection("wrong_output", f"The model must return one prediction a row: {expected}.")
    if got is None:
        return Rejection("wrong_output", f"The model must return {expected}.")
    advice = shapes.another_section(detail.get("took"), got, others)
    return _with(
        advice or shapes.on_output(got, section),
        "wrong_output",
        f"The model returns {_rows(got)}; it must return {expected}.",
    )


def _with(advice: str | None, reason: str, sentence: str) -> Rejection:
    return Rejection(reason, f"{sentence} {advice}" if advice else sentence)


def remarks(header: Mapping[str, Any], section: Section) -> tuple[str, ...]:
    """Return what to say of a model whose shapes are the agreed ones but for dimensions of one."""
    took, gave = shapes.shape(header.get("took")), shapes.shape(header.get("gave"))
    said = []
    if took is not None and any(shapes.agree(took, one.shape) for one in section.contract.inputs):
        said.append(f"The model takes {_rows(took)}: the rows were given that shape.")
    output = section.contract.output.shape
    if gave is not None and shapes.agree(gave, output):
        said.append(f"The model returns {_rows(gave)}: that was taken as {_rows(output)}.")
    return tuple(said)


def _form(form: InputForm) -> str:
    return f"{form.dtype} {_rows(form.shape)}"


def _rows(row: shapes.Shape) -> str:
    return _text(["rows", *row])


def _text(dims: Sequence[int | str | None]) -> str:
    return "(" + ", ".join(str(dim) for dim in dims) + ("," if len(dims) == 1 else "") + ")"
