"""Train, probe and final sets of @TITLE@: trips of a ferry, made up by a formula.

A ferry of speed v goes a distance d against a current c and back again with it. The trip takes
d / (v - c) + d / (v + c) hours, longer with a load by a share of `LOAD` times its square, and a
measured duration is off by up to half a minute.

1. The seed draws trips; speeds and the like are rounded as people note them down.
2. Two trips are **near-duplicates** when all four rounded features are equal: only the first is
   kept, so no two sets share one.
3. What comes first is the train set, then the probe set, then the final set. Trips are drawn one
   like the other, so their order carries no information.

All randomness comes from one PCG64 generator and from its `random` method only, whose stream does
not change between versions of NumPy; the arithmetic is + - * / alone, which every machine rounds
in the same way.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

FEATURES = ("distance", "speed", "current", "load")
TARGET = "minutes"

LOWEST = np.array([1.0, 12.0, 0.0, 0.0])
HIGHEST = np.array([20.0, 30.0, 9.0, 1.0])
STEPS = np.array([10.0, 10.0, 10.0, 100.0])  # steps that one unit is noted down in

LOAD = 0.3  # how much longer a full ferry takes
NOISE = 1.0  # minutes from the smallest to the largest error of a measured duration

TRAIN_ROWS, HIDDEN_ROWS, SAMPLE_ROWS = 6_000, 2_000, 16


def build(sources: dict[str, bytes], seed: bytes) -> dict[str, Any]:
    """Make the files of the train set and the arrays of the sample, probe and final sets.

    `sources` is empty, `seed` 32 secret bytes. Features are float32 of shape (rows, 4) in the order
    of `FEATURES`, durations float32 of shape (rows, 1).
    """
    rng = generator(seed)
    features = trips(rng, TRAIN_ROWS + 2 * HIDDEN_ROWS)
    minutes = durations(rng, features)
    ends = [TRAIN_ROWS, TRAIN_ROWS + HIDDEN_ROWS, len(features)]
    train = slice(0, ends[0])
    probe, final = slice(ends[0], ends[1]), slice(ends[1], ends[2])
    return {
        "train": {"train.csv": to_csv(features[train], minutes[train])},
        "sample": {"inputs": {"features": features[:SAMPLE_ROWS].astype(np.float32)}},
        "probe": hidden(features[probe], minutes[probe]),
        "final": hidden(features[final], minutes[final]),
    }


def hidden(features: np.ndarray, minutes: np.ndarray) -> dict[str, Any]:
    """Return a hidden set."""
    labels = minutes.astype(np.float32)[:, None]
    return {"inputs": {"features": features.astype(np.float32)}, "labels": labels}


def shuffle_labels(train: dict[str, bytes], seed: bytes) -> dict[str, bytes]:
    """Return the train files with durations dealt out anew, so that they tell nothing of the trips.

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


def trips(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return that many different trips: float64 of shape (count, 4)."""
    found: dict[tuple[float, ...], None] = {}
    while len(found) < count:
        drawn = LOWEST + (HIGHEST - LOWEST) * rng.random((count, len(FEATURES)))
        noted = np.floor(drawn * STEPS + 0.5) / STEPS
        found.update(dict.fromkeys(map(tuple, noted.tolist())))
    return np.array(list(found)[:count])


def durations(rng: np.random.Generator, features: np.ndarray) -> np.ndarray:
    """Return how long each trip took, in minutes, noted to a tenth: float64 of shape (rows,)."""
    distance, speed, current, load = features.T
    hours = distance / (speed - current) + distance / (speed + current)
    minutes = 60 * hours * (1 + LOAD * load * load) + NOISE * (rng.random(len(features)) - 0.5)
    return np.floor(minutes * 10 + 0.5) / 10


def to_csv(features: np.ndarray, minutes: np.ndarray) -> bytes:
    """Write trips as the candidate gets them: what is predicted stands last."""
    lines = [",".join((*FEATURES, TARGET))]
    for row, value in zip(features.tolist(), minutes.tolist()):  # noqa: B905, Python 3.9
        lines.append(",".join(f"{number:.10g}" for number in (*row, value)))
    return "\n".join([*lines, ""]).encode()
