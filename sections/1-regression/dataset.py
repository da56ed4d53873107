"""Train, probe and final sets of the regression section: diamonds and their prices.

The source is `diamonds.csv`, 53,940 round diamonds with their price in US dollars. `build` turns
it into three sets that share no stone:

1. Rows that cannot be true are dropped: a measurement of zero, a width over 15 mm, a height over
   10 mm (some 20 rows).
2. The list names many stones twice: some 6,800 rows repeat another one with x and y swapped, a few
   hundred repeat one exactly or measure it anew, often at another price. Two rows are taken for
   **the same stone** when carat, colour and clarity are equal and either

   - smaller width, larger width and height each differ by at most 0.01 mm (so turning a stone, or
     judging its cut anew, makes no new stone), or
   - price, depth and table are equal as well (the same stone, measured again).

   Of each such stone only the first row is kept, so no two rows that remain, in the same set or
   in different ones, are near-duplicates. About 36,000 rows remain.
3. Every stone belongs either to the pool, about 70 %, or to the reserve, about 30 %, by a hash
   of its own row. That is the same in every session, whatever the seed.
4. The train set is drawn from the pool, the probe and final sets from the reserve: no session's
   `train.csv` holds a hidden stone of another session.
5. To fill the hidden sets, the reserve is sorted by price and cut into runs of neighbours; of each
   run the seed sends one stone to the probe set and another one to the final set. Both thus have
   the distribution of prices of the whole, and one seed is as hard as another.
6. Each set is shuffled.

All randomness comes from one PCG64 generator and from its `random` method only, whose stream does
not change between versions of NumPy.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

FEATURES = ("carat", "cut", "color", "clarity", "depth", "table", "x", "y", "z")
TARGET = "price"

# The code of a category is its place in this list: from the least to the most wanted.
CATEGORIES = {
    "cut": ("Fair", "Good", "Very Good", "Premium", "Ideal"),
    "color": ("J", "I", "H", "G", "F", "E", "D"),
    "clarity": ("I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"),
}

TRAIN_ROWS = 20_000
HIDDEN_ROWS = 3_000  # in each of the two hidden sets
RESERVE = 80  # of 256: the part of all stones that is never in a train set
SAMPLE_ROWS = 16

SAME_MEASUREMENT = 1  # hundredths of a millimetre
LARGEST_WIDTH, LARGEST_HEIGHT = 15.0, 10.0  # millimetres

Row = dict[str, str]


def build(sources: dict[str, bytes], seed: bytes) -> dict[str, Any]:
    """Make the files of the train set and the arrays of the sample, probe and final sets.

    `sources["diamonds"]` holds the bytes of diamonds.csv, `seed` 32 secret bytes. Features are
    float32 of shape (rows, 9) in the order of `FEATURES`, prices float32 of shape (rows, 1).
    Raises ValueError if too few different stones are left to fill the sets.
    """
    rng = generator(seed)
    rows = distinct(plausible(read(sources["diamonds"])))
    pool = [row for row in rows if not reserved(row)]
    reserve = [row for row in rows if reserved(row)]
    if len(pool) < TRAIN_ROWS or len(reserve) < 2 * HIDDEN_ROWS:
        raise ValueError(f"only {len(pool)} and {len(reserve)} different diamonds in the source")
    train = shuffle(rng, pool)[:TRAIN_ROWS]
    probe, final = (shuffle(rng, part) for part in hidden(rng, reserve))
    return {
        "train": {"train.csv": to_csv(train)},
        "sample": {"inputs": {"features": features(train[:SAMPLE_ROWS])}},
        "probe": {"inputs": {"features": features(probe)}, "labels": prices(probe)},
        "final": {"inputs": {"features": features(final)}, "labels": prices(final)},
    }


def shuffle_labels(train: dict[str, bytes], seed: bytes) -> dict[str, bytes]:
    """Return the train files with prices dealt out anew, so that they tell nothing of the stones.

    A model trained on them can learn the distribution of prices and no more.
    """
    rows = read(train["train.csv"])
    dealt = shuffled(generator(b"labels:" + seed), len(rows))
    mixed = [{**row, TARGET: rows[other][TARGET]} for row, other in zip(rows, dealt)]  # noqa: B905
    return {**train, "train.csv": to_csv(mixed)}


def generator(seed: bytes) -> np.random.Generator:
    """Return the one source of randomness of this section."""
    digest = hashlib.sha256(b"regression:" + seed).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))


def shuffled(rng: np.random.Generator, count: int) -> list[int]:
    """Return the numbers 0..count-1 in random order."""
    order: list[int] = np.argsort(rng.random(count), kind="stable").tolist()
    return order


def shuffle(rng: np.random.Generator, rows: Sequence[Row]) -> list[Row]:
    """Return the rows in random order."""
    return [rows[index] for index in shuffled(rng, len(rows))]


def read(source: bytes) -> list[Row]:
    """Read the rows of a table of diamonds, as text."""
    return list(csv.DictReader(io.StringIO(source.decode("utf-8"))))


def plausible(rows: Sequence[Row]) -> list[Row]:
    """Drop rows with a measurement that no diamond has."""
    return [
        row
        for row in rows
        if 0 < float(row["x"]) < LARGEST_WIDTH
        and 0 < float(row["y"]) < LARGEST_WIDTH
        and 0 < float(row["z"]) < LARGEST_HEIGHT
    ]


def distinct(rows: Sequence[Row]) -> list[Row]:
    """Keep the first row of every stone; the module's docstring says what the same stone is."""
    kept: list[Row] = []
    listings = set()
    measurements: dict[tuple[str, ...], list[tuple[int, int, int]]] = {}
    for row in rows:
        kind = (f"{float(row['carat']):.2f}", row["color"], row["clarity"])
        listing = (*kind, *(float(row[name]) for name in ("price", "depth", "table")))
        here = measured(row)
        if listing in listings or any(
            all(abs(a - b) <= SAME_MEASUREMENT for a, b in zip(here, there))  # noqa: B905
            for there in measurements.get(kind, ())
        ):
            continue
        kept.append(row)
        listings.add(listing)
        measurements.setdefault(kind, []).append(here)
    return kept


