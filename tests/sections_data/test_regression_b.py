from __future__ import annotations

import ast
import csv
import datetime
import hashlib
import io
import itertools
import re
from types import ModuleType

import numpy as np
import pytest

from tests.sections_data.conftest import OTHER_SEED, SECTIONS, SEED, load_dataset

FOLDER = SECTIONS / "1-regression-b"
SEEDS = [bytes([number]) * 32 for number in range(5)]
DIGESTS = [
    "daf9270074408c00",
    "4de3c59f04a415a6",
    "9d673d4225186484",
    "182d93aec8a2bdfb",
    "c9827fe54920b895",
]


@pytest.fixture(scope="module")
def homes() -> ModuleType:
    return load_dataset("1-regression-b")


@pytest.fixture(scope="module")
def built(homes) -> dict:
    return homes.build({}, SEED)


def table(train: dict[str, bytes]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(train["train.csv"].decode())))


def as_input(homes: ModuleType, row: dict[str, str]) -> list[float]:
    """What task.md says the grader makes of a row."""
    year, month, _ = row["sold"].split("-")
    words = {**row, "year": year, "month": month}
    return [
        homes.CATEGORIES[name].index(words[name])
        if name in homes.CATEGORIES
        else float(words[name])
        for name in homes.FEATURES
    ]


def test_same_seed_same_bytes_on_any_machine(homes, built) -> None:
    """The digests were taken once; a processor or a NumPy that adds otherwise would change them."""
    again = homes.build({}, SEED)
    assert again["train"] == built["train"]
    digests = [hashlib.sha256(built["train"]["train.csv"]).hexdigest()[:16]]
    for name in ("probe", "final"):
        for array in (built[name]["inputs"]["features"], built[name]["labels"]):
            digests.append(hashlib.sha256(array.tobytes()).hexdigest()[:16])
    assert digests == DIGESTS


def test_another_seed_is_another_market(homes) -> None:
    one, other = (homes.draw_market(homes.generator(seed)) for seed in (SEED, OTHER_SEED))
    assert [name for name in one if not np.array_equal(one[name], other[name])]
    assert not np.array_equal(one["district"], other["district"])
    assert sorted(one["district"]) == sorted(other["district"])  # as hard, in other places


def test_arrays_have_the_shapes_and_dtypes_of_the_contract(built) -> None:
    assert built["sample"]["inputs"]["features"].shape == (16, 10)
    for name in ("probe", "final"):
        features, prices = built[name]["inputs"]["features"], built[name]["labels"]
        assert (features.dtype, features.shape) == (np.float32, (2000, 10))
        assert (prices.dtype, prices.shape) == (np.float32, (2000, 1))


def test_no_home_occurs_twice_in_any_set(homes, built) -> None:
    rows = np.array([as_input(homes, row) for row in table(built["train"])], dtype=np.float32)
    sets = [rows, *(built[name]["inputs"]["features"] for name in ("probe", "final"))]
    different = [set(map(tuple, values.tolist())) for values in sets]
    assert [len(values) for values in different] == [16_000, 2000, 2000]
    assert all(not a & b for a, b in itertools.combinations(different, 2))


def test_homes_that_occur_again_are_dropped(homes) -> None:
    columns = {name: np.array([1.0, 2.0, 1.0, 3.0]) for name in (*homes.FEATURES, "day")}
    columns["day"] = np.array([0.1, 0.2, 0.3, 0.4])
    assert homes.distinct(columns, 3)["day"].tolist() == [0.1, 0.2, 0.4]


def test_sample_is_the_first_rows_of_the_train_set(homes, built) -> None:
    first = [as_input(homes, row) for row in table(built["train"])[:16]]
    assert np.array_equal(built["sample"]["inputs"]["features"], np.array(first, dtype=np.float32))


