"""Silhouettes of animals: what the second form of section 2 does in its own way."""

from __future__ import annotations

import gzip
import io
import os
import pickle

import numpy as np
import pytest

from tests.sections_data.conftest import OTHER_SEED, SEED, load_dataset


class Trap:
    """A value that runs a program when it is unpickled."""

    def __reduce__(self):
        return os.abort, ()


def packed(value: object) -> bytes:
    return gzip.compress(pickle.dumps(value, protocol=4))


@pytest.fixture
def animals(monkeypatch: pytest.MonkeyPatch):
    module = load_dataset("2-classification-b")
    monkeypatch.setattr(module, "TRAIN_EACH", 12)
    monkeypatch.setattr(module, "HIDDEN_EACH", 4)
    return module


def source(module, each: int = 60) -> dict[str, dict[str, bytes]]:
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (10 * each, 28, 28), dtype=np.uint8)
    classes = np.arange(10).repeat(each)
    return {"animals": {module.IMAGES: packed(images), module.LABELS: packed(classes)}}


def test_reads_what_was_pickled(animals) -> None:
    rng = np.random.default_rng(1)
    expected = rng.integers(0, 256, (600, 28, 28), dtype=np.uint8)
    images, classes = animals.read(source(animals)["animals"])
    assert np.array_equal(images, expected)
    assert np.array_equal(classes, np.arange(10).repeat(60))


def test_a_pickle_is_never_run(animals) -> None:
    assert animals.array_bytes(packed([Trap(), b"x" * 1000])) == b"x" * 1000


@pytest.mark.parametrize("content", [[b"x" * 1000, b"y" * 1000], "no array"])
def test_a_file_with_another_number_of_arrays_is_an_error(animals, content: object) -> None:
    with pytest.raises(ValueError, match="arrays instead of one"):
        animals.array_bytes(packed(content))


def test_same_seed_same_bytes_and_another_seed_other_sets(animals) -> None:
    given = source(animals)
    one, two, other = (animals.build(given, seed) for seed in (SEED, SEED, OTHER_SEED))
    assert one["train"] == two["train"]
    assert one["train"]["train.npz"] != other["train"]["train.npz"]
    for name in ("probe", "final"):
        images = [built[name]["inputs"]["image"] for built in (one, two, other)]
        assert np.array_equal(images[0], images[1])
        assert not np.array_equal(images[0], images[2])
        assert np.array_equal(one[name]["labels"], two[name]["labels"])
        assert np.array_equal(np.bincount(one[name]["labels"]), [4] * 10)


def test_no_session_trains_on_what_another_one_hides(animals, monkeypatch) -> None:
    monkeypatch.setattr(animals, "moved", lambda rng, images: images)
    sessions = [animals.build(source(animals), bytes([number]) * 32) for number in range(4)]
    trained, hidden = set(), set()
    for built in sessions:
        with np.load(io.BytesIO(built["train"]["train.npz"])) as arrays:
            trained |= {image.tobytes() for image in arrays["images"]}
        for name in ("probe", "final"):
            frames = built[name]["inputs"]["image"].astype(np.uint8)
            hidden |= {image.tobytes() for image in frames}
    assert trained
    assert hidden
    assert not trained & hidden


def test_a_mirrored_picture_is_a_duplicate_and_a_symmetric_one_is_not(animals) -> None:
    rng = np.random.default_rng(2)
    one, two = rng.integers(0, 256, (2, 28, 28), dtype=np.uint8)
    symmetric = np.hstack([two[:, :14], two[:, 13::-1]])
    rows = np.stack([one, symmetric, one[:, ::-1], two])
    kept, classes = animals.distinct(rows, np.array([3, 4, 3, 5]))
    assert np.array_equal(kept, rows[[0, 1, 3]])
    assert classes.tolist() == [3, 4, 5]
