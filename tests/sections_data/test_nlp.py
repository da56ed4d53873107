from __future__ import annotations

import itertools
import json
from collections import Counter

import numpy as np
import pytest

from tests.sections_data.conftest import OTHER_SEED, SEED


def rows(built: dict) -> list[dict]:
    return [json.loads(line) for line in built["train"]["train.jsonl"].decode().splitlines()]


def test_same_seed_same_bytes_and_another_seed_other_sets(nlp, wordnet) -> None:
    source = {"wordnet": wordnet()}
    one, two, other = (nlp.build(source, seed) for seed in (SEED, SEED, OTHER_SEED))
    assert one["train"] == two["train"] != other["train"]
    for name in ("probe", "final"):
        assert np.array_equal(one[name]["labels"], two[name]["labels"])
        for form in ("text", "tokens"):
            assert np.array_equal(one[name]["inputs"][form], two[name]["inputs"][form])
        assert not np.array_equal(one[name]["inputs"]["text"], other[name]["inputs"]["text"])


def test_arrays_have_the_shapes_and_dtypes_of_the_contract(nlp, wordnet) -> None:
    built = nlp.build({"wordnet": wordnet()}, SEED)
    for name, count in (("sample", 16), ("probe", 190), ("final", 190)):
        text, tokens = built[name]["inputs"]["text"], built[name]["inputs"]["tokens"]
        assert (text.dtype, text.shape) == (object, (count,))
        assert all(type(item) is str for item in text)
        assert (tokens.dtype, tokens.shape) == (np.int32, (count, 40))
    for name in ("probe", "final"):
        assert (built[name]["labels"].dtype, built[name]["labels"].shape) == (np.int32, (190,))


def test_sets_are_balanced_shuffled_and_share_no_gloss(nlp, wordnet) -> None:
    built = nlp.build({"wordnet": wordnet()}, SEED)
    train = rows(built)
    assert set(Counter(row["label"] for row in train)) == set(range(19))
    assert all(row["category"] == nlp.CATEGORIES[row["label"]][0] for row in train)
    for name in ("probe", "final"):
        labels = built[name]["labels"]
        assert np.array_equal(np.bincount(labels), [10] * 19)
        assert (np.diff(labels) < 0).any()
    texts = [{row["text"] for row in train}]
    texts += [set(built[name]["inputs"]["text"].tolist()) for name in ("probe", "final")]
    bags = [{nlp.content(text) for text in group} for group in texts]
    assert all(not a & b for a, b in itertools.combinations(bags, 2))
    assert set(built["sample"]["inputs"]["text"].tolist()) <= texts[0]


def test_vocabulary_counts_the_train_set_alone_most_frequent_first(nlp, wordnet) -> None:
    built = nlp.build({"wordnet": wordnet()}, SEED)
    vocabulary = built["train"]["vocabulary.txt"].decode().splitlines()
    counts = Counter(word for row in rows(built) for word in nlp.words(row["text"]))
    assert vocabulary == sorted(
        (word for word, count in counts.items() if count >= 2), key=lambda w: (-counts[w], w)
    )


def test_tokens_follow_the_documented_rule(nlp) -> None:
    gloss = "Man-made, (often) the  DOG's unseen"
    tokens = nlp.inputs([(gloss, 0)], ["the", "manmade", "dogs", "often"])["tokens"]
    assert tokens[0].tolist() == [3, 5, 2, 4, 1] + [0] * 35
    long = " ".join(["the"] * 50)
    assert nlp.inputs([(long, 0)], ["the"])["tokens"].tolist() == [[2] * 40]


@pytest.mark.parametrize(
    ("gloss", "text"),
    [
        ('a small cat; "the cat sat"; "a cat"', "a small cat"),
        ('a saying; "so it goes"; of old men', "a saying; of old men"),
        ('a quotation "without an end', "a quotation"),
        ("a plain gloss; with two parts", "a plain gloss; with two parts"),
    ],
)
def test_quoted_examples_are_cut_out(nlp, gloss: str, text: str) -> None:
    assert nlp.without_examples(gloss) == text


def test_near_duplicates_are_kept_once_and_contradictions_not_at_all(nlp) -> None:
    glosses = [
        ("English painter (1776-1837)", 8),
        ("an English painter; (1802-1873)", 8),
        ("English painters, 1900-1950", 8),
        ("the act of singing", 0),
        ("an act, singing", 5),
        ("a genus of ducks", 1),
        ("a genus of geese", 1),
        ("small wild cat, mountains of Siberia", 1),
        ("small wild cat of mountains of Tibet", 1),
        ("small cat; mountains of Siberia", 1),
        ("a large wild cat of mountains of Siberia and Tibet", 1),
    ]
    kept = [glosses[place] for place in (0, 5, 6, 7, 10)]
    assert nlp.distinct(glosses) == kept


def test_only_the_nineteen_categories_and_no_scraps_are_read(nlp, wordnet) -> None:
    source = wordnet(
        0, (("05", "a wild cat"), ("22", "a part of the body"), ("20", 'herb; "a b c d"'))
    )
    assert nlp.read(source) == [("a wild cat", 1)]


def test_a_source_with_too_few_glosses_is_an_error_that_names_the_category(nlp, wordnet) -> None:
    with pytest.raises(ValueError, match="different glosses of the category act"):
        nlp.build({"wordnet": wordnet(each=12)}, SEED)


def test_no_session_trains_on_what_another_one_asks(nlp, wordnet) -> None:
    one, other = (nlp.build({"wordnet": wordnet()}, seed) for seed in (SEED, OTHER_SEED))
    train = {row["text"] for row in rows(one)}
    for name in ("probe", "final"):
        assert train.isdisjoint(other[name]["inputs"]["text"])


def test_shuffled_labels_stay_the_same_labels_of_the_same_glosses_in_another_order(
    nlp, wordnet
) -> None:
    train = nlp.build({"wordnet": wordnet()}, SEED)["train"]
    wrong = nlp.shuffle_labels(train, SEED)
    before, after = rows({"train": train}), rows({"train": wrong})
    assert [row["text"] for row in before] == [row["text"] for row in after]
    labels = [[row["label"] for row in group] for group in (before, after)]
    assert labels[0] != labels[1]
    assert sorted(labels[0]) == sorted(labels[1])
    assert wrong == nlp.shuffle_labels(train, SEED) != nlp.shuffle_labels(train, OTHER_SEED)
