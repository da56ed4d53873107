"""Arrays as bytes: what the programs in containers send each other, and nothing executable.

A tensor is described by {"name", "dtype", "shape", "bytes"}. Numbers travel little-endian in row
order. Strings travel as one little-endian uint32 length each, then their UTF-8 one after another.
Runs on Python 3.9 and numpy 1.22.
"""

from __future__ import annotations

import numpy as np

NUMBERS = {
    "float32": np.dtype("<f4"),
    "float64": np.dtype("<f8"),
    "int32": np.dtype("<i4"),
    "int64": np.dtype("<i8"),
    "uint8": np.dtype("u1"),
}


def encode(name, array):
    """Return (description, bytes) of an array of a known dtype, or of str objects."""
    array = np.asarray(array)
    if array.dtype.kind in "OU":
        if array.ndim != 1:
            raise ValueError(f"strings must have one dimension, {name} has {array.ndim}")
        texts = [str(text).encode("utf-8") for text in array]
        lengths = np.array([len(text) for text in texts], dtype="<u4")
        return _described(name, "string", array.shape, lengths.tobytes() + b"".join(texts))
    for dtype, little in NUMBERS.items():
        if array.dtype == little:
            return _described(name, dtype, array.shape, np.ascontiguousarray(array).tobytes())
    raise ValueError(f"{name} has dtype {array.dtype}; use one of {', '.join(NUMBERS)} or str")


def _described(name, dtype, shape, body):
    description = {"name": name, "dtype": dtype, "shape": [int(n) for n in shape]}
    return {**description, "bytes": len(body)}, body


def decode(description, body):
    """Return the array of a description and its bytes; strings come as an object array of str.

    Raises `ValueError` when the bytes are not what the description says.
    """
    shape = tuple(description["shape"])
    if len(body) != description["bytes"]:
        raise ValueError(f"{description['name']}: {len(body)} bytes are not {description['bytes']}")
    if description["dtype"] != "string":
        return np.frombuffer(body, dtype=NUMBERS[description["dtype"]]).reshape(shape)
    (count,) = shape
    lengths = np.frombuffer(body[: 4 * count], dtype="<u4")
    if len(lengths) != count or 4 * count + int(lengths.sum(dtype="u8")) != len(body):
        raise ValueError(f"{description['name']}: the lengths of its texts are not those announced")
    texts = np.empty(count, dtype=object)
    start = 4 * count
    for row, length in enumerate(lengths.tolist()):
        texts[row] = body[start : start + length].decode("utf-8")
        start += length
    return texts


def decode_all(descriptions, body):
    """Return {name: array} of tensors that lie one after another in a body."""
    arrays, start = {}, 0
    for description in descriptions:
        end = start + description["bytes"]
        arrays[description["name"]] = decode(description, body[start:end])
        start = end
    return arrays
