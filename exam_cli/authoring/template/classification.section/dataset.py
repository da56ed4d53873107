"""Train, probe and final sets of @TITLE@: places, and the company that is received best there.

Of a mast of power p at a distance d arrives p / (`NEAR` + d * d). Whose mast the strongest one is
makes the class: four companies have five masts each.

1. The seed draws places, noted down to 10 m (and a metre of height).
2. Two places are **near-duplicates** when all three noted numbers are equal: only the first is
   kept, so no two sets share one.
3. What comes first is the train set, then the probe set, then the final set. Places are drawn one
   like the other, so their order carries no information.

All randomness comes from one PCG64 generator and from its `random` method only, whose stream does
not change between versions of NumPy; the arithmetic is + - * / alone, which every machine rounds
in the same way.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

FEATURES = ("x", "y", "height")
TARGET = "company"

HIGHEST = np.array([10.0, 10.0, 1.0])  # km; the lowest is 0
STEPS = np.array([100.0, 100.0, 1000.0])  # steps that one km is noted down in

# Place in km, power, and whose it is: no two neighbours are of one company.
MASTS = np.array(
    [
        [1.1, 1.6, 1, 0],
        [3.4, 1.6, 1, 1],
        [5.2, 1.8, 1, 2],
        [6.8, 1.8, 2, 3],
        [9.1, 1.4, 1, 0],
        [1.3, 3.6, 1, 2],
        [3.5, 4.1, 1, 3],
        [5.3, 3.2, 2, 0],
        [6.6, 3.1, 1, 1],
        [8.7, 3.4, 1, 2],
        [1.4, 6.0, 1, 1],
        [3.0, 6.5, 1, 0],
        [4.6, 6.9, 1, 3],
        [7.6, 6.8, 1.5, 2],
        [8.4, 6.1, 1, 1],
        [0.7, 8.5, 1, 3],
        [3.1, 9.0, 1, 2],
        [4.8, 9.2, 2, 1],
        [7.2, 8.3, 2, 0],
        [9.2, 8.1, 1, 3],
    ]
)
NEAR = 0.05  # km squared: so that nothing is infinite at the mast's own foot

TRAIN_ROWS, HIDDEN_ROWS, SAMPLE_ROWS = 6_000, 2_000, 16


def build(sources: dict[str, bytes], seed: bytes) -> dict[str, Any]:
    """Make the files of the train set and the arrays of the sample, probe and final sets.

    `sources` is empty, `seed` 32 secret bytes. Features are float32 of shape (rows, 3) in the order
    of `FEATURES`, labels int32 of shape (rows,).
    """
    rng = generator(seed)
    features = places(rng, TRAIN_ROWS + 2 * HIDDEN_ROWS)
    labels = best_company(features)
    ends = [TRAIN_ROWS, TRAIN_ROWS + HIDDEN_ROWS, len(features)]
    train = slice(0, ends[0])
    probe, final = slice(ends[0], ends[1]), slice(ends[1], ends[2])
    return {
        "train": {"train.csv": to_csv(features[train], labels[train])},
        "sample": {"inputs": {"features": features[:SAMPLE_ROWS].astype(np.float32)}},
        "probe": hidden(features[probe], labels[probe]),
        "final": hidden(features[final], labels[final]),
    }


def hidden(features: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Return a hidden set."""
    return {"inputs": {"features": features.astype(np.float32)}, "labels": labels}


def shuffle_labels(train: dict[str, bytes], seed: bytes) -> dict[str, bytes]:
    """Return the train files with companies dealt out anew, so that they tell nothing of places.

    `exam author check` trains a model on them, which must score 0: else something leaks.
    """
    header, *lines = train["train.csv"].decode().splitlines()
    rows = [line.rsplit(",", 1) for line in lines]
    order = np.argsort(generator(b"labels:" + seed).random(len(rows)), kind="stable")
    dealt = [f"{row[0]},{rows[other][1]}" for row, other in zip(rows, order)]  # noqa: B905
    return {**train, "train.csv": "\n".join([header, *dealt, ""]).encode()}


def generator(seed: bytes) -> np.random.Generator:
    """Return the one source of randomness of this section."""
    digest = hashlib.sha256(b"@SLUG@:" + seed).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))


def places(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return that many different places: float64 of shape (count, 3)."""
    found: dict[tuple[float, ...], None] = {}
    while len(found) < count:
        drawn = HIGHEST * rng.random((count, len(FEATURES)))
        noted = np.floor(drawn * STEPS + 0.5) / STEPS
        found.update(dict.fromkeys(map(tuple, noted.tolist())))
    return np.array(list(found)[:count])


def best_company(features: np.ndarray) -> np.ndarray:
    """Return the number of the company that is received best: int32 of shape (rows,)."""
    x, y, height = (features[:, [place]] for place in range(3))
    away_x, away_y = x - MASTS[:, 0], y - MASTS[:, 1]
    squared = away_x * away_x + away_y * away_y + height * height
    strongest = np.argmax(MASTS[:, 2] / (NEAR + squared), axis=1)
    return MASTS[strongest, 3].astype(np.int32)


def to_csv(features: np.ndarray, labels: np.ndarray) -> bytes:
    """Write places as the candidate gets them: what is predicted stands last."""
    lines = [",".join((*FEATURES, TARGET))]
    for row, value in zip(features.tolist(), labels.tolist()):  # noqa: B905, Python 3.9
        lines.append(",".join([*(f"{number:.10g}" for number in row), str(value)]))
    return "\n".join([*lines, ""]).encode()
