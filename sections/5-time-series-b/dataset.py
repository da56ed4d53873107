"""Train, probe and final sets of the time series section, form b: a simulated town's electricity.

There is no source: every seed is another town, so nothing can be looked up. `build` simulates its
load hour by hour for 23 years and cuts them up by time: three years to learn from, then ten for the
probe set and ten for the final set. What is hidden thus lies later than what is given, and no hour
is in two sets; a **near-duplicate** of a window is one that shares an hour with it.

The load of an hour is a product, in megawatts:

    town's size x level x (habit + heating + cooling) x noise of the day x noise of the hour

- **level**: firms come and go. A level lasts 25 to 50 days, then all of a sudden there is another
  one, in turn 4 to 8 per cent above and below the town's size. Levels do not drift, so hidden years
  are like given ones.
- **habit**: what the hour of the day asks for, by one table each for working days, Saturdays and
  Sundays; the seed stirs the tables. A public holiday is like a Sunday. A year has up to 14 of
  them, on days that the seed draws; each year has its own.
- **heating and cooling**: proportional to the degrees below 15 or above 21.
- **temperature**: a yearly and a daily wave, and weather that stays for a few days. The forecast
  of the day before is off by some degrees.
- **meter failures**: every 11 days or so the meter reads 0 for 2 to 24 hours. They stay in the
  train set and in the input of hidden windows. Windows with a failure among the 24 hours to
  predict, or among the same hours a week before, are not drawn: the naive forecast is a fair one.

For each hidden set 1,920 windows of 168 hours of input and 24 hours to predict are drawn. They
begin at any hour and are shuffled. Ten years make so many days that one seed is as hard as
another.

All randomness comes from one PCG64 generator and from its `random` method only, whose stream does
not change between versions of NumPy. The simulation adds, subtracts, multiplies, divides, compares
and rounds, and takes no sums over arrays, so it comes out alike on every machine; waves are
parabolas, and normal noise is the sum of four uniform numbers.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

INPUT_HOURS, OUTPUT_HOURS, DAY = 168, 24, 24
WINDOW = INPUT_HOURS + OUTPUT_HOURS
FEATURES = (
    "load", "temperature", "hour", "weekday", "holiday", "next_temperature", "next_holiday",
)  # fmt: skip
COLUMNS = ("time", "load", "temperature", "forecast", "holiday")  # of train.csv

YEAR = 364  # days of a simulated year: whole weeks
TRAIN_YEARS, HIDDEN_YEARS = 3, 10
HIDDEN_ROWS = 1_920
SAMPLE_ROWS = 16
FIRST_DAYS = ("2001-01-01", "2007-01-01", "2018-01-01")  # Mondays
SMALLEST, LARGEST = 30.0, 300.0  # mean load of a town in megawatts

LEAST_STEP, MOST_STEP = 0.08, 0.16  # by which a level differs from the one before
SHORTEST_LEVEL, LONGEST_LEVEL = 25 * DAY, 50 * DAY  # hours
HOLIDAYS = 14  # draws a year; the same day may be drawn twice
FAILURES_A_DAY = 1 / 11
LONGEST_FAILURE = 24  # hours

HEATING_BELOW, COOLING_ABOVE = 15.0, 21.0  # degrees Celsius
HEATING, COOLING = 0.015, 0.025  # of the town's size for each degree
DAY_NOISE, HOUR_NOISE = 0.020, 0.015
KEPT_BY_DAY, KEPT_BY_HOUR = 0.6, 0.8  # how much of its noise a day or an hour hands on
WEATHER, KEPT_WEATHER = 3.0, 0.75  # degrees that a day adds; share of the deviation that stays
FORECAST_ERROR = 1.5  # degrees

# Share of the town's size by hour of the day, from midnight on.
WORKING_DAY = (
    0.55, 0.51, 0.49, 0.49, 0.52, 0.62, 0.80, 0.99, 1.08, 1.10, 1.10, 1.11,
    1.10, 1.07, 1.05, 1.04, 1.06, 1.12, 1.18, 1.16, 1.06, 0.92, 0.77, 0.64,
)  # fmt: skip
SATURDAY = (
    0.52, 0.48, 0.45, 0.44, 0.44, 0.47, 0.52, 0.60, 0.70, 0.78, 0.84, 0.86,
    0.87, 0.85, 0.82, 0.80, 0.81, 0.85, 0.92, 0.92, 0.85, 0.77, 0.67, 0.58,
)  # fmt: skip
SUNDAY = (
    0.48, 0.44, 0.41, 0.40, 0.40, 0.40, 0.43, 0.48, 0.56, 0.64, 0.71, 0.76,
    0.77, 0.72, 0.68, 0.65, 0.67, 0.72, 0.80, 0.83, 0.78, 0.70, 0.59, 0.51,
)  # fmt: skip
STIR = 0.06  # how far the seed moves a number of these tables

Series = dict[str, np.ndarray]  # "time": datetime64[h]; the others: float64; all (hours,)


def build(sources: dict[str, Any], seed: bytes) -> dict[str, Any]:
    """Make the file of the train set and the arrays of the sample, probe and final sets.

    `sources` is not used, `seed` is 32 secret bytes. Inputs are float32 of shape (rows, 168, 7) in
    the order of `FEATURES`. Labels are float32 of shape (rows, 2, 24): in [:, 0] the true load in
    megawatts, in [:, 1] the naive forecast, which is the load of the same hours a week before.
    """
    rng = generator(seed)
    town = simulate(rng, (TRAIN_YEARS + 2 * HIDDEN_YEARS) * YEAR)
    first, second = TRAIN_YEARS * YEAR * DAY, (TRAIN_YEARS + HIDDEN_YEARS) * YEAR * DAY
    train, probe, final = (
        cut(town, slice(*hours)) for hours in ((0, first), (first, second), (second, None))
    )
    sample, _ = windows(train, range(SAMPLE_ROWS))
    return {
        "train": {"train.csv": to_csv(train)},
        "sample": {"inputs": {"week": sample}},
        "probe": hidden(rng, probe),
        "final": hidden(rng, final),
    }


def shuffle_labels(train: dict[str, bytes], seed: bytes) -> dict[str, bytes]:
    """Deal the loads of train.csv out anew among all hours, so that nothing can be learnt."""
    rng = generator(b"labels:" + seed)
    rows = list(csv.DictReader(io.StringIO(train["train.csv"].decode("ascii"))))
    loads = [rows[index]["load"] for index in shuffled(rng, len(rows))]
    for row, load in zip(rows, loads):  # noqa: B905
        row["load"] = load
    return {**train, "train.csv": written([list(row.values()) for row in rows])}


def generator(seed: bytes) -> np.random.Generator:
    """Return the one source of randomness of this section."""
    digest = hashlib.sha256(b"time-series-b:" + seed).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))


def below(rng: np.random.Generator, count: int) -> int:
    """Return one of the numbers 0..count-1."""
    return int(rng.random() * count)


def between(rng: np.random.Generator, least: float, most: float) -> float:
    """Return a number from an even distribution."""
    return least + (most - least) * float(rng.random())


def shuffled(rng: np.random.Generator, count: int) -> list[int]:
    """Return the numbers 0..count-1 in random order."""
    order: list[int] = np.argsort(rng.random(count), kind="stable").tolist()
    return order


def normal(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return nearly normal numbers of mean 0 and deviation 1: sums of four uniform ones.

    Their variance is 4/12, hence the factor 1.7320508, the square root of 3.
    """
    a, b, c, d = (rng.random(count) for _ in range(4))
    return (a + b + c + d - 2.0) * 1.7320508


