"""What a model takes and returns, against what was agreed: does it fit, and in which shape?

A section's contract is {"inputs": [{"name", "dtype", "shape"}], "output": {"dtype", "shape"}}, its
shapes without the rows. What a model says of its input, its spec, is {"dtype", "shape"}, its shape
with the rows and None where a dimension is open; a shape of None says nothing. If the model says
that, too, "returns" is the shape of what it returns.

Dimensions of one hold no data and move none, so they may be missing or too many, as long as the
rest fits in order: (28, 28) goes into a model that takes (28, 28, 1).
"""

from __future__ import annotations

import numpy as np

WHOLE = frozenset("{}int{}".format(sign, bits) for sign in ("", "u") for bits in (8, 16, 32, 64))


class Fault(Exception):
    """The model is at fault: a stable reason, and numbers or versions that explain it."""

    def __init__(self, reason, **detail):
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


def choose_input(contract, spec):
    """Return the name of the accepted input that fits what the model says of its input.

    Strings go to models that take strings. Numbers go to the others: Keras declares integer ids as
    float32 unless told otherwise, so whole and broken numbers are told apart by shape alone. A form
    of the very shape is preferred.
    """
    forms = contract["inputs"]
    if spec is None:
        return forms[0]["name"]
    able = [form for form in forms if takes(spec["dtype"], form["dtype"])]
    for fit in (shapes_fit, shapes_agree):
        for form in able:
            if spec["shape"] is None or fit(spec["shape"][1:], form["shape"]):
                return form["name"]
    raise Fault("wrong_input", got=spec)


def takes(declared, form):
    """Say whether an input of a declared dtype takes values of a form without losing anything."""
    if "string" in (declared, form):
        return declared == form
    if declared in WHOLE:
        return bool(np.can_cast(form, declared))
    return declared.startswith(("float", "bfloat"))


def shapes_fit(declared, row):
    """Say whether a declared shape takes rows of a shape as they are; both without the rows.

    The number of rows is not looked at: Keras notes that of the first call and then takes any.
    """
    if len(declared) != len(row):
        return False
    return all(declared[axis] in (None, row[axis]) for axis in range(len(row)))


def shapes_agree(declared, row):
    """Say whether it does so once dimensions of one are left out of both."""
    return shapes_fit(without_ones(declared), without_ones(row))


def without_ones(shape):
    """Return a shape without its dimensions of one."""
    return [size for size in shape if size != 1]


def as_declared(array, spec):
    """Return inputs, rows first, in the rank that a model declares."""
    if spec is None or spec["shape"] is None or shapes_fit(spec["shape"][1:], array.shape[1:]):
        return array
    # What is open is filled by the sizes that there are, in order.
    sizes = iter(without_ones(array.shape[1:]))
    return array.reshape([len(array)] + [1 if n == 1 else next(sizes) for n in spec["shape"][1:]])


def fit_output(array, expected):
    """Return outputs, rows first, in the agreed shape. Raises `Fault` (`wrong_output`)."""
    if without_ones(array.shape[1:]) != without_ones(expected):
        raise Fault("wrong_output", got=[int(n) for n in array.shape[1:]])
    return np.reshape(array, [len(array), *expected])
