"""Train, probe and final sets of the classification section's second form: silhouettes of animals.

The source is 10,000 pictures of 28 x 28 pixels, a thousand of each of ten animals, mostly white on
black. It is a pickled array. A pickle is a program, so it is **never unpickled**: its operations
are listed, which runs nothing, and the bytes of the array are the only long value among them.

1. Two pictures are **near-duplicates** when they, or one and the mirrored other, differ by at most
   8 grey levels of 255 in the mean over their pixels, or in some 25 of 784 pixels: one shape drawn
   twice, or twice the same animal. Of near-duplicates only the first is kept, and none where their
   classes differ, for then no answer would be right.
2. Each picture that is left belongs either to the **pool** or, one in two, to the **reserve**, by a
   hash of its own pixels and so in every session alike. What is trained on comes from the pool,
   what is graded on from the reserve: what one session hides is in no train set of another.
3. The seed draws 380 pictures of each class from the pool for the train set, and 200 of each for
   the probe set and as many for the final set from the reserve. All sets are balanced: guessing is
   right once in ten times.
4. Every picture is mirrored or not, and moved by up to three pixels down or up and right or left,
   as the seed has it; what moves out of the frame is lost, what comes in is black. There are few
   pictures, and so no two sessions see quite the same ones.
5. The seed also decides which class has which label, as `labels.txt` says.
6. Each set is shuffled.

All randomness comes from one PCG64 generator and from its `random` method only, whose stream does
not change between versions of NumPy. Everything else is arithmetic of integers.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import pickletools
import zipfile
from typing import Any

import numpy as np

# In the order of the source's own labels.
CLASSES = (
    "bear",
    "bird",
    "cat",
    "cow",
    "dog",
    "elephant",
    "giraffe",
    "horse",
    "sheep",
    "zebra",
)
SIDE = 28  # pixels

TRAIN_EACH, HIDDEN_EACH = 380, 200  # pictures of each class
MOVE = 3  # pixels, at most
SAMPLE_ROWS = 16
RESERVE = 128  # of 256 values of a hash's first byte

NEAR = 8 * SIDE * SIDE  # grey levels, summed over the pixels
MIDDLE = np.array([-1, -1, 1, 1, 1, -1, -1])
BAND = 1 << 20  # more than all grey of a picture

FOLDER = "animal_mnist/data/Animal_MNIST/"
IMAGES, LABELS = FOLDER + "animal_data_version_3.gz", FOLDER + "animal_label_version_3.gz"


def build(sources: dict[str, dict[str, bytes]], seed: bytes) -> dict[str, Any]:
    """Make the files of the train set and the arrays of the sample, probe and final sets.

    `sources["animals"]` holds the two files of the source by their path, `seed` 32 secret bytes.
    Pictures are float32 of shape (rows, 28, 28) with values 0 to 255, labels int32 of shape
    (rows,). Raises ValueError if a class has too few pictures to fill the sets.
    """
    rng = generator(seed)
    images, classes = distinct(*read(sources["animals"]))
    label_of = np.argsort(rng.random(len(CLASSES)), kind="stable")
    names = [CLASSES[index] for index in np.argsort(label_of)]
    sets = {}
    for name, rows in zip(("train", "probe", "final"), split(rng, images, classes)):  # noqa: B905
        rows = shuffle(rng, rows)
        sets[name] = moved(rng, images[rows]), label_of[classes[rows]]
    train, labels = sets["train"]
    return {
        "train": {
            "labels.txt": "".join(name + "\n" for name in names).encode("utf-8"),
            "train.npz": to_npz({"images": train, "labels": labels}),
        },
        "sample": {"inputs": inputs(train[:SAMPLE_ROWS])},
        **{
            name: {"inputs": inputs(sets[name][0]), "labels": sets[name][1].astype(np.int32)}
            for name in ("probe", "final")
        },
    }


def shuffle_labels(train: dict[str, bytes], seed: bytes) -> dict[str, bytes]:
    """Return the train files with the labels permuted among the pictures."""
    with np.load(io.BytesIO(train["train.npz"])) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    order = shuffle(generator(seed), np.arange(len(labels)))
    return {**train, "train.npz": to_npz({"images": images, "labels": labels[order]})}


def generator(seed: bytes) -> np.random.Generator:
    """Return the one source of randomness of this section."""
    digest = hashlib.sha256(b"classification-b:" + seed).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))


def shuffle(rng: np.random.Generator, rows: np.ndarray) -> np.ndarray:
    """Return the rows in random order."""
    order: np.ndarray = np.argsort(rng.random(len(rows)), kind="stable")
    return rows[order]


def read(source: dict[str, bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Return all pictures, uint8 (rows, 28, 28), and their classes, int64 (rows,)."""
    images = np.frombuffer(array_bytes(source[IMAGES]), np.uint8).reshape(-1, SIDE, SIDE)
    classes = np.frombuffer(array_bytes(source[LABELS]), "<i8")
    if len(images) != len(classes):
        raise ValueError(f"{len(images)} pictures and {len(classes)} classes in the source")
    return images, classes.astype(np.int64)


def array_bytes(packed: bytes) -> bytes:
    """Return the bytes of the one array in a compressed pickle, without running the pickle."""
    operations = pickletools.genops(gzip.decompress(packed))
    values = [value for code, value, _ in operations if code.name == "BINBYTES"]
    if len(values) != 1:
        raise ValueError(f"{len(values)} arrays instead of one in a file of the source")
    array: bytes = values[0]
    return array


