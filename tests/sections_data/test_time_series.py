"""The time series section, form a: what dataset.py makes of a series of bike hires."""

from __future__ import annotations

import csv
import datetime as dt
import io
import itertools
import random
from types import ModuleType

import numpy as np
import pytest

from tests.sections_data.conftest import OTHER_SEED, SEED, load_dataset

BLOCK = 4 * 7 * 24


def bikes(hours: int, skip: int | None = None) -> dict[str, bytes]:
    """A source that begins three hours before the section does; counts name their hour."""
    rng = random.Random(1)
    first = dt.datetime(2011, 5, 1, 21)
    lines = ['"date","ts","count","tmin","tmax","pn"']
    weather = [(rng.randint(-50, 200) / 10, rng.randint(0, 99) / 10) for _ in range(hours)]
    for hour in range(-3, hours):
        time = first + dt.timedelta(hours=hour + 3)
        low, rain = weather[hour // 24]
        if hour != skip:
            lines.append(f"{time:%Y-%m-%d},{time:%Y-%m-%d %H}:00:00,{hour},{low},{low + 9},{rain}")
    return {"bikes": "\n".join([*lines, ""]).encode()}


@pytest.fixture
def series(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The section with a short stretch, so that a small source fills it."""
    module = load_dataset("5-time-series")
    monkeypatch.setattr(module, "GROUPS", 4)
    monkeypatch.setattr(module, "LEAST_FACTOR", 1_000)
    monkeypatch.setattr(module, "MOST_FACTOR", 1_000)  # counts stay the numbers of their hours
    return module


SOURCE = bikes(5 * 3 * BLOCK)


def table(built: dict) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(built["train"]["train.csv"].decode())))


def hours_of(built: dict) -> dict[str, set[float]]:
    """The hours that occur in each set, input or answer; a count is the number of its hour."""
    sets = {"train": {float(row["count"]) for row in table(built)}}
    for name in ("probe", "final"):
        inputs, labels = built[name]["inputs"]["week"], built[name]["labels"]
        sets[name] = {*inputs[:, :, 0].ravel().tolist(), *labels[:, 0].ravel().tolist()}
    return sets


def test_same_seed_same_bytes_and_another_seed_other_sets(series) -> None:
    one, two, other = (series.build(SOURCE, seed) for seed in (SEED, SEED, OTHER_SEED))
    assert one["train"] == two["train"] != other["train"]
    for name in ("probe", "final"):
        assert np.array_equal(one[name]["labels"], two[name]["labels"])
        assert np.array_equal(one[name]["inputs"]["week"], two[name]["inputs"]["week"])
        assert not np.array_equal(one[name]["labels"], other[name]["labels"])


def test_arrays_have_the_shapes_and_dtypes_of_the_contract(series) -> None:
    built = series.build(SOURCE, SEED)
    assert built["sample"]["inputs"]["week"].shape == (16, 168, 9)
    for name in ("probe", "final"):
        week, labels = built[name]["inputs"]["week"], built[name]["labels"]
        assert (week.dtype, week.shape) == (np.float32, (2 * 120, 168, 9))
        assert (labels.dtype, labels.shape) == (np.float32, (2 * 120, 2, 24))
    assert len(table(built)) == 8 * BLOCK


def test_sets_share_no_hour(series) -> None:
    for seed in (SEED, OTHER_SEED):
        sets = hours_of(series.build(SOURCE, seed))
        assert all(not a & b for a, b in itertools.combinations(sets.values(), 2))


def test_what_one_seed_gives_no_other_seed_hides(series) -> None:
    built = [hours_of(series.build(SOURCE, bytes([seed]) * 32)) for seed in range(8)]
    given = set().union(*(sets["train"] for sets in built))
    hidden = set().union(*(sets[name] for sets in built for name in ("probe", "final")))
    assert not given & hidden


def test_windows_are_whole_and_the_answer_follows_the_input(series) -> None:
    built = series.build(SOURCE, SEED)
    for name in ("probe", "final"):
        counts, labels = built[name]["inputs"]["week"][:, :, 0], built[name]["labels"]
        whole = np.concatenate([counts, labels[:, 0]], axis=1)
        assert np.all(np.diff(whole, axis=1) == 1)
        assert np.array_equal(labels[:, 1], counts[:, :24])  # as it was a week before


def test_windows_of_a_set_differ_begin_at_any_hour_and_come_in_no_order(series) -> None:
    first = series.build(SOURCE, SEED)["probe"]["inputs"]["week"][:, 0]
    assert len(set(first[:, 0].tolist())) == len(first)
    assert set(first[:, 4].tolist()) == set(range(24))
    assert abs(np.corrcoef(np.arange(len(first)), first[:, 0])[0, 1]) < 0.3


def test_features_are_what_the_source_says_of_the_hour_and_of_the_next_day(series) -> None:
    rows = list(csv.DictReader(io.StringIO(SOURCE["bikes"].decode())))
    by_hour = {float(row["count"]): row for row in rows}
    for week in series.build(SOURCE, SEED)["final"]["inputs"]["week"][:20]:
        for count, low, high, rain, hour, weekday, *after in week[::19].tolist():
            row, later = by_hour[count], by_hour[count + 24]
            time = dt.datetime.fromisoformat(row["ts"])
            assert (hour, weekday) == (time.hour, time.weekday())  # dates move by whole weeks
            today = [float(row[name]) for name in ("tmin", "tmax", "pn")]
            next_day = [float(later[name]) for name in ("tmin", "tmax", "pn")]
            assert np.allclose([low, high, rain, *after], today + next_day)


def test_train_csv_is_in_order_and_its_gaps_are_whole_blocks(series) -> None:
    rows = table(series.build(SOURCE, SEED))
    times = np.array([row["time"] for row in rows], dtype="datetime64[h]").astype(int)
    steps = set(np.diff(times).tolist())
    assert steps <= {1, BLOCK + 1, 2 * BLOCK + 1} and len(steps) > 1
    original = np.array([int(row["count"]) for row in rows])
    moved = set((times - original).tolist())
    assert len(moved) == 1  # all by the same
    start = int(np.datetime64(series.START, "h").astype(int))
    assert (start - moved.pop()) % (7 * 24) == 0


def test_counts_and_naive_forecast_are_scaled_alike(series, monkeypatch) -> None:
    plain = series.build(SOURCE, SEED)
    monkeypatch.setattr(series, "LEAST_FACTOR", 3_000)
    monkeypatch.setattr(series, "MOST_FACTOR", 3_000)
    tripled = series.build(SOURCE, SEED)
    assert np.array_equal(tripled["probe"]["labels"], 3 * plain["probe"]["labels"])
    assert int(table(tripled)[0]["count"]) == 3 * int(table(plain)[0]["count"])


def test_shuffled_labels_keep_hours_and_weather_and_only_deal_counts_anew(series) -> None:
    built = series.build(SOURCE, SEED)
    shuffled = table({"train": series.shuffle_labels(built["train"], SEED)})
    rows = table(built)
    assert sorted(row["count"] for row in shuffled) == sorted(row["count"] for row in rows)
    same = sum(a["count"] == b["count"] for a, b in zip(rows, shuffled, strict=True))
    assert same < 0.01 * len(rows)
    rest = [{**row, "count": ""} for row in rows]
    assert [{**row, "count": ""} for row in shuffled] == rest


def test_a_source_with_a_missing_hour_or_too_few_hours_is_refused(series) -> None:
    with pytest.raises(ValueError, match="do not follow each other"):
        series.build(bikes(5 * 3 * BLOCK, skip=500), SEED)
    with pytest.raises(ValueError, match="groups of 3 blocks"):
        series.build(bikes(3 * 3 * BLOCK), SEED)
