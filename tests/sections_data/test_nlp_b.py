"""The second form of the language section: snippets and their mean ratings."""

from __future__ import annotations

import io
import itertools
import json
import random
import tarfile
from types import ModuleType

import numpy as np
import pytest

from tests.sections_data.conftest import OTHER_SEED, SEED, load_dataset

FILES = ("movieReviewSnippets", "tweets", "nytEditorialSnippets", "amazonReviewSnippets")


@pytest.fixture
def nlp(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = load_dataset("4-nlp-b")
    monkeypatch.setattr(module, "HIDDEN_ROWS", 60)
    return module


def archive(lines: dict[str, list[str]]) -> bytes:
    """An archive of the four files, of the lines given."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name in FILES:
            content = "\r\n".join([*lines.get(name, []), ""]).encode()
            member = tarfile.TarInfo(f"hutto_ICWSM_2014/{name}_GroundTruth.txt")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def source() -> dict[str, bytes]:
    """A hundred and sixty snippets of each kind, four sentences an article."""
    rng = random.Random(1)
    lines = {}
    for name in FILES:
        has_parts = name.startswith(("nyt", "amazon"))
        numbers = [f"{row // 4}_{row % 4}" if has_parts else str(row) for row in range(160)]
        lines[name] = [f"{number}\t{rng.uniform(-4, 4):.6f}\t{_text(rng)}" for number in numbers]
    return {"snippets": archive(lines)}


def _text(rng: random.Random) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return " ".join("".join(rng.choices(letters, k=rng.choice([1, 5]))) for _ in range(8))


def rows(train: dict[str, bytes]) -> list[dict]:
    return [json.loads(line) for line in train["train.jsonl"].decode().splitlines()]


def test_same_seed_same_bytes_and_another_seed_other_sets(nlp, source) -> None:
    one, two, other = (nlp.build(source, seed) for seed in (SEED, SEED, OTHER_SEED))
    assert one["train"] == two["train"] != other["train"]
    for name in ("probe", "final"):
        assert np.array_equal(one[name]["labels"], two[name]["labels"])
        for form in ("text", "tokens"):
            assert np.array_equal(one[name]["inputs"][form], two[name]["inputs"][form])
        assert not np.array_equal(one[name]["inputs"]["text"], other[name]["inputs"]["text"])


def test_arrays_have_the_shapes_and_dtypes_of_the_contract(nlp, source) -> None:
    built = nlp.build(source, SEED)
    for name, count in (("sample", 16), ("probe", 60), ("final", 60)):
        text, tokens = built[name]["inputs"]["text"], built[name]["inputs"]["tokens"]
        assert (text.dtype, text.shape) == (object, (count,))
        assert all(type(item) is str for item in text)
        assert (tokens.dtype, tokens.shape) == (np.int32, (count, 50))
    for name in ("probe", "final"):
        labels = built[name]["labels"]
        assert (labels.dtype, labels.shape) == (np.float32, (60, 1))
        assert np.abs(labels).max() <= 4


def test_sets_share_no_snippet_and_no_session_asks_what_another_trains_on(nlp, source) -> None:
    one, other = (nlp.build(source, seed) for seed in (SEED, OTHER_SEED))
    sets = [{row["text"] for row in rows(one["train"])}]
    sets += [set(one[name]["inputs"]["text"].tolist()) for name in ("probe", "final")]
    assert all(not a & b for a, b in itertools.combinations(sets, 2))
    for name in ("probe", "final"):
        assert sets[0].isdisjoint(other[name]["inputs"]["text"])


def test_sentences_of_one_article_are_on_one_side(nlp, source) -> None:
    sides: dict[str, set[bool]] = {}
    for snippet in nlp.read(source["snippets"]):
        if snippet.kind == "editorial":
            sides.setdefault(snippet.whole, set()).add(nlp.is_reserved(snippet))
    assert len(sides) == 40
    assert all(len(side) == 1 for side in sides.values())
    assert set.union(*sides.values()) == {True, False}


def test_entities_are_resolved_and_scraps_left_out(nlp) -> None:
    read = nlp.read(
        archive({"tweets": ["1\t1.23456\tlove  &amp; peace to you", "2\t0.5\tso good"]})
    )
    assert [(one.text, one.rating, one.kind) for one in read] == [
        ("love & peace to you", 1.23, "tweet")
    ]


def test_near_duplicates_are_kept_once(nlp) -> None:
    texts = [
        "a very good film", "good films!", "a good book",
        "the plot drags badly through its second hour", "the plot drags through its second hour",
    ]  # fmt: skip
    kept = nlp.distinct([nlp.Snippet(text, 0.0, "film") for text in texts])
    assert [one.text for one in kept] == [texts[0], texts[2], texts[3]]


def test_shuffled_ratings_are_the_same_ratings_in_another_order(nlp, source) -> None:
    train = nlp.build(source, SEED)["train"]
    wrong = nlp.shuffle_labels(train, SEED)
    before, after = rows(train), rows(wrong)
    assert [row["text"] for row in before] == [row["text"] for row in after]
    ratings = [[row["rating"] for row in group] for group in (before, after)]
    assert ratings[0] != ratings[1]
    assert sorted(ratings[0]) == sorted(ratings[1])


def test_a_source_with_too_few_snippets_is_an_error(nlp) -> None:
    with pytest.raises(ValueError, match="snippets for the hidden sets"):
        nlp.build({"snippets": archive({})}, SEED)
