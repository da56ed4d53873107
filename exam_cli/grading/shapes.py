"""Advice on shapes: what a model takes or returns, beside what was agreed.

Shapes come from a stranger's program, so they are checked before they are looked at, and told only
where `faults.py` tells any. Rows are left out of all shapes here; None is an open dimension.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from exam_cli.config.section import Contract, InputForm, Section

# A section's directory and its contract.
Other = tuple[str, Contract]
Shape = Sequence[int | None]

_MAX_DIMENSIONS = 6
_MAX_NUMBER = 999_999  # more digits could carry the hidden inputs out
_CLASS_METRICS = ("accuracy", "macro_f1", "log_loss", "auroc")


def number(value: object) -> int | None:
    """Return a number that a stranger sent, or None when it is not a plain and small one."""
    return value if type(value) is int and 0 <= value <= _MAX_NUMBER else None


def shape(value: object) -> list[int | None] | None:
    """Return a shape that a stranger sent, or None when it is not a plain one."""
    if not isinstance(value, list) or len(value) > _MAX_DIMENSIONS:
        return None
    if not all(dim is None or number(dim) is not None for dim in value):
        return None
    return value


def agree(declared: Shape, row: Shape) -> bool:
    """Say whether shapes fit once dimensions of one are left out of both."""
    have, want = _without_ones(declared), _without_ones(row)
    return len(have) == len(want) and all(
        one in (None, other) for one, other in zip(have, want, strict=True)
    )


def _without_ones(one: Shape) -> list[int | None]:
    return [size for size in one if size != 1]


def on_input(got: Shape, forms: Iterable[InputForm]) -> str | None:
    """Return a sentence about a model that takes rows of another shape, if there is one to say."""
    for form in forms:
        want = list(form.shape)
        if len(want) < 1 or None in got or list(got) == want:
            continue
        if len(got) == len(want) == 3 and got[-1] == want[-1]:
            return f"Let it begin with an input of {_text(want)} and a Resizing layer."
        if not _same_size(got, want):
            continue
        if len(got) == 1:
            return (
                f"It takes flattened rows: let it begin with an input of {_text(want)} and a "
                "Flatten layer."
            )
        if sorted(_sizes(got)) == sorted(want):
            return "Its dimensions are in another order: the task's order counts (channels last)."
        return (
            "It takes as many numbers in another shape: let it begin with an input of "
            f"{_text(want)} and a Reshape layer."
        )
    return None


def on_output(got: Shape, section: Section) -> str | None:
    """Return a sentence about a model that returns rows of another shape, likewise."""
    want = list(section.contract.output.shape)
    classes = want[0] if len(want) == 1 and section.metric.name in _CLASS_METRICS else 1
    if classes > 1 and not _without_ones(got):
        return "It must return a score for each class, not the number of the class."
    if classes > 1 and list(got) == [classes + 1]:
        return f"Classes count from 0: the last layer needs {classes} units."
    if len(got) > len(want) and list(got[-len(want) :]) == want:
        return (
            "It returns one answer for each step or place: pool or flatten before the last layer, "
            "and let the last recurrent layer return no sequences."
        )
    if None not in got and _same_size(got, want):
        return "It returns as many numbers in another shape: let it end with a Reshape layer."
    return None


def another_section(spec: object, got: object, others: Iterable[Other]) -> str | None:
    """Return a sentence that names the section which a model looks made for, if any does.

    Args:
        spec: what the model says of its input: {"dtype", "shape", "returns"}, rows included.
        got: the shape of a row that it returned, if it came to that.
        others: the exam's other sections.
    """
    if not isinstance(spec, Mapping):
        return None
    taken, returned = shape(spec.get("shape")), shape(got)
    if returned is None:
        told = shape(spec.get("returns"))
        returned = told[1:] if told else None
    if not taken:
        return None
    found = [
        directory.split("-")[0]
        for directory, contract in others
        if _is_for(contract, spec.get("dtype"), taken[1:], returned)
    ]
    if not found:
        return None
    return f"This looks like a model for section {' or '.join(found)}."


def _is_for(contract: Contract, dtype: Any, taken: Shape, returned: Shape | None) -> bool:
    """Say whether a model fits a contract; what is open proves nothing."""
    if returned is None or None in returned:
        proven = taken != [] and None not in taken
    else:
        proven = agree(returned, contract.output.shape)
    return proven and any(
        (dtype == "string") == (form.dtype == "string") and agree(taken, form.shape)
        for form in contract.inputs
    )


def _sizes(one: Shape) -> list[int]:
    return [size for size in one if size is not None]


def _same_size(one: Shape, other: Shape) -> bool:
    return math.prod(_sizes(one)) == math.prod(_sizes(other))


def _text(dims: Sequence[int]) -> str:
    return str(tuple(dims))