def lasting(rng: np.random.Generator, count: int, kept: float) -> np.ndarray:
    """Return noise of deviation near 1 of which each step hands a share on to the next one."""
    fresh = (normal(rng, count) * float(np.sqrt(1.0 - kept * kept))).tolist()
    values, value = [], 0.0
    for step in fresh:
        value = kept * value + step
        values.append(value)
    return np.array(values)


def wave(phase: np.ndarray) -> np.ndarray:
    """Return nearly a sine of period 1 that two parabolas make, between -1 and 1."""
    place = phase - np.floor(phase)
    half = np.where(place < 0.5, place, place - 0.5)
    return 16.0 * half * (0.5 - half) * np.where(place < 0.5, 1.0, -1.0)


def simulate(rng: np.random.Generator, days: int) -> Series:
    """Simulate a town for some days from a Monday on; the module's docstring says how."""
    hours = np.arange(days * DAY)
    day, hour = hours // DAY, hours % DAY
    start = np.datetime64(FIRST_DAYS[below(rng, len(FIRST_DAYS))], "h")
    holiday = holidays(rng, days)
    temperature, forecast = weather(rng, days)
    heating = HEATING * np.maximum(HEATING_BELOW - temperature, 0.0)
    cooling = COOLING * np.maximum(temperature - COOLING_ABOVE, 0.0)
    kind = np.where(holiday, 2, np.maximum(np.arange(days) % 7 - 4, 0))[day]
    wanted = habits(rng)[kind, hour] + heating + cooling
    noise = (1.0 + DAY_NOISE * lasting(rng, days, KEPT_BY_DAY))[day]
    noise = noise * (1.0 + HOUR_NOISE * lasting(rng, days * DAY, KEPT_BY_HOUR))
    load = between(rng, SMALLEST, LARGEST) * levels(rng, days * DAY) * wanted * noise
    load = np.where(failures(rng, days), 0.0, np.round(load * 100.0) / 100.0)
    return {
        "time": start + hours.astype("timedelta64[h]"),
        "load": load,
        "temperature": temperature,
        "forecast": forecast,
        "holiday": holiday[day].astype(np.float64),
    }


def habits(rng: np.random.Generator) -> np.ndarray:
    """Return what this town asks for by kind of day and hour: float64 of shape (3, 24)."""
    tables = np.array([WORKING_DAY, SATURDAY, SUNDAY])
    stir = rng.random(DAY) * 2.0 - 1.0  # the same for all kinds of days, smoothed over three hours
    smooth = (stir + np.roll(stir, 1) + np.roll(stir, -1)) / 3.0
    return tables * (1.0 + STIR * smooth)


