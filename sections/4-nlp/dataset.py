"""Train, probe and final sets of the language section: what kind of thing does a gloss define?

The source is `data.noun` of WordNet 3.0. Each line is one sense of a noun: the second field is the
number of its lexicographer file (a category such as `noun.animal`), and what follows the bar is
its gloss. `build` turns the glosses of 19 categories into three sets:

1. Quoted examples are cut out of the gloss ("they were all fishes"), and so are spaces and
   semicolons left over at its ends. Glosses of fewer than three words are dropped.
2. Two glosses are **near-duplicates** when their bags of content words are the same, or when
   the larger one has at least five words and they differ in one word (added, left out or
   replaced). Content words are those in lower case, without punctuation, without function words,
   a plural `s` cut off, and every digit written as 0 (so that "English painter (1776-1837)" and
   "English painters (1802-1873)" are one). Of near-duplicates only the first is kept; where the
   very same bag stands in different categories, all go, for then no answer would be right.
3. A hash of its content words puts every gloss into the **reserve** (three of ten) or the
   **pool**, the same in every session: what one session trains on, none asks about.
4. From each category the seed draws two fifths of the pool for the train set, so that it is as
   unbalanced as the dictionary, and from the reserve 105 glosses for the probe set and 100
   others for the final set: these are balanced, and guessing is right once in nineteen times.
5. Each set is shuffled.

`vocabulary.txt` is counted on the train set alone.

All randomness comes from one PCG64 generator and from its `random` method only, whose stream does
not change between versions of NumPy.
"""

from __future__ import annotations

import hashlib
import json
import re
import string
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

# The label of a category is its place in this list; the number is that of the lexicographer file.
CATEGORIES = (
    ("act", "04"),
    ("animal", "05"),
    ("artifact", "06"),
    ("attribute", "07"),
    ("body", "08"),
    ("cognition", "09"),
    ("communication", "10"),
    ("event", "11"),
    ("food", "13"),
    ("group", "14"),
    ("location", "15"),
    ("object", "17"),
    ("person", "18"),
    ("plant", "20"),
    ("possession", "21"),
    ("quantity", "23"),
    ("state", "26"),
    ("substance", "27"),
    ("time", "28"),
)

TRAIN_SHARE = 0.4  # of each category's pool
RESERVE_TENTHS = 3  # of all glosses
HIDDEN_EACH = 105  # glosses of each category in each of the hidden sets
SAMPLE_ROWS = 16
FEWEST_WORDS = 3
LARGE_BAG = 5  # content words, from which on one may differ

VOCABULARY_SIZE = 10_000
FEWEST_OCCURRENCES = 2
PADDING, UNKNOWN, FIRST_WORD = 0, 1, 2  # token ids
TOKENS = 40

FUNCTION_WORD_LIST = """
    a an and are as at be been being between but by can etc especially for from had has have in
    into is it its of on one or other some such than that the their them they this those to
    used usually very was were when where which who whose with within without
"""
FUNCTION_WORDS = frozenset(FUNCTION_WORD_LIST.split())
NO_PUNCTUATION = str.maketrans("", "", string.punctuation)

Gloss = tuple[str, int]  # text and label
Bag = tuple[str, ...]  # content words in alphabetical order


def build(sources: dict[str, bytes], seed: bytes) -> dict[str, Any]:
    """Make the files of the train set and the arrays of the sample, probe and final sets.

    `sources["wordnet"]` holds the bytes of data.noun, `seed` 32 secret bytes. Inputs come in two
    forms: `text`, an object array of str of shape (rows,), and `tokens`, int32 of shape
    (rows, 40). Labels are int32 of shape (rows,). Raises ValueError if a category has too few
    glosses to fill the sets.
    """
    rng = generator(seed)
    train, probe, final = (
        shuffle(rng, part) for part in split(rng, distinct(read(sources["wordnet"])))
    )
    vocabulary = count_words(train)
    return {
        "train": {
            "train.jsonl": to_jsonl(train),
            "vocabulary.txt": "".join(word + "\n" for word in vocabulary).encode("utf-8"),
        },
        "sample": {"inputs": inputs(train[:SAMPLE_ROWS], vocabulary)},
        "probe": {"inputs": inputs(probe, vocabulary), "labels": labels(probe)},
        "final": {"inputs": inputs(final, vocabulary), "labels": labels(final)},
    }


def shuffle_labels(train: dict[str, bytes], seed: bytes) -> dict[str, bytes]:
    """Return the train files with the labels dealt out anew among the glosses."""
    lines = train["train.jsonl"].decode("utf-8").splitlines()
    rows = [(row["text"], row["label"]) for row in map(json.loads, lines)]
    mixed = shuffle(generator(seed), rows)
    wrong = [(text, mixed[row][1]) for row, (text, _) in enumerate(rows)]
    return {**train, "train.jsonl": to_jsonl(wrong)}


def generator(seed: bytes) -> np.random.Generator:
    """Return the one source of randomness of this section."""
    digest = hashlib.sha256(b"nlp:" + seed).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))


