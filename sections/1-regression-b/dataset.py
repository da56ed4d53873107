"""Train, probe and final sets of the second regression section: homes of an invented town.

Nothing here is real, so nothing can be looked up: the seed draws the homes and the market in which
they are sold. What a home is worth depends on its ten features by rules that are the same for every
seed, and on the market's numbers, which are not: which district is dear and how fast it gets
cheaper with the distance from the centre, what a kind of home, a condition or an energy class is
worth, in which decade people built badly, when the market rose and fell, which month is dearest.

**One seed is as hard as another.** A market deals out fixed lists of numbers anew, so all markets
have the same ups and downs, in other places. Worths are then moved and stretched so that, over all
homes of a session, their mean is 300 and their mean distance from the median is 90 (in thousands
of euros).

**The oracle is known.** A home is sold for its worth w times 1 + NOISE * e, where

    e = 15/7 * (u1 + u2 + u3 + u4 - 2),  u independent and uniform on [0, 1).

The sum of four uniform numbers minus 2 has the mean absolute value 7/15 (integrate the Irwin-Hall
density of order 4, (4 - 6x^2 + 3x^3)/6 for x in 0..1 and (2 - x)^3/6 for 1..2: 2 * (11/60 + 1/20)
= 7/15), so E|e| = 1. e is symmetric, so w is the median of the price and no answer has a smaller
expected error: the MAE of an oracle that knows the market is NOISE * mean(w) = 0.02 * 300 = 6.
`oracle` returns what it would answer.

Two homes that agree in all ten features are near-duplicates, whatever their price: only the first
of them is kept. The sets are disjoint parts of one random sequence, so the order says nothing.

**Same seed, same bytes.** All randomness comes from the `random` method of one PCG64 generator.
Arrays meet only + - * /, whose results IEEE 754 fixes; sums are made by `math.fsum`, which rounds
once, because the order in which NumPy adds depends on the processor.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from typing import Any

import numpy as np

FEATURES = (
    "area",
    "rooms",
    "kind",
    "district",
    "distance",
    "built",
    "condition",
    "energy",
    "year",
    "month",
)
TARGET = "price"

# The code of a category is its place in this list.
CATEGORIES = {
    "kind": ("flat", "terraced", "detached"),
    "district": ("Abbey", "Brewery", "Canal", "Docks", "Eastgate", "Foundry", "Gardens", "Heath"),
    "condition": ("poor", "fair", "good", "renovated"),
    "energy": ("G", "F", "E", "D", "C", "B", "A"),
}
COLUMNS = ("area", "rooms", "kind", "district", "distance", "built", "condition", "energy", "sold")

TRAIN_ROWS = 16_000
HIDDEN_ROWS = 2_000  # in each of the two hidden sets
SPARE_ROWS = 500  # for homes that occur twice
SAMPLE_ROWS = 16

FIRST_YEAR, YEARS = 2015, 8
DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
MEAN_WORTH, SPREAD = 300.0, 90.0  # thousand euros
NOISE = 0.02

Table = dict[str, np.ndarray]


def build(sources: dict[str, bytes], seed: bytes) -> dict[str, Any]:
    """Make the files of the train set and the arrays of the sample, probe and final sets.

    `sources` is empty, `seed` 32 secret bytes. Features are float32 of shape (rows, 10) in the
    order of `FEATURES`, prices float32 of shape (rows, 1).
    """
    homes, _ = session(seed)
    train = part(homes, 0, TRAIN_ROWS)
    probe = part(homes, TRAIN_ROWS, HIDDEN_ROWS)
    final = part(homes, TRAIN_ROWS + HIDDEN_ROWS, HIDDEN_ROWS)
    return {
        "train": {"train.csv": to_csv(train)},
        "sample": {"inputs": {"features": features(part(train, 0, SAMPLE_ROWS))}},
        "probe": {"inputs": {"features": features(probe)}, "labels": prices(probe)},
        "final": {"inputs": {"features": features(final)}, "labels": prices(final)},
    }


def oracle(seed: bytes) -> dict[str, np.ndarray]:
    """Return the best possible answers to the probe and final sets, float64 of shape (rows, 1)."""
    _, worth = session(seed)
    first, second = TRAIN_ROWS, TRAIN_ROWS + HIDDEN_ROWS
    return {
        "probe": worth[first:second].reshape(-1, 1),
        "final": worth[second : second + HIDDEN_ROWS].reshape(-1, 1),
    }


def shuffle_labels(train: dict[str, bytes], seed: bytes) -> dict[str, bytes]:
    """Return the train files with prices dealt out anew, so that they tell nothing of the homes."""
    header, *lines = train["train.csv"].decode("utf-8").splitlines()
    homes = [line.rpartition(",")[0] for line in lines]
    order = np.argsort(generator(b"labels:" + seed).random(len(lines)), kind="stable")
    dealt = [lines[other].rpartition(",")[2] for other in order.tolist()]
    mixed = [f"{home},{price}" for home, price in zip(homes, dealt)]  # noqa: B905
    return {**train, "train.csv": "\n".join([header, *mixed, ""]).encode("utf-8")}


def generator(seed: bytes) -> np.random.Generator:
    """Return the one source of randomness of this section."""
    digest = hashlib.sha256(b"regression-b:" + seed).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))


def session(seed: bytes) -> tuple[Table, np.ndarray]:
    """Return all homes of a seed with their prices, and what they are worth, float64 of (rows,)."""
    rng = generator(seed)
    rows = TRAIN_ROWS + 2 * HIDDEN_ROWS
    homes = distinct(draw_homes(rng, rows + SPARE_ROWS), rows)
    worth = scaled(raw_worth(homes, draw_market(rng)))
    e = (rng.random(rows) + rng.random(rows) + rng.random(rows) + rng.random(rows) - 2) * 15 / 7
    homes[TARGET] = np.rint(worth * (1 + NOISE * e) * 10)  # hundreds of euros
    return homes, worth


def whole(rng: np.random.Generator, rows: int, first: int, last: int) -> np.ndarray:
    """Draw whole numbers from first..last, all equally likely."""
    return np.floor(rng.random(rows) * (last - first + 1)) + first


def draw_homes(rng: np.random.Generator, rows: int) -> Table:
    """Draw the features of homes, each a float64 array of shape (rows,)."""
    kind = np.floor(rng.random(rows) * 3)
    # Flats have 30 to 120 square metres, terraced homes 60 to 150, detached ones 90 to 180.
    area = np.floor(rng.random(rows) * 91) + 30 + 30 * kind
    room = 18 + 16 * rng.random(rows)  # square metres
    return {
        "area": area,
        "rooms": np.maximum(1, np.rint(area / room)),
        "kind": kind,
        "district": whole(rng, rows, 0, 7),
        "distance": whole(rng, rows, 3, 150),  # hundreds of metres
        "built": whole(rng, rows, 1890, 2014),
        "condition": whole(rng, rows, 0, 3),
        "energy": whole(rng, rows, 0, 6),
        "year": whole(rng, rows, FIRST_YEAR, FIRST_YEAR + YEARS - 1),
        "month": whole(rng, rows, 1, 12),
        "day": rng.random(rows),  # as a part of the month
    }


def distinct(homes: Table, rows: int) -> Table:
    """Keep the first `rows` homes that differ from all before them in at least one feature."""
    seen = set()
    kept = []
    for place, home in enumerate(zip(*(homes[name].tolist() for name in FEATURES))):  # noqa: B905
        if home not in seen:
            seen.add(home)
            kept.append(place)
    return {name: values[kept[:rows]] for name, values in homes.items()}


def dealt(rng: np.random.Generator, values: tuple[float, ...]) -> np.ndarray:
    """Return the values in random order."""
    return np.array(values)[np.argsort(rng.random(len(values)), kind="stable")]


def draw_market(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw what the features are worth in one town: fixed lists, dealt out anew."""
    steps = dealt(rng, (0.12, 0.09, 0.06, 0.03, -0.02, -0.05, -0.08))
    wave = np.array((0, 1, 2, 3, 2, 1, 0, -1, -2, -3, -2, -1)) * 0.02
    return {
        "district": dealt(rng, (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5)),
        "far": dealt(rng, (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)),
        "kind": dealt(rng, (0.9, 1.0, 1.1)),
        "condition": np.array((0.0, 0.1, 0.2, 0.3)) + dealt(rng, (0.0, 0.02, 0.04, 0.06)),
        "energy": np.array((0.0, 0.03, 0.06, 0.09, 0.12, 0.15, 0.18))
        + dealt(rng, (0.0, 0.0, 0.02, 0.02, 0.03, 0.04, 0.05)),
        "old": dealt(rng, (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45)),
        "worst": 1935 + np.floor(rng.random(1) * 31),  # the year in which homes were built worst
        "room": 22 + np.floor(rng.random(1) * 7),  # the favoured square metres a room
        "year": 1 + np.array([math.fsum(steps[:count]) for count in range(YEARS)]),
        "month": 1 + wave[(np.arange(12) + math.floor(rng.random() * 12)) % 12],
    }


