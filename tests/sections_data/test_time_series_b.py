"""The time series section, form b: the simulated town."""

from __future__ import annotations

import csv
import io
from types import ModuleType

import numpy as np
import pytest

from tests.sections_data.conftest import OTHER_SEED, SEED, load_dataset

YEAR = 364 * 24


@pytest.fixture(scope="module")
def town() -> ModuleType:
    return load_dataset("5-time-series-b")


@pytest.fixture(scope="module")
def built(town) -> dict:
    return town.build({}, SEED)


def table(train: dict[str, bytes]) -> dict[str, np.ndarray]:
    rows = list(csv.DictReader(io.StringIO(train["train.csv"].decode())))
    columns = {name: np.array([float(row[name]) for row in rows]) for name in list(rows[0])[1:]}
    times = np.array([row["time"] for row in rows], dtype="datetime64[h]").astype(int)
    return {"time": times, **columns}


def test_same_seed_same_bytes_and_another_seed_another_town(town, built) -> None:
    again, other = town.build({}, SEED), town.build({}, OTHER_SEED)
    assert built["train"] == again["train"] != other["train"]
    for name in ("probe", "final"):
        assert np.array_equal(built[name]["labels"], again[name]["labels"])
        assert np.array_equal(built[name]["inputs"]["week"], again[name]["inputs"]["week"])
        assert not np.array_equal(built[name]["labels"], other[name]["labels"])


def test_arrays_have_the_shapes_and_dtypes_of_the_contract(built) -> None:
    assert built["sample"]["inputs"]["week"].shape == (16, 168, 7)
    for name in ("probe", "final"):
        week, labels = built[name]["inputs"]["week"], built[name]["labels"]
        assert (week.dtype, week.shape) == (np.float32, (1920, 168, 7))
        assert (labels.dtype, labels.shape) == (np.float32, (1920, 2, 24))
        assert np.isfinite(week).all() and np.isfinite(labels).all()


def test_train_series_has_every_hour_of_three_years_and_some_failures(built) -> None:
    series = table(built["train"])
    assert len(series["time"]) == 3 * YEAR
    assert np.all(np.diff(series["time"]) == 1)
    failed = (series["load"] == 0).mean()
    assert 0.01 < failed < 0.10


def test_truth_and_naive_forecast_have_no_failure_though_inputs_have(built) -> None:
    for name in ("probe", "final"):
        week, labels = built[name]["inputs"]["week"], built[name]["labels"]
        assert labels.min() > 0
        assert np.array_equal(labels[:, 1], week[:, :24, 0])
        assert (week[:, :, 0] == 0).any()


def test_no_window_is_in_two_sets_and_none_in_the_train_series(built) -> None:
    days = {}
    for name in ("probe", "final"):
        days[name] = {tuple(row) for row in built[name]["labels"][:, 0].tolist()}
        assert len(days[name]) == 1920
    assert not days["probe"] & days["final"]
    load = table(built["train"])["load"].astype(np.float32)
    given = {tuple(row) for row in np.lib.stride_tricks.sliding_window_view(load, 24).tolist()}
    assert not given & (days["probe"] | days["final"])


def test_sample_shows_the_features_of_the_train_series(built) -> None:
    series = table(built["train"])
    for start, week in enumerate(built["sample"]["inputs"]["week"]):
        now, later = slice(start, start + 168), slice(start + 24, start + 192)
        columns = [
            series["load"][now], series["temperature"][now], series["time"][now] % 24,
            (series["time"][now] // 24 + 3) % 7, series["holiday"][now],
            series["forecast"][later], series["holiday"][later],
        ]  # fmt: skip
        assert np.array_equal(week, np.stack(columns, axis=1).astype(np.float32))


def test_windows_begin_at_any_hour_and_day(built) -> None:
    first = built["final"]["inputs"]["week"][:, 0]
    assert set(first[:, 2].tolist()) == set(range(24))
    assert set(first[:, 3].tolist()) == set(range(7))


def test_a_week_before_is_a_better_guess_than_the_day_before(town, built) -> None:
    for data in (built, town.build({}, OTHER_SEED)):
        week, labels = data["final"]["inputs"]["week"], data["final"]["labels"]
        day_before, read = week[:, -24:, 0], week[:, -24:, 0] > 0
        error = np.abs(day_before - labels[:, 0])[read].mean()
        assert np.abs(labels[:, 1] - labels[:, 0]).mean() < 0.9 * error


def test_towns_take_more_on_working_days_and_in_the_cold(built) -> None:
    series = table(built["train"])
    read = series["load"] > 0
    sunday = (series["time"] // 24 + 3) % 7 == 6
    assert series["load"][read & ~sunday].mean() > 1.1 * series["load"][read & sunday].mean()
    mild = (series["temperature"] > 15) & (series["temperature"] < 21)
    cold = series["temperature"] < 2
    noon = series["time"] % 24 == 12
    assert series["load"][read & noon & cold].mean() > series["load"][read & noon & mild].mean()


def test_forecast_is_near_but_not_the_truth(built) -> None:
    series = table(built["train"])
    error = np.abs(series["forecast"] - series["temperature"])
    assert 0.5 < error.mean() < 2.5


def test_shuffled_labels_keep_all_but_the_order_of_loads(town, built) -> None:
    before, after = table(built["train"]), table(town.shuffle_labels(built["train"], SEED))
    assert np.array_equal(np.sort(before["load"]), np.sort(after["load"]))
    assert (before["load"] == after["load"]).mean() < 0.05
    for name in ("time", "temperature", "forecast", "holiday"):
        assert np.array_equal(before[name], after[name])