def distinct(images: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keep the first of each group of near-duplicates, and none where their classes differ."""
    both = np.concatenate([images, images[:, :, ::-1]])
    pairs = np.sort(np.stack(near_pairs(both)) % len(images), axis=0)
    earlier, later = pairs[:, pairs[0] < pairs[1]]  # many a picture is its own mirror's
    keep = np.ones(len(images), bool)
    keep[later] = False
    differ = classes[earlier] != classes[later]
    keep[earlier[differ]] = False
    return images[keep], classes[keep]


def near_pairs(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the row numbers of all pairs of near-duplicates: two arrays, the smaller number first.

    To compare all with all takes too long, and is not needed: a sum over the pixels in which some
    count negative differs by no more than the pixels do. So only pictures near to each other by
    three such sums are compared, first by fields of 4 x 4 pixels, then by all pixels.
    """
    fields = images.reshape(-1, 7, 4, 7, 4).sum(axis=(2, 4), dtype=np.int32)
    total = fields.sum(axis=(1, 2))
    upright = (fields * MIDDLE).sum(axis=(1, 2))  # the middle columns less the outer ones
    lying = (fields * MIDDLE[:, None]).sum(axis=(1, 2))  # and so with rows
    # Neighbours in `total` are neighbours in this order, within a band of `upright`.
    bands = (upright - upright.min()) // (NEAR + 1)
    key = bands.astype(np.int64) * BAND + total
    order = np.argsort(key, kind="stable")
    key, lying, fields = key[order], lying[order], fields[order].reshape(len(order), -1)
    places = np.arange(len(order))
    ranges = (
        (places + 1, np.searchsorted(key, key + NEAR, "right")),  # in the same band
        (
            np.searchsorted(key, key + BAND - NEAR),  # in the next one
            np.searchsorted(key, key + BAND + NEAR, "right"),
        ),
    )
    found = [np.empty((2, 0), np.int64)]
    for start, end in ranges:
        one, other = places, start
        while len(one):
            inside = other < end[one]
            one, other = one[inside], other[inside]
            near = np.abs(lying[one] - lying[other]) <= NEAR
            a, b = one[near], other[near]
            near = np.abs(fields[a] - fields[b]).sum(axis=1) <= NEAR
            a, b = order[a[near]], order[b[near]]
            apart = np.abs(images[a].astype(np.int16) - images[b])
            near = apart.sum(axis=(1, 2), dtype=np.int64) <= NEAR
            found.append(np.stack([a[near], b[near]]))
            other = other + 1
    pairs = np.sort(np.concatenate(found, axis=1), axis=0)
    return pairs[0], pairs[1]


def is_reserved(image: np.ndarray) -> bool:
    """Tell whether a picture may be graded on (else it may be trained on)."""
    return hashlib.sha256(image.tobytes()).digest()[0] < RESERVE


def split(
    rng: np.random.Generator, images: np.ndarray, classes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the row numbers of train, probe and final, as many of one class as of another."""
    reserved = np.array([is_reserved(image) for image in images], bool)
    parts: tuple[list[np.ndarray], ...] = ([], [], [])
    for number, name in enumerate(CLASSES):
        mine = classes == number
        pool = shuffle(rng, np.flatnonzero(mine & ~reserved))
        reserve = shuffle(rng, np.flatnonzero(mine & reserved))
        if len(pool) < TRAIN_EACH or len(reserve) < 2 * HIDDEN_EACH:
            raise ValueError(
                f"only {len(pool)} and {len(reserve)} different pictures of the class {name}"
            )
        parts[0].append(pool[:TRAIN_EACH])
        parts[1].append(reserve[:HIDDEN_EACH])
        parts[2].append(reserve[HIDDEN_EACH : 2 * HIDDEN_EACH])
    train, probe, final = (np.concatenate(part) for part in parts)
    return train, probe, final


def moved(rng: np.random.Generator, images: np.ndarray) -> np.ndarray:
    """Return each picture mirrored or not, and moved by up to `MOVE` pixels both ways."""
    chances = rng.random((len(images), 3))
    steps = (chances * [2, 2 * MOVE + 1, 2 * MOVE + 1]).astype(int).tolist()
    wide = np.pad(images, ((0, 0), (MOVE, MOVE), (MOVE, MOVE)))
    frames = np.empty_like(images)
    for frame, picture, (mirrored, down, right) in zip(frames, wide, steps):  # noqa: B905
        cut = picture[down : down + SIDE, right : right + SIDE]
        frame[:] = cut[:, ::-1] if mirrored else cut
    return frames


def inputs(images: np.ndarray) -> dict[str, np.ndarray]:
    """Return the model's input: float32 of shape (rows, 28, 28), 0 to 255."""
    return {"image": images.astype(np.float32)}


def to_npz(arrays: dict[str, np.ndarray]) -> bytes:
    """Write arrays of bytes as `numpy.savez` does, but with the same bytes by every version of it.

    The format of a .npy file is that of
    https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, version 1.0.
    """
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            shape = tuple(int(length) for length in array.shape)
            head = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}"
            head = head.ljust(117) + "\n"  # a head of 128 bytes, with the ten before it
            member = zipfile.ZipInfo(name + ".npy", (1980, 1, 1, 0, 0, 0))
            member.create_system = 3  # on Windows, too
            start = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode("ascii")
            archive.writestr(member, start + array.astype(np.uint8).tobytes())
    return file.getvalue()
