"""Train, probe and final sets of the time series section: how many bikes are hired tomorrow?

The source is `hourly_bikesharing.csv`: the bikes hired in a city in each hour of nine years, with
the lowest and highest temperature and the rain of the day. `build` turns it into one series to
learn from, and windows of hours that are not in it:

1. The series begins on a Monday in May 2011, when the young service had found its users, and is
   cut into **blocks** of four weeks. Three neighbouring blocks make a **group**, a season's part.
   In each group a hash of the group's own rows names one block that belongs to the *reserve*; the
   other two belong to the *pool*. That is the same for every seed: hours that one candidate is
   given are never hidden from another.
2. The seed picks a stretch of 32 neighbouring groups of the 36 that there are. The 64 blocks of the
   pool are the train set: one series with dates and with gaps where the reserve was.
3. The reserve's 32 blocks are taken in pairs of neighbours; of each pair the seed sends one to the
   probe set and the other one to the final set. Both thus see the same years and seasons. Some
   weeks are harder than others, so the seed throws its 16 coins a hundred times, and the throw
   counts by which both sets are most nearly as hard: two simple forecasts, the day before and the
   mean of the hour over seven days, then err by the same multiples of the naive forecast's error.
4. A **window** is 168 hours of input followed by 24 hours to predict, wholly within its block; it
   may begin at any hour. From each block 120 different windows are drawn. Windows of a block
   overlap each other, as they would in use. No hour, neither of input nor of answer, is in two
   sets; a **near-duplicate** of a window is one that shares an hour with it, so there is none in
   another set. On a few days the service stood still, for snow or a storm: no window touches one,
   for a handful of such hours would weigh more than whole months.
5. Each hidden set is shuffled.

Counts are multiplied by one factor and dates are moved by whole weeks, both from the seed, so that
neither value nor date tells which hour it was. The metric is relative to a naive forecast, which
is multiplied alike, so that no seed is harder for it.

All randomness comes from one PCG64 generator and from its `random` method only, whose stream does
not change between versions of NumPy. Counts are computed in integers.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

INPUT_HOURS, OUTPUT_HOURS, DAY = 168, 24, 24
WINDOW = INPUT_HOURS + OUTPUT_HOURS
FEATURES = ("count", "low", "high", "rain", "hour", "weekday", "next_low", "next_high", "next_rain")
COLUMNS = ("time", "count", "low", "high", "rain")  # of train.csv

START = dt.datetime(2011, 5, 2)  # a Monday
BLOCK = 4 * 7 * DAY  # hours
GROUP = 3  # blocks, of which one is in the reserve
GROUPS = 32  # of the stretch that the seed picks; an even number, so that blocks pair up
WINDOWS_EACH = 120  # of each hidden block
THROWS = 100  # of coins, to find halves that are as hard as each other
STANDSTILL = 5  # on such a day fewer than one in five of the usual bikes are hired
SAMPLE_ROWS = 16

LEAST_FACTOR, MOST_FACTOR = 1_000, 3_000  # thousandths
YEAR, LEAST_YEARS, MOST_YEARS, MOST_WEEKS = 52, 3, 12, 4  # how far dates are moved back

Block = dict[str, np.ndarray]  # "time": datetime64[h]; the other columns: float64; all (hours,)


def build(sources: dict[str, bytes], seed: bytes) -> dict[str, Any]:
    """Make the file of the train set and the arrays of the sample, probe and final sets.

    `sources["bikes"]` holds the bytes of hourly_bikesharing.csv, `seed` 32 secret bytes. Inputs
    are float32 of shape (rows, 168, 9) in the order of `FEATURES`. Labels are float32 of shape
    (rows, 2, 24): in [:, 0] the true counts, in [:, 1] the naive forecast. Raises ValueError if
    the source lacks an hour or is too short.
    """
    rng = generator(seed)
    groups = grouped(read(sources["bikes"]))
    first = below(rng, len(groups) - GROUPS + 1)
    groups = groups[first : first + GROUPS]
    factor = LEAST_FACTOR + below(rng, MOST_FACTOR - LEAST_FACTOR + 1)
    years = LEAST_YEARS + below(rng, MOST_YEARS - LEAST_YEARS + 1)
    weeks = years * YEAR + below(rng, MOST_WEEKS + 1)
    disguise = [[disguised(block, factor, weeks) for block in group] for group in groups]

    pool: list[Block] = []
    reserve: list[Block] = []
    for group, chosen in zip(disguise, reserved(groups)):  # noqa: B905
        pool += [block for place, block in enumerate(group) if place != chosen]
        reserve.append(group[chosen])
    probe, final = even_halves(rng, reserve)
    sample = windows(pool[0], range(SAMPLE_ROWS))
    return {
        "train": {"train.csv": to_csv(pool)},
        "sample": {"inputs": {"week": sample[0]}},
        "probe": hidden(rng, probe),
        "final": hidden(rng, final),
    }


def shuffle_labels(train: dict[str, bytes], seed: bytes) -> dict[str, bytes]:
    """Deal the counts of train.csv out anew among all hours, so that nothing can be learnt."""
    rng = generator(b"labels:" + seed)
    rows = list(csv.DictReader(io.StringIO(train["train.csv"].decode("ascii"))))
    counts = [rows[index]["count"] for index in shuffled(rng, len(rows))]
    for row, count in zip(rows, counts):  # noqa: B905
        row["count"] = count
    return {**train, "train.csv": written([list(row.values()) for row in rows])}


def generator(seed: bytes) -> np.random.Generator:
    """Return the one source of randomness of this section."""
    digest = hashlib.sha256(b"time-series:" + seed).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))


def below(rng: np.random.Generator, count: int) -> int:
    """Return one of the numbers 0..count-1."""
    return int(rng.random() * count)


def shuffled(rng: np.random.Generator, count: int) -> list[int]:
    """Return the numbers 0..count-1 in random order."""
    order: list[int] = np.argsort(rng.random(count), kind="stable").tolist()
    return order


def read(source: bytes) -> Block:
    """Read the hours from `START` on. Raises ValueError if one is missing."""
    rows = list(csv.DictReader(io.StringIO(source.decode("ascii"))))
    times = np.array([row["ts"].replace(" ", "T")[:13] for row in rows], dtype="datetime64[h]")
    if np.any(np.diff(times) != np.timedelta64(1, "h")):
        raise ValueError("hours of the source do not follow each other")
    columns = {"count": "count", "low": "tmin", "high": "tmax", "rain": "pn"}
    series = {name: np.array([float(row[old]) for row in rows]) for name, old in columns.items()}
    keep = times >= np.datetime64(START, "h")
    return {name: values[keep] for name, values in {"time": times, **series}.items()}


def grouped(series: Block) -> list[list[Block]]:
    """Cut the series into blocks and put three neighbours into each group."""
    hours = len(series["time"])
    groups = [
        [cut(series, start + place * BLOCK, BLOCK) for place in range(GROUP)]
        for start in range(0, hours - GROUP * BLOCK + 1, GROUP * BLOCK)
    ]
    if len(groups) < GROUPS:
        raise ValueError(f"the source has {len(groups)} groups of {GROUP} blocks, not {GROUPS}")
    return groups


def cut(series: Block, start: int, hours: int) -> Block:
    """Return some hours of a series."""
    return {name: values[start : start + hours] for name, values in series.items()}


def reserved(groups: Sequence[Sequence[Block]]) -> list[int]:
    """Say for each group which of its blocks is in the reserve, by a hash of its rows alone."""
    chosen = []
    for group in groups:
        rows = b"".join(block["count"].astype("<i8").tobytes() for block in group)
        chosen.append(int.from_bytes(hashlib.sha256(rows).digest(), "big") % GROUP)
    return chosen


def even_halves(
    rng: np.random.Generator, blocks: Sequence[Block]
) -> tuple[list[Block], list[Block]]:
    """Split pairs of neighbours between two sets that are as hard as each other."""
    errors = [forecast_errors(block) for block in blocks]

    def multiples(coins: Sequence[int], side: int) -> tuple[float, float]:
        half = [errors[2 * pair + (coin ^ side)] for pair, coin in enumerate(coins)]
        naive, day, mean = (sum(column) for column in zip(*half))  # noqa: B905
        return day / naive, mean / naive

    def unevenness(coins: Sequence[int]) -> float:
        one, other = multiples(coins, 0), multiples(coins, 1)
        return abs(one[0] - other[0]) + abs(one[1] - other[1])

    throws = [[below(rng, 2) for _ in range(len(blocks) // 2)] for _ in range(THROWS)]
    coins = min(throws, key=unevenness)
    return (
        [blocks[2 * pair + coin] for pair, coin in enumerate(coins)],
        [blocks[2 * pair + 1 - coin] for pair, coin in enumerate(coins)],
    )


def forecast_errors(block: Block) -> tuple[int, int, int]:
    """Return the summed errors of three forecasts over the hours of a block, times seven.

    They are the naive one (the hour a week before), the hour a day before, and the mean of the hour
    over seven days. Whole numbers, so that no processor adds them otherwise.
    """
    counts = block["count"].astype(np.int64)
    moving = ~np.repeat(standstill(block), DAY)
    before = [slice(INPUT_HOURS - DAY * day, len(counts) - DAY * day) for day in range(1, 8)]
    truth = 7 * counts[INPUT_HOURS:]
    keep = np.logical_and.reduce([moving[INPUT_HOURS:], *(moving[hours] for hours in before)])
    forecasts = (
        7 * counts[before[6]],
        7 * counts[before[0]],
        np.add.reduce([counts[hours] for hours in before]),
    )
    naive, day, mean = (int(np.abs(truth - one)[keep].sum()) for one in forecasts)
    return naive, day, mean


def standstill(block: Block) -> np.ndarray:
    """Say for each day of a block whether the service stood still: bool of shape (28,)."""
    days = block["count"].astype(np.int64).reshape(-1, DAY).sum(axis=1)
    usual = int(np.sort(days)[len(days) // 2])
    still: np.ndarray = days * STANDSTILL < usual
    return still


def disguised(block: Block, factor: int, weeks: int) -> Block:
    """Multiply counts by `factor` thousandths, to the nearest whole; move dates back."""
    counts = (block["count"].astype(np.int64) * factor + 500) // 1000
    times = block["time"] - np.timedelta64(weeks * 7 * DAY, "h")
    return {**block, "count": counts.astype(np.float64), "time": times}


def windows(block: Block, starts: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the windows of a block that begin at the given hours of it.

    The first array is the input, float32 of shape (rows, 168, 9). The second one has the true
    counts of the 24 hours that follow, and those of the same hours a week before, which are the
    naive forecast: float32 of shape (rows, 2, 24).
    """
    features = np.stack([column(block, name) for name in FEATURES], axis=1).astype(np.float32)
    counts = block["count"].astype(np.float32)
    inputs = np.stack([features[start : start + INPUT_HOURS] for start in starts])
    truth = np.stack([counts[start + INPUT_HOURS : start + WINDOW] for start in starts])
    return inputs, np.stack([truth, inputs[:, :OUTPUT_HOURS, 0]], axis=1)