def holidays(rng: np.random.Generator, days: int) -> np.ndarray:
    """Say for each day whether it is a public holiday: bool of shape (days,)."""
    chosen = np.zeros(days, dtype=bool)
    for year in range(0, days, YEAR):
        for _ in range(HOLIDAYS):
            chosen[min(year + below(rng, YEAR), days - 1)] = True
    return chosen


def weather(rng: np.random.Generator, days: int) -> tuple[np.ndarray, np.ndarray]:
    """Return temperature and its forecast in degrees, to a tenth: float64 of shape (hours,)."""
    hours = np.arange(days * DAY)
    day = hours // DAY
    mean, swing = between(rng, 10.0, 13.0), between(rng, 9.0, 11.0)
    year = mean - swing * wave(hours / (YEAR * DAY) + 0.18)  # coldest in late January
    change = WEATHER / float(np.sqrt(1.0 - KEPT_WEATHER * KEPT_WEATHER))
    spell = change * lasting(rng, days + 1, KEPT_WEATHER)
    share = (hours % DAY) / DAY
    spell = spell[day] * (1.0 - share) + spell[day + 1] * share  # from one midnight to the next
    warmest = 3.5 * wave((hours % DAY) / DAY - 0.38)  # in the middle of the afternoon
    temperature = year + spell + warmest
    error = FORECAST_ERROR * lasting(rng, days, 0.3)[day]
    return np.round(temperature * 10.0) / 10.0, np.round((temperature + error) * 10.0) / 10.0


def levels(rng: np.random.Generator, hours: int) -> np.ndarray:
    """Return the level of each hour: constant for a while, then above or below 1 in turn."""
    level = np.empty(hours)
    hour, side = 0, below(rng, 2) - 0.5
    while hour < hours:
        until = hour + SHORTEST_LEVEL + below(rng, LONGEST_LEVEL - SHORTEST_LEVEL + 1)
        level[hour:until] = 1.0 + side * between(rng, LEAST_STEP, MOST_STEP)
        hour, side = until, -side
    return level


def failures(rng: np.random.Generator, days: int) -> np.ndarray:
    """Say for each hour whether the meter fails: bool of shape (hours,)."""
    failed = np.zeros(days * DAY, dtype=bool)
    for day in np.flatnonzero(rng.random(days) < FAILURES_A_DAY).tolist():
        first = day * DAY + below(rng, DAY)
        failed[first : first + 2 + below(rng, LONGEST_FAILURE - 1)] = True
    return failed


def cut(series: Series, hours: slice) -> Series:
    """Return some hours of a series."""
    return {name: values[hours] for name, values in series.items()}


def column(series: Series, name: str) -> np.ndarray:
    """Return one feature for all hours: float64 of shape (hours,).

    What is known of the next day is 0 on the last day, where no window's input reaches.
    """
    if name == "hour":
        return (series["time"].astype(np.int64) % DAY).astype(np.float64)
    if name == "weekday":  # Monday is 0; 1970 began on a Thursday
        return ((series["time"].astype(np.int64) // DAY + 3) % 7).astype(np.float64)
    if name.startswith("next_"):
        known = series["forecast" if name == "next_temperature" else "holiday"]
        return np.concatenate([known[DAY:], np.zeros(DAY)])
    return series[name]


def windows(series: Series, starts: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the windows of a series that begin at the given hours of it.

    The first array is the input, float32 of shape (rows, 168, 7). The second one has the true
    load of the 24 hours that follow, and that of the same hours a week before, which is the
    naive forecast: float32 of shape (rows, 2, 24).
    """
    features = np.stack([column(series, name) for name in FEATURES], axis=1).astype(np.float32)
    load = series["load"].astype(np.float32)
    inputs = np.stack([features[start : start + INPUT_HOURS] for start in starts])
    truth = np.stack([load[start + INPUT_HOURS : start + WINDOW] for start in starts])
    return inputs, np.stack([truth, inputs[:, :OUTPUT_HOURS, 0]], axis=1)


def hidden(rng: np.random.Generator, series: Series) -> dict[str, Any]:
    """Draw the windows of a hidden set in random order, none with a failure where it is scored."""
    load = series["load"]
    starts = [
        start
        for start in shuffled(rng, len(load) - WINDOW + 1)
        if load[start : start + OUTPUT_HOURS].min() > 0
        and load[start + INPUT_HOURS : start + WINDOW].min() > 0
    ]
    inputs, labels = windows(series, starts[:HIDDEN_ROWS])
    return {"inputs": {"week": inputs}, "labels": labels}


def to_csv(series: Series) -> bytes:
    """Write the hours as the candidate gets them, one a line."""
    times = [text.replace("T", " ") + ":00" for text in np.datetime_as_string(series["time"])]
    columns = [series[name].tolist() for name in COLUMNS[1:-1]]
    holiday = [int(value) for value in series["holiday"]]
    return written([list(row) for row in zip(times, *columns, holiday)])  # noqa: B905


def written(rows: Sequence[Sequence[Any]]) -> bytes:
    """Return a header and rows as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    return text.getvalue().encode("ascii")
