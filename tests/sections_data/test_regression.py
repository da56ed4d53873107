from __future__ import annotations

import csv
import io
import itertools

import numpy as np
import pytest

from tests.sections_data.conftest import OTHER_SEED, SEED

STONE = '0.70,"Ideal","E","SI1",61.5,55,2757,5.70,5.72,3.51'


def stones(built: dict, regression) -> dict[str, set[tuple[float, ...]]]:
    """The stones of each set: features and price."""
    rows = list(csv.DictReader(io.StringIO(built["train"]["train.csv"].decode())))
    train = np.hstack([regression.features(rows), regression.prices(rows)])
    sets = {"train": train}
    for name in ("probe", "final"):
        sets[name] = np.hstack([built[name]["inputs"]["features"], built[name]["labels"]])
    return {name: {tuple(row) for row in values.tolist()} for name, values in sets.items()}


def test_same_seed_same_bytes_and_another_seed_other_sets(regression, diamonds) -> None:
    source = {"diamonds": diamonds()}
    one, two, other = (regression.build(source, seed) for seed in (SEED, SEED, OTHER_SEED))
    assert one["train"] == two["train"] != other["train"]
    for name in ("probe", "final"):
        assert np.array_equal(one[name]["labels"], two[name]["labels"])
        assert np.array_equal(one[name]["inputs"]["features"], two[name]["inputs"]["features"])
        assert not np.array_equal(one[name]["labels"], other[name]["labels"])


def test_arrays_have_the_shapes_and_dtypes_of_the_contract(regression, diamonds) -> None:
    built = regression.build({"diamonds": diamonds(400)}, SEED)
    assert built["sample"]["inputs"]["features"].shape == (16, 9)
    for name in ("probe", "final"):
        features, prices = built[name]["inputs"]["features"], built[name]["labels"]
        assert (features.dtype, features.shape) == (np.float32, (40, 9))
        assert (prices.dtype, prices.shape) == (np.float32, (40, 1))
    assert built["train"]["train.csv"].count(b"\n") == 201


def test_sets_share_no_stone(regression, diamonds) -> None:
    sets = stones(regression.build({"diamonds": diamonds(400)}, SEED), regression)
    assert [len(values) for values in sets.values()] == [200, 40, 40]
    assert all(not a & b for a, b in itertools.combinations(sets.values(), 2))


def test_no_session_trains_on_a_hidden_stone_of_another(regression, diamonds) -> None:
    source = {"diamonds": diamonds(400)}
    sessions = [stones(regression.build(source, bytes([n])), regression) for n in range(6)]
    trained = set().union(*(one["train"] for one in sessions))
    hidden = set().union(*(one["probe"] | one["final"] for one in sessions))
    assert len(trained) > 200 and len(hidden) > 80  # sessions do draw other stones
    assert not trained & hidden


def test_a_source_with_too_few_stones_is_refused(regression, diamonds) -> None:
    with pytest.raises(ValueError, match=r"only \d+ and \d+ different"):
        regression.build({"diamonds": diamonds(200)}, SEED)


def test_shuffled_labels_are_the_same_prices_at_other_stones(regression, diamonds) -> None:
    train = regression.build({"diamonds": diamonds(400)}, SEED)["train"]
    mixed = regression.shuffle_labels(train, SEED)
    assert mixed == regression.shuffle_labels(train, SEED) != regression.shuffle_labels(train, b"")
    before, after = (regression.read(one["train.csv"]) for one in (train, mixed))
    assert np.array_equal(regression.features(before), regression.features(after))
    old, new = (regression.prices(rows).ravel() for rows in (before, after))
    assert sorted(old) == sorted(new)
    assert abs(np.corrcoef(old, new)[0, 1]) < 0.3


def test_sample_is_taken_from_the_train_set(regression, diamonds) -> None:
    built = regression.build({"diamonds": diamonds()}, SEED)
    train = {row[:9] for row in stones(built, regression)["train"]}
    assert {tuple(row) for row in built["sample"]["inputs"]["features"].tolist()} <= train


def test_hidden_sets_have_the_spread_of_prices_of_the_reserve(regression) -> None:
    reserve = [{"price": str(price)} for price in range(120)]
    for part in regression.hidden(regression.generator(SEED), reserve):
        assert [int(row["price"]) // 3 for row in part] == list(range(40))


def test_hidden_rows_are_not_in_order_of_price(regression, diamonds) -> None:
    labels = regression.build({"diamonds": diamonds(400)}, SEED)["probe"]["labels"].ravel()
    assert abs(np.corrcoef(np.arange(len(labels)), labels)[0, 1]) < 0.5


def test_one_stone_listed_again_is_kept_once(regression, diamonds) -> None:
    again = (
        STONE,  # word for word
        '0.70,"Good","E","SI1",61.4,56,2801,5.72,5.70,3.51',  # turned, judged anew, other price
        '0.70,"Ideal","E","SI1",61.4,55,2790,5.71,5.72,3.50',  # a hair's breadth off
        '0.70,"Ideal","E","SI1",61.5,55,2757,5.66,5.69,3.49',  # the same listing, measured again
    )
    rows = regression.read(diamonds(0, (STONE, *again)))
    assert len(regression.distinct(rows)) == 1


def test_stones_that_differ_are_all_kept(regression, diamonds) -> None:
    others = (
        '0.71,"Ideal","E","SI1",61.5,55,2757,5.70,5.72,3.51',
        '0.70,"Ideal","F","SI1",61.5,55,2757,5.70,5.72,3.51',
        '0.70,"Ideal","E","VS2",61.5,55,2757,5.70,5.72,3.51',
        '0.70,"Ideal","E","SI1",61.9,55,2700,5.70,5.72,3.53',
    )
    rows = regression.read(diamonds(0, (STONE, *others)))
    assert len(regression.distinct(rows)) == 5


def test_impossible_measurements_are_dropped(regression, diamonds) -> None:
    impossible = (
        '2.00,"Premium","H","SI2",58.9,57,12210,8.09,58.90,8.06',
        '0.51,"Ideal","E","VS1",61.8,55,2075,5.15,5.12,31.80',
        '1.00,"Premium","G","SI2",59.1,59,3142,6.55,6.48,0',
    )
    rows = regression.read(diamonds(0, (STONE, *impossible)))
    assert [row["price"] for row in regression.plausible(rows)] == ["2757"]


def test_features_follow_the_documented_order_and_codes(regression, diamonds) -> None:
    rows = regression.read(diamonds(0, (STONE,)))
    expected = np.array([[0.7, 4, 5, 2, 61.5, 55, 5.7, 5.72, 3.51]], dtype=np.float32)
    assert np.array_equal(regression.features(rows), expected)
    assert np.array_equal(regression.prices(rows), np.array([[2757]], dtype=np.float32))


def test_train_csv_has_categories_in_words_and_the_price_last(regression, diamonds) -> None:
    text = regression.to_csv(regression.read(diamonds(0, (STONE,)))).decode()
    assert text == (
        "carat,cut,color,clarity,depth,table,x,y,z,price\n"
        "0.70,Ideal,E,SI1,61.5,55,5.70,5.72,3.51,2757\n"
    )