def measured(row: Row) -> tuple[int, int, int]:
    """Return smaller width, larger width and height in hundredths of a millimetre."""
    x, y, z = (round(float(row[name]) * 100) for name in ("x", "y", "z"))
    return min(x, y), max(x, y), z


def reserved(row: Row) -> bool:
    """Say whether a stone is kept for hidden sets, in every session."""
    content = ",".join(row[name] for name in (*FEATURES, TARGET))
    return hashlib.sha256(content.encode("utf-8")).digest()[0] < RESERVE


def hidden(rng: np.random.Generator, reserve: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Draw the probe and final sets so that both have the spread of prices of the reserve."""
    ranked = sorted(reserve, key=lambda row: float(row[TARGET]))
    edges = [len(ranked) * run // HIDDEN_ROWS for run in range(HIDDEN_ROWS + 1)]
    runs = [shuffle(rng, ranked[edges[k] : edges[k + 1]]) for k in range(HIDDEN_ROWS)]
    return [run[0] for run in runs], [run[1] for run in runs]


def code(row: Row, name: str) -> float:
    """Return the number that stands for a feature in the model's input."""
    if name in CATEGORIES:
        return float(CATEGORIES[name].index(row[name]))
    return float(row[name])


def features(rows: Sequence[Row]) -> np.ndarray:
    """Return the model's input: float32 of shape (rows, 9), in the order of `FEATURES`."""
    return np.array([[code(row, name) for name in FEATURES] for row in rows], dtype=np.float32)


def prices(rows: Sequence[Row]) -> np.ndarray:
    """Return the prices in US dollars: float32 of shape (rows, 1)."""
    return np.array([[float(row[TARGET])] for row in rows], dtype=np.float32)


def to_csv(rows: Sequence[Row]) -> bytes:
    """Write rows as the candidate gets them: categories in words, the price last."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [*FEATURES, TARGET], extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")