@pytest.mark.parametrize("seed", SEEDS)
def test_oracle_errs_as_the_docstring_derives(homes, seed) -> None:
    """NOISE * 300 = 6; each of 2,000 errors has a standard deviation of about 5.5."""
    data, best = homes.build({}, seed), homes.oracle(seed)
    for name in ("probe", "final"):
        prices = data[name]["labels"]
        assert np.abs(best[name] - prices).mean() == pytest.approx(6.0, abs=0.6)
        # No other answer is better: not a little more, not a little less.
        for factor in (0.99, 1.01):
            assert np.abs(best[name] * factor - prices).mean() > np.abs(best[name] - prices).mean()


@pytest.mark.parametrize("seed", SEEDS)
def test_every_seed_is_as_hard(homes, seed) -> None:
    _, worth = homes.session(seed)
    assert worth.mean() == pytest.approx(300)
    assert np.abs(worth - np.median(worth)).mean() == pytest.approx(90, rel=1e-3)
    assert worth.min() > 30  # a home is never given away


def test_noise_has_the_derived_mean_absolute_value(homes) -> None:
    homes_drawn, worth = homes.session(SEED)
    e = (homes_drawn["price"] / 10 / worth - 1) / homes.NOISE
    assert np.abs(e).mean() == pytest.approx(1, abs=0.02)
    assert np.median(e) == pytest.approx(0, abs=0.03)


def test_shuffled_labels_are_the_same_prices_at_other_homes(homes, built) -> None:
    mixed = homes.shuffle_labels(built["train"], SEED)
    assert mixed == homes.shuffle_labels(built["train"], SEED)
    assert mixed != homes.shuffle_labels(built["train"], OTHER_SEED)
    before, after = table(built["train"]), table(mixed)
    assert [row["area"] + row["sold"] for row in before] == [
        row["area"] + row["sold"] for row in after
    ]
    old, new = ([float(row["price"]) for row in rows] for rows in (before, after))
    assert sorted(old) == sorted(new)
    assert abs(np.corrcoef(old, new)[0, 1]) < 0.05


def test_order_of_hidden_rows_says_nothing(built) -> None:
    labels = built["probe"]["labels"].ravel()
    assert abs(np.corrcoef(np.arange(len(labels)), labels)[0, 1]) < 0.08


def test_dates_are_days_that_exist(built) -> None:
    days = {datetime.date.fromisoformat(row["sold"]) for row in table(built["train"])}
    assert min(days).year == 2015 and max(days).year == 2022


def test_task_lists_features_and_codes_in_order(homes) -> None:
    task = (FOLDER / "task.md").read_text()
    assert "| feature | " + " | ".join(f"`{name}`" for name in homes.FEATURES) + " |" in task
    for name, values in homes.CATEGORIES.items():
        assert f"| `{name}` | " + " | ".join(values) + " |" in task
    assert f"{homes.TRAIN_ROWS:,} homes" in task
    assert f"prices of {homes.HIDDEN_ROWS:,} homes" in task


@pytest.mark.parametrize("script", ["starter", "linear", "typical", "improved", "reference"])
def test_scripts_make_the_documented_numbers_of_a_row(homes, built, script) -> None:
    path = FOLDER / f"{script}.py"
    wanted = ("FEATURES", "CATEGORIES", "number")
    nodes = [
        node
        for node in ast.parse(path.read_text()).body
        if getattr(node, "name", None) in wanted
        or (isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) in wanted)
    ]
    scope: dict = {}
    exec(compile(ast.Module(nodes, []), str(path), "exec"), scope)  # keras is not needed for it
    for row in table(built["train"])[:50]:
        numbers = [scope["number"](row, name) for name in scope["FEATURES"]]
        assert numbers == as_input(homes, row)


def test_no_band_asks_for_more_than_the_oracle_gives(homes) -> None:
    section = (FOLDER / "section.yaml").read_text()
    best = float(re.findall(r"^bands: .*, ([\d.]+)]$", section, re.M)[0])
    assert best > 1.5 * homes.NOISE * homes.MEAN_WORTH