def shuffle(rng: np.random.Generator, glosses: Sequence[Gloss]) -> list[Gloss]:
    """Return the glosses in random order."""
    order = np.argsort(rng.random(len(glosses)), kind="stable")
    return [glosses[index] for index in order.tolist()]


def read(source: bytes) -> list[Gloss]:
    """Read the glosses of the nineteen categories, in the order of the file."""
    label_of = {number: label for label, (_, number) in enumerate(CATEGORIES)}
    glosses = []
    for line in source.decode("utf-8").splitlines():
        if line.startswith("  "):  # the licence at the head of the file
            continue
        synset, _, gloss = line.partition(" | ")
        label = label_of.get(synset.split(" ", 2)[1])
        if label is None:
            continue
        text = without_examples(gloss)
        if len(words(text)) >= FEWEST_WORDS:
            glosses.append((text, label))
    return glosses


def without_examples(gloss: str) -> str:
    """Cut quoted examples, and what they leave behind, out of a gloss."""
    text = re.sub(r'"[^"]*("|$)', " ", gloss)
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s*([;,])(\s*[;,])+", r"\1", text)  # an example between two semicolons
    return text.strip(" ;,:")


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


def distinct(glosses: Sequence[Gloss]) -> list[Gloss]:
    """Keep the first of each group of near-duplicates, and no bag with several labels."""
    groups: dict[Bag, list[Gloss]] = {}
    for gloss in glosses:
        groups.setdefault(content(gloss[0]), []).append(gloss)
    kept = []
    seen: set[Bag] = set()
    for bag, group in groups.items():
        near = [bag, *shortened(bag)]
        if len({label for _, label in group}) == 1 and seen.isdisjoint(near):
            kept.append(group[0])
            seen.update(near)
    return kept


def shortened(bag: Bag) -> Iterator[Bag]:
    """Yield a large bag with one word left out, for each of its words.

    Two bags that differ in one word have one of these in common, or one is among the other's.
    """
    if len(bag) >= LARGE_BAG:
        for place in range(len(bag)):
            yield bag[:place] + bag[place + 1 :]


def is_reserved(gloss: Gloss) -> bool:
    """Tell whether a gloss is kept for hidden sets, by a hash of its own content words."""
    digest = hashlib.sha256("\n".join(content(gloss[0])).encode("utf-8")).digest()
    return int.from_bytes(digest[:8], "big") % 10 < RESERVE_TENTHS


def split(
    rng: np.random.Generator, glosses: Sequence[Gloss]
) -> tuple[list[Gloss], list[Gloss], list[Gloss]]:
    """Draw train from the pool, probe and final from the reserve of each category."""
    train: list[Gloss] = []
    probe: list[Gloss] = []
    final: list[Gloss] = []
    for label, (name, _) in enumerate(CATEGORIES):
        mine = [gloss for gloss in glosses if gloss[1] == label]
        reserve = shuffle(rng, [gloss for gloss in mine if is_reserved(gloss)])
        pool = shuffle(rng, [gloss for gloss in mine if not is_reserved(gloss)])
        if len(reserve) < 2 * HIDDEN_EACH:
            raise ValueError(f"only {len(mine)} different glosses of the category {name}")
        probe += reserve[:HIDDEN_EACH]
        final += reserve[HIDDEN_EACH : 2 * HIDDEN_EACH]
        train += pool[: int(TRAIN_SHARE * len(pool))]
    return train, probe, final


def count_words(glosses: Sequence[Gloss]) -> list[str]:
    """Return the vocabulary: the most frequent words first, equals in alphabetical order."""
    counts = Counter(word for text, _ in glosses for word in words(text))
    frequent = (item for item in counts.items() if item[1] >= FEWEST_OCCURRENCES)
    ranked = sorted(frequent, key=lambda item: (-item[1], item[0]))
    return [word for word, _ in ranked[:VOCABULARY_SIZE]]


def inputs(glosses: Sequence[Gloss], vocabulary: Sequence[str]) -> dict[str, np.ndarray]:
    """Return both forms of the input: `text`, (rows,) of str, and `tokens`, int32 (rows, 40)."""
    id_of = {word: number for number, word in enumerate(vocabulary, FIRST_WORD)}
    text = np.empty(len(glosses), dtype=object)
    tokens = np.full((len(glosses), TOKENS), PADDING, dtype=np.int32)
    for row, (gloss, _) in enumerate(glosses):
        text[row] = gloss
        ids = [id_of.get(word, UNKNOWN) for word in words(gloss)[:TOKENS]]
        tokens[row, : len(ids)] = ids
    return {"text": text, "tokens": tokens}


def labels(glosses: Sequence[Gloss]) -> np.ndarray:
    """Return the labels: int32 of shape (rows,)."""
    return np.array([label for _, label in glosses], dtype=np.int32)


def to_jsonl(glosses: Sequence[Gloss]) -> bytes:
    """Write glosses as the candidate gets them: one JSON object a line."""
    return "".join(
        json.dumps({"text": text, "label": label, "category": CATEGORIES[label][0]}) + "\n"
        for text, label in glosses
    ).encode("utf-8")