def column(block: Block, name: str) -> np.ndarray:
    """Return one feature for all hours of a block: float64 of shape (hours,).

    The weather of the next day is not known for the last day of the block; it is 0 there, and no
    window's input reaches so far.
    """
    if name == "hour":
        return (block["time"].astype(np.int64) % DAY).astype(np.float64)
    if name == "weekday":  # Monday is 0; 1970 began on a Thursday
        return ((block["time"].astype(np.int64) // DAY + 3) % 7).astype(np.float64)
    if name.startswith("next_"):
        today = block[name[len("next_") :]]
        return np.concatenate([today[DAY:], np.zeros(DAY)])
    return block[name]


def hidden(rng: np.random.Generator, blocks: Sequence[Block]) -> dict[str, Any]:
    """Draw the windows of a hidden set from its blocks, and shuffle them."""
    drawn = []
    for block in blocks:
        moving = ~np.repeat(standstill(block), DAY)
        starts = [
            one for one in shuffled(rng, BLOCK - WINDOW + 1) if moving[one : one + WINDOW].all()
        ]
        if len(starts) < WINDOWS_EACH:
            raise ValueError(f"a block has {len(starts)} windows, not {WINDOWS_EACH}")
        drawn.append(windows(block, starts[:WINDOWS_EACH]))
    order = shuffled(rng, WINDOWS_EACH * len(blocks))
    inputs, labels = (np.concatenate(parts)[order] for parts in zip(*drawn))  # noqa: B905
    return {"inputs": {"week": inputs}, "labels": labels}


def to_csv(blocks: Sequence[Block]) -> bytes:
    """Write the hours of some blocks as the candidate gets them, one a line."""
    rows = []
    for block in blocks:
        times = [text.replace("T", " ") + ":00" for text in np.datetime_as_string(block["time"])]
        counts = [int(count) for count in block["count"]]
        weather = (block["low"].tolist(), block["high"].tolist(), block["rain"].tolist())
        rows += [list(row) for row in zip(times, counts, *weather)]  # noqa: B905
    return written(rows)


def written(rows: Sequence[Sequence[Any]]) -> bytes:
    """Return a header and rows as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    return text.getvalue().encode("ascii")
