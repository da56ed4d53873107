"""Train, probe and final sets of the language section's second form: how do people feel about it?

The source is the data of Hutto and Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment
Analysis of Social Media Text" (ICWSM 2014): some 23,700 snippets of four kinds (film reviews,
tweets, newspaper editorials, product reviews), each with the mean of at least 15 people's ratings
from -4 (extremely negative) to 4 (extremely positive). `build` turns them into three sets:

1. HTML entities are resolved and white space is evened out. Snippets of fewer than three words are
   dropped.
2. Two snippets are **near-duplicates** when their bags of content words are the same, or when the
   larger one has at least five words and they differ in one word (added, left out or
   replaced). Content words are those in lower case, without punctuation, without function words, a
   plural `s` cut off, and every digit written as 0. Of near-duplicates only the first is kept.
3. Snippets of one article or product review stay together; a film snippet or a tweet stands alone.
   A hash of the text of the whole puts it into the **reserve** (three of ten) or the **pool**, the
   same in every session: what one session trains on, none asks about.
4. The seed draws nine tenths of the pool for the train set, and from the reserve 3,000 snippets for
   the probe set and 3,000 others for the final set. All have the same mixture of kinds.
5. Each set is shuffled.

`vocabulary.txt` is counted on the train set alone.

All randomness comes from one PCG64 generator and from its `random` method only, whose stream does
not change between versions of NumPy.
"""

from __future__ import annotations

import hashlib
import html
import io
import json
import re
import string
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

# The name of a kind, its file in the source, and whether ids there are ARTICLE_SENTENCE.
KINDS = (
    ("film", "movieReviewSnippets", False),
    ("tweet", "tweets", False),
    ("editorial", "nytEditorialSnippets", True),
    ("product", "amazonReviewSnippets", True),
)

TRAIN_SHARE = 0.9  # of the pool
RESERVE_TENTHS = 3  # of all articles, film snippets, ...
HIDDEN_ROWS = 3_000  # of each of the hidden sets
SAMPLE_ROWS = 16
FEWEST_WORDS = 3
LARGE_BAG = 5  # content words, from which on one may differ

VOCABULARY_SIZE = 10_000
FEWEST_OCCURRENCES = 2
PADDING, UNKNOWN, FIRST_WORD = 0, 1, 2  # token ids
TOKENS = 50

FUNCTION_WORD_LIST = """
    a an and are as at be been being between but by can etc especially for from had has have in
    into is it its of on one or other some such than that the their them they this those to
    used usually very was were when where which who whose with within without
"""
FUNCTION_WORDS = frozenset(FUNCTION_WORD_LIST.split())
NO_PUNCTUATION = str.maketrans("", "", string.punctuation)

Bag = tuple[str, ...]  # content words in alphabetical order


class Snippet(NamedTuple):
    """One text, the mean of its ratings (-4 to 4), and where it comes from."""

    text: str
    rating: float
    kind: str
    whole: str = ""  # the first text of the article or review that it is part of


def build(sources: dict[str, bytes], seed: bytes) -> dict[str, Any]:
    """Make the files of the train set and the arrays of the sample, probe and final sets.

    `sources["snippets"]` holds the bytes of the archive of the four files, `seed` 32 secret bytes.
    Inputs come in two forms: `text`, an object array of str of shape (rows,), and `tokens`, int32
    of shape (rows, 50). Labels are mean ratings, float32 of shape (rows, 1). Raises ValueError if
    there are too few snippets to fill the hidden sets.
    """
    rng = generator(seed)
    train, probe, final = (
        shuffle(rng, part) for part in split(rng, distinct(read(sources["snippets"])))
    )
    vocabulary = count_words(train)
    return {
        "train": {
            "train.jsonl": to_jsonl(train),
            "vocabulary.txt": "".join(word + "\n" for word in vocabulary).encode("utf-8"),
        },
        "sample": {"inputs": inputs(train[:SAMPLE_ROWS], vocabulary)},
        "probe": {"inputs": inputs(probe, vocabulary), "labels": ratings(probe)},
        "final": {"inputs": inputs(final, vocabulary), "labels": ratings(final)},
    }


def shuffle_labels(train: dict[str, bytes], seed: bytes) -> dict[str, bytes]:
    """Return the train files with the ratings dealt out anew among the snippets of all kinds."""
    lines = train["train.jsonl"].decode("utf-8").splitlines()
    rows = [Snippet(**json.loads(line)) for line in lines]
    mixed = shuffle(generator(seed), rows)
    wrong = [row._replace(rating=mixed[place].rating) for place, row in enumerate(rows)]
    return {**train, "train.jsonl": to_jsonl(wrong)}


def generator(seed: bytes) -> np.random.Generator:
    """Return the one source of randomness of this section."""
    digest = hashlib.sha256(b"nlp-b:" + seed).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))


def shuffle(rng: np.random.Generator, snippets: Sequence[Snippet]) -> list[Snippet]:
    """Return the snippets in random order."""
    order = np.argsort(rng.random(len(snippets)), kind="stable")
    return [snippets[index] for index in order.tolist()]