def raw_worth(homes: Table, market: dict[str, np.ndarray]) -> np.ndarray:
    """Return what homes are worth in a market, in units of its own: float64 of shape (rows,)."""
    kind, district, condition, energy = (homes[name].astype(np.int64) for name in CATEGORIES)
    size = homes["area"] / 100
    distance = homes["distance"] / 150
    age = (homes["built"] - market["worst"]) / 60
    tight = (homes["area"] / homes["rooms"] - market["room"]) / 10
    # A place is dear by its district, and gets cheaper with distance, at the district's own pace;
    # detached homes suffer less from it.
    place = market["district"][district] / (
        1 + market["far"][district] * (2 - 0.5 * kind) * distance
    )
    years = homes["year"].astype(np.int64) - FIRST_YEAR
    return (
        (0.3 + size * (1 - 0.15 * size))
        * place
        * market["kind"][kind]
        * (1 + market["old"][district] * age * age)
        * (1 + market["condition"][condition] * (1.2 - 0.5 * age))
        * (1 + market["energy"][energy])
        * (1 - 0.15 * tight * tight / (1 + tight * tight))
        * market["year"][years]
        * market["month"][homes["month"].astype(np.int64) - 1]
    )


def scaled(raw: np.ndarray) -> np.ndarray:
    """Move and stretch worths to the mean and spread that all sessions have, thousand euros."""
    mean = math.fsum(raw.tolist()) / len(raw)
    median = np.sort(raw)[len(raw) // 2]
    spread = math.fsum(np.abs(raw - median).tolist()) / len(raw)
    return MEAN_WORTH + (raw - mean) * (SPREAD / spread)


def part(homes: Table, first: int, rows: int) -> Table:
    """Return some consecutive homes."""
    return {name: values[first : first + rows] for name, values in homes.items()}


def features(homes: Table) -> np.ndarray:
    """Return the model's input: float32 of shape (rows, 10), in the order of `FEATURES`."""
    columns = [homes[name] / (10 if name == "distance" else 1) for name in FEATURES]
    return np.stack(columns, axis=1).astype(np.float32)


def prices(homes: Table) -> np.ndarray:
    """Return the prices in thousand euros: float32 of shape (rows, 1)."""
    return (homes[TARGET] / 10).astype(np.float32).reshape(-1, 1)


def to_csv(homes: Table) -> bytes:
    """Write homes as the candidate gets them: categories in words, a date, the price last."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, TARGET])
    for place in range(len(homes[TARGET])):
        home = {name: float(values[place]) for name, values in homes.items()}
        month = int(home["month"])
        day = 1 + int(home["day"] * DAYS[month - 1])
        words = {name: values[int(home[name])] for name, values in CATEGORIES.items()}
        writer.writerow(
            [
                int(home["area"]),
                int(home["rooms"]),
                words["kind"],
                words["district"],
                f"{home['distance'] / 10:.1f}",
                int(home["built"]),
                words["condition"],
                words["energy"],
                f"{int(home['year'])}-{month:02}-{day:02}",
                f"{home[TARGET] / 10:.1f}",
            ]
        )
    return text.getvalue().encode("utf-8")
