"""The sentences for a model that is at fault. Each is ours; of the model only numbers get in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exam_cli.config.section import InputForm, Section
from exam_cli.engine.port import ContainerState
from exam_cli.errors import OurFault
from exam_cli.grading.environment import Environment
from exam_cli.grading.preflight import version_text
from exam_cli.grading.verdict import Rejection

_MAX_DIMENSIONS = 6
_MAX_NUMBER = 999_999  # more digits could carry the hidden inputs out
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


def ended(state: ContainerState | None, section: Section) -> Exception:
    """The container ended without an answer: tell why by what the engine saw."""
    if state is None:
        return OurFault("The grader's container vanished during the grade: try again.")
    if state.out_of_memory:
        return _out_of_memory(section)
    if state.exit_code is None:
        return Rejection(
            "crashed", "The model closed the channel to the grader and went on: it must not."
        )
    return Rejection(
        "crashed",
        f"The model ended the grader's process (exit status {state.exit_code}) instead of "
        "predicting: load it in a fresh Python process and call predict to see why.",
    )


def _out_of_memory(section: Section) -> Rejection:
    return Rejection(
        "out_of_memory",
        f"Loading and predicting took more than the {section.limits.memory_megabytes} MB of "
        "memory that there are: make the model smaller.",
    )


def from_predictor(
    header: Mapping[str, Any],
    saved_with: str | None,
    section: Section,
    environment: Environment,
) -> Rejection:
    """Turn the predictor's fault frame into a rejection, trusting nothing but its numbers."""
    raw = header.get("detail")
    detail: Mapping[str, Any] = raw if isinstance(raw, dict) else {}
    match header.get("reason"):
        case "load_failed":
            return _load_failed(detail, saved_with, environment)
        case "wrong_input":
            return _wrong_input(detail, section)
        case "wrong_output":
            return _wrong_output(detail, section)
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
    saved = saved_with or version_text(detail.get("saved_with"))
    if saved is not None and saved.split("+")[0] != environment.keras:
        return Rejection(
            "version_mismatch",
            f"The model was saved by Keras {saved} and does not load in this edition's Keras "
            f"{environment.keras}: where it was trained, run `pip install "
            f"tensorflow=={environment.tensorflow} keras=={environment.keras}`, train and save "
            "again.",
        )
    if detail.get("missing") == "serving_default":
        return Rejection(
            "load_failed",
            "The SavedModel has no serving_default signature: save it with `model.export(...)`.",
        )
    return Rejection(
        "load_failed",
        "The model does not load in a fresh process: use only layers that load without your own "
        "code, and check with `keras.models.load_model`.",
    )


def _wrong_input(detail: Mapping[str, Any], section: Section) -> Rejection:
    expected = " or ".join(_form(form) for form in section.contract.inputs)
    count, batch = _number(detail.get("inputs")), _number(detail.get("batch"))
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
    told = _shape(got.get("shape")) if isinstance(got, dict) else None
    if isinstance(got, dict) and told:
        dtype = got.get("dtype")
        known = dtype if isinstance(dtype, str) and dtype in _DTYPES else "unknown"
        return Rejection("wrong_input", f"The model takes {known} {told}; it must take {expected}.")
    return Rejection("wrong_input", f"The model must take {expected}.")


def _wrong_output(detail: Mapping[str, Any], section: Section) -> Rejection:
    output = section.contract.output
    expected = f"{output.dtype} {_rows(output.shape)}"
    outputs, got = _number(detail.get("outputs")), _shape(detail.get("got"), rows=True)
    if outputs is not None:
        return Rejection(
            "wrong_output", f"The model returns {outputs} outputs; it must return one: {expected}."
        )
    if detail.get("dtype") is not None:
        return Rejection("wrong_output", f"The model must return numbers: {expected}.")
    if detail.get("rows") is not None:
        return Rejection("wrong_output", f"The model must return one prediction a row: {expected}.")
    if got:
        return Rejection("wrong_output", f"The model returns {got}; it must return {expected}.")
    return Rejection("wrong_output", f"The model must return {expected}.")


def _form(form: InputForm) -> str:
    return f"{form.dtype} {_rows(form.shape)}"


def _rows(shape: tuple[int, ...]) -> str:
    return (
        "(" + ", ".join(["rows", *(str(dim) for dim in shape)]) + ("," if not shape else "") + ")"
    )


def _number(value: object) -> int | None:
    """Return a number that a stranger sent, or None when it is not a plain and small one."""
    return value if type(value) is int and 0 <= value <= _MAX_NUMBER else None


def _shape(value: object, *, rows: bool = False) -> str | None:
    """Render a shape that a stranger sent, or None when it is not a plain one."""
    if not isinstance(value, list) or len(value) > _MAX_DIMENSIONS:
        return None
    if not all(dim is None or _number(dim) is not None for dim in value):
        return None
    dims = ["None" if dim is None else str(dim) for dim in value]
    dims = ["rows", *dims] if rows else dims
    return "(" + ", ".join(dims) + ("," if len(dims) == 1 else "") + ")"