def read(source: bytes) -> list[Snippet]:
    """Read the snippets of the four kinds: lines of id, mean rating and text, split by tabs."""
    snippets = []
    with tarfile.open(fileobj=io.BytesIO(source)) as archive:
        for kind, name, has_parts in KINDS:
            member = archive.extractfile(f"hutto_ICWSM_2014/{name}_GroundTruth.txt")
            if member is None:
                raise ValueError(f"the source has no {name}_GroundTruth.txt")
            wholes: dict[str, str] = {}
            for line in member.read().decode("utf-8-sig").splitlines():
                number, rating, text = line.split("\t")
                text = " ".join(html.unescape(text).split())
                whole = wholes.setdefault(number.split("_")[0] if has_parts else number, text)
                if len(words(text)) >= FEWEST_WORDS:
                    snippets.append(Snippet(text, round(float(rating), 2), kind, whole))
    return snippets


def words(text: str) -> list[str]:
    """Split a text as the task says: lower case, punctuation deleted, split at white space."""
    return text.lower().translate(NO_PUNCTUATION).split()


def content(text: str) -> Bag:
    """Return the bag of content words by which near-duplicates are recognised."""
    spaced = re.sub(r"[^\w\s]|_", " ", text.lower())
    bag = (
        re.sub(r"\d", "0", word[:-1] if len(word) > 3 and word.endswith("s") else word)
        for word in spaced.split()
        if word not in FUNCTION_WORDS
    )
    return tuple(sorted(bag))


def distinct(snippets: Sequence[Snippet]) -> list[Snippet]:
    """Keep the first of each group of near-duplicates."""
    kept = []
    seen: set[Bag] = set()
    for snippet in snippets:
        bag = content(snippet.text)
        near = [bag, *shortened(bag)]
        if seen.isdisjoint(near):
            kept.append(snippet)
            seen.update(near)
    return kept


def shortened(bag: Bag) -> Iterator[Bag]:
    """Yield a large bag with one word left out, for each of its words.

    Two bags that differ in one word have one of these in common, or one is among the other's.
    """
    if len(bag) >= LARGE_BAG:
        for place in range(len(bag)):
            yield bag[:place] + bag[place + 1 :]


def is_reserved(snippet: Snippet) -> bool:
    """Tell whether a snippet is kept for hidden sets, by a hash of what it is part of."""
    digest = hashlib.sha256("\n".join(content(snippet.whole)).encode("utf-8")).digest()
    return int.from_bytes(digest[:8], "big") % 10 < RESERVE_TENTHS


def split(
    rng: np.random.Generator, snippets: Sequence[Snippet]
) -> tuple[list[Snippet], list[Snippet], list[Snippet]]:
    """Draw train from the pool, probe and final from the reserve."""
    pool = shuffle(rng, [snippet for snippet in snippets if not is_reserved(snippet)])
    reserve = shuffle(rng, [snippet for snippet in snippets if is_reserved(snippet)])
    if len(reserve) < 2 * HIDDEN_ROWS:
        raise ValueError(f"only {len(reserve)} different snippets for the hidden sets")
    train = pool[: int(TRAIN_SHARE * len(pool))]
    return train, reserve[:HIDDEN_ROWS], reserve[HIDDEN_ROWS : 2 * HIDDEN_ROWS]


def count_words(snippets: Sequence[Snippet]) -> list[str]:
    """Return the vocabulary: the most frequent words first, equals in alphabetical order."""
    counts = Counter(word for snippet in snippets for word in words(snippet.text))
    frequent = (item for item in counts.items() if item[1] >= FEWEST_OCCURRENCES)
    ranked = sorted(frequent, key=lambda item: (-item[1], item[0]))
    return [word for word, _ in ranked[:VOCABULARY_SIZE]]


def inputs(snippets: Sequence[Snippet], vocabulary: Sequence[str]) -> dict[str, np.ndarray]:
    """Return both forms of the input: `text`, (rows,) of str, and `tokens`, int32 (rows, 50)."""
    id_of = {word: number for number, word in enumerate(vocabulary, FIRST_WORD)}
    text = np.empty(len(snippets), dtype=object)
    tokens = np.full((len(snippets), TOKENS), PADDING, dtype=np.int32)
    for row, snippet in enumerate(snippets):
        text[row] = snippet.text
        ids = [id_of.get(word, UNKNOWN) for word in words(snippet.text)[:TOKENS]]
        tokens[row, : len(ids)] = ids
    return {"text": text, "tokens": tokens}


def ratings(snippets: Sequence[Snippet]) -> np.ndarray:
    """Return the labels: float32 of shape (rows, 1)."""
    return np.array([[snippet.rating] for snippet in snippets], dtype=np.float32)


def to_jsonl(snippets: Sequence[Snippet]) -> bytes:
    """Write snippets as the candidate gets them: one JSON object a line."""
    return "".join(
        json.dumps({"text": one.text, "rating": one.rating, "kind": one.kind}) + "\n"
        for one in snippets
    ).encode("utf-8")
