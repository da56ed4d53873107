"""Pictures of clothing: the sets of section 2, from a small synthetic source."""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import re
from types import ModuleType

import numpy as np
import pytest
import yaml

from tests.sections_data.conftest import OTHER_SEED, SECTIONS, SEED, load_dataset

FORMS = ("2-classification", "2-classification-b")
IDX_HEAD = 16  # bytes, in a file of pictures
HIDDEN = ("probe", "final")
LIMIT = 8 * 28 * 28


def pictures(each: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Random pictures and their classes, as many of each."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (10 * each, 28, 28), dtype=np.uint8)
    return images, np.arange(10).repeat(each)


def fashion(images: np.ndarray, classes: np.ndarray) -> dict[str, bytes]:
    """The four files of the source; a seventh of the pictures is in the second half."""
    folder, cut = "usr/share/datasets/fashion-mnist/", len(images) * 6 // 7
    files = {}
    for half, rows in (("train", slice(0, cut)), ("t10k", slice(cut, None))):
        pixels = bytes(IDX_HEAD) + images[rows].tobytes()
        numbers = bytes(8) + classes[rows].astype(np.uint8).tobytes()
        files[f"{folder}{half}-images-idx3-ubyte.gz"] = gzip.compress(pixels)
        files[f"{folder}{half}-labels-idx1-ubyte.gz"] = gzip.compress(numbers)
    return files


@pytest.fixture
def clothes(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The section with sets small enough for a synthetic source."""
    module = load_dataset("2-classification")
    monkeypatch.setattr(module, "TRAIN_EACH", 12)
    monkeypatch.setattr(module, "HIDDEN_EACH", 4)
    return module


@pytest.fixture
def still(clothes: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The same, with pictures left as they are in the source, so that they can be recognised."""
    monkeypatch.setattr(clothes, "moved", lambda rng, images: images)
    return clothes


def train_set(built: dict) -> tuple[np.ndarray, np.ndarray]:
    with np.load(io.BytesIO(built["train"]["train.npz"])) as arrays:
        return arrays["images"], arrays["labels"]


def names(built: dict) -> list[str]:
    return built["train"]["labels.txt"].decode().splitlines()


def keys(images: np.ndarray) -> list[bytes]:
    return [image.astype(np.uint8).tobytes() for image in images]


def test_same_seed_same_bytes_and_another_seed_other_sets(clothes) -> None:
    source = {"fashion": fashion(*pictures(60))}
    one, two, other = (clothes.build(source, seed) for seed in (SEED, SEED, OTHER_SEED))
    assert one["train"] == two["train"]
    assert one["train"]["train.npz"] != other["train"]["train.npz"]
    for name in ("probe", "final"):
        assert np.array_equal(one[name]["labels"], two[name]["labels"])
        images = [built[name]["inputs"]["image"] for built in (one, two, other)]
        assert np.array_equal(images[0], images[1])
        assert not np.array_equal(images[0], images[2])


def test_train_file_has_the_bytes_it_always_had(clothes) -> None:
    built = clothes.build({"fashion": fashion(*pictures(60))}, SEED)
    content = built["train"]["labels.txt"] + built["train"]["train.npz"]
    assert hashlib.sha256(content).hexdigest() == (
        "da890e0f30145c200f80b87c44a153f7428629ba5805f5c4ada8764c0cb8c292"
    )


def test_arrays_have_the_shapes_and_dtypes_of_the_contract(clothes) -> None:
    built = clothes.build({"fashion": fashion(*pictures(60))}, SEED)
    images, labels = train_set(built)
    assert (images.dtype, images.shape) == (np.uint8, (120, 28, 28))
    assert (labels.dtype, labels.shape) == (np.uint8, (120,))
    for name, count in (("sample", 16), ("probe", 40), ("final", 40)):
        hidden = built[name]["inputs"]["image"]
        assert (hidden.dtype, hidden.shape) == (np.float32, (count, 28, 28))
        assert hidden.max() > 200  # as stored, not scaled
    for name in ("probe", "final"):
        assert (built[name]["labels"].dtype, built[name]["labels"].shape) == (np.int32, (40,))


def test_sets_are_balanced_shuffled_and_labelled_as_labels_txt_says(still) -> None:
    images, classes = pictures(60)
    built = still.build({"fashion": fashion(images, classes)}, SEED)
    truth = dict(zip(keys(images), classes, strict=True))
    sets = [(*train_set(built), 12)]
    sets += [(built[name]["inputs"]["image"], built[name]["labels"], 4) for name in HIDDEN]
    assert sorted(names(built)) == sorted(still.CLASSES)
    for frames, labels, each in sets:
        assert np.array_equal(np.bincount(labels), [each] * 10)
        assert (np.diff(labels.astype(int)) < 0).any()
        said = [names(built)[label] for label in labels]
        assert said == [still.CLASSES[truth[key]] for key in keys(frames)]


def test_no_session_trains_on_what_another_one_hides(still) -> None:
    source = {"fashion": fashion(*pictures(60))}
    sessions = [still.build(source, bytes([number]) * 32) for number in range(4)]
    trained = {key for built in sessions for key in keys(train_set(built)[0])}
    hidden = [
        {key for built in sessions for key in keys(built[name]["inputs"]["image"])}
        for name in HIDDEN
    ]
    assert not trained & (hidden[0] | hidden[1])
    for built in sessions:
        probe, final = (set(keys(built[name]["inputs"]["image"])) for name in HIDDEN)
        assert len(probe) == len(final) == 40
        assert not probe & final


def test_order_of_the_classes_changes_with_the_seed(clothes) -> None:
    source = {"fashion": fashion(*pictures(60))}
    orders = {tuple(names(clothes.build(source, bytes([n]) * 32))) for n in range(5)}
    assert len(orders) == 5


def test_near_duplicates_are_kept_once_and_contradictions_not_at_all(clothes) -> None:
    images, _ = pictures(1)
    images = images // 2  # leaves room to grow brighter
    classes = np.array([0, 0, 0, 1, 2, 3, 4, 5])
    one, two, other = images[0], images[1], images[2]
    rows = np.stack([one, one + 5, one + 6, one, two, two + 1, other, other.T])
    kept, labels = clothes.distinct(rows, classes)
    # The first stands against the fourth, the fifth against the sixth; `one + 6` is 6 away from
    # the first but 1 from the second.
    assert keys(kept) == keys(rows[6:])
    assert labels.tolist() == [4, 5]
    kept, labels = clothes.distinct(rows, np.zeros(8, int))
    assert keys(kept) == keys(rows[[0, 4, 6, 7]])


@pytest.mark.parametrize("folder", FORMS)
def test_near_pairs_are_those_that_comparing_all_with_all_finds(folder: str) -> None:
    module = load_dataset(folder)
    rng = np.random.default_rng(3)
    centres = rng.integers(0, 200, (12, 28, 28))
    noise = rng.integers(-9, 10, (150, 28, 28)) * rng.integers(0, 5, (150, 1, 1))
    images = np.clip(centres[rng.integers(0, 12, 150)] + noise, 0, 255).astype(np.uint8)
    apart = np.abs(images[:, None].astype(int) - images[None]).sum(axis=(2, 3))
    expected = {(a, b) for a, b in itertools.combinations(range(150), 2) if apart[a, b] <= LIMIT}
    module.NEAR = LIMIT
    first, second = module.near_pairs(images)
    assert 20 < len(expected) < 5_000
    assert sorted(zip(first.tolist(), second.tolist(), strict=True)) == sorted(expected)


@pytest.mark.parametrize("folder", FORMS)
def test_pictures_are_mirrored_and_moved_by_three_pixels_at_most(folder: str) -> None:
    module = load_dataset(folder)
    frame = np.zeros((28, 28), np.uint8)
    frame[14, 10] = 255
    moved = module.moved(module.generator(SEED), np.stack([frame] * 800))
    places = {tuple(np.argwhere(one)[0].tolist()) for one in moved}
    columns = [*range(7, 14), *range(14, 21)]  # 10 and, mirrored, 17
    assert places == set(itertools.product(range(11, 18), columns))


@pytest.mark.parametrize("folder", FORMS)
def test_shuffled_labels_are_the_same_labels_for_other_pictures(folder: str) -> None:
    module = load_dataset(folder)
    images, classes = pictures(30)
    train = {
        "labels.txt": b"a\n",
        "train.npz": module.to_npz({"images": images, "labels": classes}),
    }
    shuffled = module.shuffle_labels(train, SEED)
    assert shuffled["labels.txt"] == b"a\n"
    assert shuffled == module.shuffle_labels(train, SEED)
    after, labels = train_set({"train": shuffled})
    assert np.array_equal(after, images)
    assert np.array_equal(np.bincount(labels), [30] * 10)
    assert (labels == classes).mean() < 0.25


def test_a_source_with_too_few_pictures_is_an_error_that_names_the_class(clothes) -> None:
    with pytest.raises(ValueError, match="different pictures of the class t-shirt"):
        clothes.build({"fashion": fashion(*pictures(10))}, SEED)


@pytest.mark.parametrize("folder", FORMS)
def test_task_says_what_dataset_and_section_do(folder: str) -> None:
    module = load_dataset(folder)
    task = (SECTIONS / folder / "task.md").read_text()
    section = yaml.safe_load((SECTIONS / folder / "section.yaml").read_text())
    assert task.startswith(f"# Section 2: {section['title']}\n")
    assert all(f"`{name}`" in task for name in module.CLASSES)
    assert f"{10 * module.TRAIN_EACH:,} " in task
    assert f"{module.TRAIN_EACH:,} of each of ten classes" in task
    assert f"{10 * module.HIDDEN_EACH:,} pictures must be predicted in 60 seconds" in task
    assert f"{module.HIDDEN_EACH} of each class" in task
    bands = re.findall(r"^\| at least ([\d.]+) \| (\d) \|$", task, re.MULTILINE)
    assert {int(score): float(value) for value, score in bands} == dict(
        enumerate(section["bands"], 1)
    )
    assert f"at most {section['contract']['max_megabytes']} MB" in task
    for script in section["ladder"]:
        assert (SECTIONS / folder / f"{script}.py").is_file(), script
