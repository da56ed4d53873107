"""Rows that sets share and labels that the order tells are found in the data itself."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.programs.conftest import load


@pytest.fixture(scope="module")
def look() -> ModuleType:
    return load("look")


def looked(look: ModuleType, probe: Any, final: Any, files: dict[str, bytes]) -> Any:
    labels = np.arange(len(probe)) % 2
    sets = {"probe": ({"x": probe}, labels), "final": ({"x": final}, labels[: len(final)])}
    return look.look(sets, files)


def test_rows_in_two_sets_or_twice_in_one_are_counted(look: ModuleType) -> None:
    probe = np.array([[1, 2], [3, 4], [3, 4], [5, 6]], np.float32)
    final = np.array([[5, 6], [1, 2], [7, 8]], np.float32)
    found = looked(look, probe, final, {})
    assert (found["shared"], found["repeated"], found["in_train"]) == (2, 1, 0)
    assert found["rows"] == {"probe": 4, "final": 3}


def test_the_same_rows_in_another_order_are_the_same_rows(look: ModuleType) -> None:
    rows = np.arange(12, dtype=np.float32).reshape(6, 2)
    one = looked(look, rows[:3], rows[3:], {})["rows_sha256"]
    assert one == looked(look, rows[2::-1], rows[5:2:-1], {})["rows_sha256"]
    assert one != looked(look, rows[:3] + 1, rows[3:], {})["rows_sha256"]


@pytest.mark.parametrize(
    "files",
    [
        {"train.jsonl": b'{"text": "a cat", "label": 1}\n'},
        {"train.csv": b'text,label\n"a cat",1\n'},
        {"train/1.txt": b"a dog\na cat\n"},
        {"train.json": '{"rows": [{"t": "größer"}, {"t": "a cat"}]}'.encode()},
    ],
)
def test_texts_that_stand_in_the_train_files_are_counted(
    look: ModuleType, files: dict[str, bytes]
) -> None:
    probe = np.array(["a cat", "a dog?"], dtype=object)
    final = np.array(["cat", "no"], dtype=object)
    assert looked(look, probe, final, files)["in_train"] == 1


@pytest.mark.parametrize("seed", range(5))
def test_order_that_tells_nothing_is_below_the_limit(look: ModuleType, seed: int) -> None:
    draw = np.random.Generator(np.random.PCG64(seed))
    assert look.order_of((draw.random(2000) * 12).astype(np.int32)) < 5
    assert look.order_of(draw.random((2000, 1)).astype(np.float32)) < 5
    assert look.order_of(draw.random((2000, 2, 24)).astype(np.float32)) < 5


def test_order_that_tells_is_far_above_it(look: ModuleType) -> None:
    draw = np.random.Generator(np.random.PCG64(1))
    classes = np.sort((draw.random(2000) * 12).astype(np.int32))
    numbers = np.sort(draw.random(2000)).astype(np.float32)[:, None]
    blocks = np.repeat((draw.random(400) * 12).astype(np.int32), 5)
    for labels in (classes, numbers, blocks, np.tile([0, 1], 1000)):
        assert look.order_of(labels) > 20
    assert look.order_of(np.zeros(100, np.int32)) == 0.0
