"""Arrays come out of the wire as they went in, and damaged ones do not come out at all."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

DTYPES = ("float32", "float64", "int32", "int64", "uint8")

shapes = npst.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5)
numbers = st.sampled_from(DTYPES).flatmap(lambda dtype: npst.arrays(dtype, shapes))
strings = st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=12)


def same(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    """Equal to the bit: NaN equals NaN, and zero does not equal minus zero."""
    return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())


@given(array=numbers)
def test_numbers_come_back(tensors: ModuleType, array: np.ndarray[Any, Any]) -> None:
    description, body = tensors.encode("x", array)
    assert description == {
        "name": "x",
        "dtype": array.dtype.name,
        "shape": list(array.shape),
        "bytes": array.nbytes,
    }
    assert same(tensors.decode(description, body), array)


@given(texts=strings)
def test_strings_come_back(tensors: ModuleType, texts: list[str]) -> None:
    array = np.array(texts, dtype=object)
    description, body = tensors.encode("text", array)
    assert description["dtype"] == "string" and description["bytes"] == len(body)
    assert tensors.decode(description, body).tolist() == texts


@pytest.mark.parametrize(
    "text", ["", "ascii", "größer", "日本語", "🌲 𐍈", "\x00a\x00", "a\nb", "é"]
)
def test_one_string(tensors: ModuleType, text: str) -> None:
    description, body = tensors.encode("text", np.array([text, "", text], dtype=object))
    assert tensors.decode(description, body).tolist() == [text, "", text]


def test_fixed_width_strings_travel_like_others(tensors: ModuleType) -> None:
    description, body = tensors.encode("text", np.array(["ab", "c"]))
    assert tensors.decode(description, body).tolist() == ["ab", "c"]


@given(array=npst.arrays("float32", npst.array_shapes(min_dims=2, max_dims=3)))
def test_memory_order_does_not_matter(tensors: ModuleType, array: np.ndarray[Any, Any]) -> None:
    reversed_axes = np.asfortranarray(array).T
    assert same(tensors.decode(*tensors.encode("x", reversed_axes)), reversed_axes)
    strided = array[::2, ::-1]
    assert same(tensors.decode(*tensors.encode("x", strided)), strided)


def test_numbers_are_little_endian(tensors: ModuleType) -> None:
    assert tensors.encode("x", np.array([1], dtype="<i4"))[1] == b"\x01\0\0\0"
    with pytest.raises(ValueError, match="has dtype >i4"):
        tensors.encode("x", np.array([1], dtype=">i4"))


@pytest.mark.parametrize("dtype", ["float16", "int16", "uint32", "bool", "complex64", "S3"])
def test_other_dtypes_are_refused(tensors: ModuleType, dtype: str) -> None:
    with pytest.raises(ValueError, match="has dtype"):
        tensors.encode("x", np.zeros(3, dtype=dtype))


def test_strings_have_one_dimension(tensors: ModuleType) -> None:
    with pytest.raises(ValueError, match="one dimension"):
        tensors.encode("x", np.array([["a"]], dtype=object))


@given(array=numbers, data=st.data())
def test_bytes_of_another_length_are_refused(
    tensors: ModuleType, array: np.ndarray[Any, Any], data: st.DataObject
) -> None:
    description, body = tensors.encode("x", array)
    other = data.draw(st.binary(max_size=200).filter(lambda bytes_: len(bytes_) != len(body)))
    with pytest.raises(ValueError, match="bytes are not"):
        tensors.decode(description, other)
    if body:
        with pytest.raises(ValueError):
            tensors.decode({**description, "bytes": len(body) - 1}, body[:-1])


@given(texts=strings, data=st.data())
def test_texts_of_other_lengths_are_refused(
    tensors: ModuleType, texts: list[str], data: st.DataObject
) -> None:
    description, body = tensors.encode("text", np.array(["word", *texts], dtype=object))
    for other in (body[:-1], body + b"x", body[: data.draw(st.integers(0, len(body) - 1))]):
        with pytest.raises(ValueError):
            tensors.decode({**description, "bytes": len(other)}, other)
    longer = (2**32 - 1).to_bytes(4, "little") + body[4:]
    with pytest.raises(ValueError, match="lengths of its texts"):
        tensors.decode(description, longer)


@given(first=numbers, texts=strings, last=numbers)
def test_several_lie_one_after_another(
    tensors: ModuleType, first: np.ndarray[Any, Any], texts: list[str], last: np.ndarray[Any, Any]
) -> None:
    sent = {"first": first, "text": np.array(texts, dtype=object), "last": last}
    encoded = [tensors.encode(name, array) for name, array in sent.items()]
    back = tensors.decode_all([one for one, _ in encoded], b"".join(body for _, body in encoded))
    assert list(back) == list(sent)
    assert same(back["first"], first) and same(back["last"], last)
    assert back["text"].tolist() == texts
