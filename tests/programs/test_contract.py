"""Which shapes fit, which are made to fit, and which are refused."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.programs.conftest import load

sizes = st.lists(st.integers(1, 4), max_size=4)


@pytest.fixture(scope="module")
def contract() -> ModuleType:
    return load("contract")


def agreed(*forms: tuple[str, list[int]]) -> dict[str, Any]:
    """Return a contract whose inputs are named after their place."""
    inputs = [
        {"name": str(n), "dtype": dtype, "shape": shape} for n, (dtype, shape) in enumerate(forms)
    ]
    return {"inputs": inputs, "output": {"dtype": "float32", "shape": [12]}}


IMAGES = agreed(("float32", [28, 28]))
TEXTS = agreed(("string", []), ("int32", [40]))


@pytest.mark.parametrize(
    ("what", "dtype", "shape", "name"),
    [
        (IMAGES, "float32", [None, 28, 28], "0"),
        (IMAGES, "float64", [None, 28, 28, 1], "0"),
        (IMAGES, "bfloat16", [None, 1, 28, 28], "0"),
        (IMAGES, "float16", [None, None, None, 1], "0"),
        (IMAGES, "float32", None, "0"),
        (IMAGES, "float32", [None, 784], None),
        (IMAGES, "float32", [None, 28], None),
        (IMAGES, "float32", [None, 28, 28, 3], None),
        (IMAGES, "float32", [28, 28], None),
        (IMAGES, "uint8", [None, 28, 28], None),
        (IMAGES, "string", [None], None),
        (TEXTS, "string", [None], "0"),
        (TEXTS, "string", [None, 1], "0"),
        (TEXTS, "string", [None, 40], None),
        (TEXTS, "int64", [None, 40], "1"),
        (TEXTS, "float32", [None, 40], "1"),
        (TEXTS, "float32", [None, None], "1"),
        (TEXTS, "int32", [None, 40, 1], "1"),
        (TEXTS, "uint8", [None, 40], None),  # ids over 255 would become others
        (TEXTS, "bool", [None, 40], None),
        (agreed(("uint8", [8, 8, 3])), "int32", [None, 8, 8, 3], "0"),
        # The very shape is preferred to one that is made to fit, wherever it stands.
        (agreed(("float32", [5, 1]), ("float32", [5])), "float32", [None, 5], "1"),
        (agreed(("float32", [5, 1]), ("float32", [5])), "float32", [None, 1, 5], "0"),
    ],
)
def test_which_input_a_model_gets(
    contract: ModuleType, what: dict[str, Any], dtype: str, shape: list[int], name: str | None
) -> None:
    spec = {"dtype": dtype, "shape": shape}
    if name is not None:
        assert contract.choose_input(what, spec) == name
        return
    with pytest.raises(contract.Fault) as caught:
        contract.choose_input(what, spec)
    assert caught.value.reason == "wrong_input" and caught.value.detail == {"got": spec}


@given(row=sizes, declared=sizes, data=st.data())
def test_rows_are_given_the_declared_shape_and_keep_their_order(
    contract: ModuleType, row: list[int], declared: list[int], data: st.DataObject
) -> None:
    array = np.arange(2 * np.prod(row, dtype=int)).reshape([2, *row])
    if not contract.shapes_agree(declared, row):
        assert [n for n in declared if n != 1] != [n for n in row if n != 1]
        return
    opened = [None if n != 1 and data.draw(st.booleans()) else n for n in declared]
    found = contract.as_declared(array, {"dtype": "float32", "shape": [None, *opened]})
    assert found.shape == (2, *declared)
    assert found.ravel().tolist() == array.ravel().tolist()


@given(row=sizes, expected=sizes)
def test_outputs_are_given_the_agreed_shape_or_refused(
    contract: ModuleType, row: list[int], expected: list[int]
) -> None:
    array = np.arange(3 * np.prod(row, dtype=int)).reshape([3, *row])
    if [n for n in row if n != 1] == [n for n in expected if n != 1]:
        found = contract.fit_output(array, expected)
        assert found.shape == (3, *expected)
        assert found.ravel().tolist() == array.ravel().tolist()
        return
    with pytest.raises(contract.Fault) as caught:
        contract.fit_output(array, expected)
    assert caught.value.reason == "wrong_output" and caught.value.detail == {"got": row}


def test_a_model_that_says_nothing_gets_rows_as_they_are(contract: ModuleType) -> None:
    array = np.zeros((2, 28, 28))
    assert contract.choose_input(IMAGES, None) == "0"
    for spec in (None, {"dtype": "float32", "shape": None}):
        assert contract.as_declared(array, spec) is array
