"""Train, probe and final sets of the language section: what kind of thing does a gloss define?

The source is `data.noun` of WordNet 3.0. Each line is one sense of a noun: the second field is the
number of its lexicographer file (a category such as `noun.animal`), and what follows the bar is
its gloss. `build` turns the glosses of the 12 largest categories into three sets:

1. Quoted examples are cut out of the gloss ("they were all fishes"), and so are spaces and
   semicolons left over at its ends. Glosses of fewer than three words are dropped.
2. Two glosses are taken for **near-duplicates** when they have the same bag of content words: in
   lower case, without punctuation, without function words, a plural `s` cut off, and every digit
   written as 0 (so that "English painter (1776-1837)" and "English painters (1802-1873)" are one).
   Of near-duplicates only the first is kept; where they stand in different categories, all go,
   for then no answer would be right.
3. From each category the seed draws 170 glosses for the probe set, 170 for the final set and
   1,800 for the train set. The sets are balanced: guessing is right once in twelve times.
4. Each set is shuffled.

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
from collections.abc import Sequence
from typing import Any

import numpy as np

# The label of a category is its place in this list; the number is that of the lexicographer file.
CATEGORIES = (
    ("act", "04"),
    ("animal", "05"),
    ("artifact", "06"),
    ("attribute", "07"),
    ("cognition", "09"),
    ("communication", "10"),
    ("group", "14"),
    ("location", "15"),
    ("person", "18"),
    ("plant", "20"),
    ("state", "26"),
    ("substance", "27"),
)

TRAIN_EACH, HIDDEN_EACH = 1_800, 170  # glosses of each category
SAMPLE_ROWS = 16
FEWEST_WORDS = 3

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


def generator(seed: bytes) -> np.random.Generator:
    """Return the one source of randomness of this section."""
    digest = hashlib.sha256(b"nlp:" + seed).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))


def shuffle(rng: np.random.Generator, glosses: Sequence[Gloss]) -> list[Gloss]:
    """Return the glosses in random order."""
    order = np.argsort(rng.random(len(glosses)), kind="stable")
    return [glosses[index] for index in order.tolist()]


def read(source: bytes) -> list[Gloss]:
    """Read the glosses of the twelve categories, in the order of the file."""
    label_of = {number: label for label, (_, number) in enumerate(CATEGORIES)}
    glosses = []
    for line in source.decode("utf-8").splitlines():
        if line.startswith("  "):  # the licence at the head of the file
            continue
        synset, _, gloss = line.partition(" | ")
        label = label_of.get(synset.split(" ", 2)[1])
        text = without_examples(gloss)
        if label is not None and len(words(text)) >= FEWEST_WORDS:
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


def content(text: str) -> tuple[str, ...]:
    """Return the bag of content words by which near-duplicates are recognised."""
    spaced = re.sub(r"[^\w\s]|_", " ", text.lower())
    bag = (
        re.sub(r"\d", "0", word[:-1] if len(word) > 3 and word.endswith("s") else word)
        for word in spaced.split()
        if word not in FUNCTION_WORDS
    )
    return tuple(sorted(bag))


def distinct(glosses: Sequence[Gloss]) -> list[Gloss]:
    """Keep the first of each group of near-duplicates, and none where their labels differ."""
    groups: dict[tuple[str, ...], list[Gloss]] = {}
    for gloss in glosses:
        groups.setdefault(content(gloss[0]), []).append(gloss)
    return [group[0] for group in groups.values() if len({label for _, label in group}) == 1]


def split(
    rng: np.random.Generator, glosses: Sequence[Gloss]
) -> tuple[list[Gloss], list[Gloss], list[Gloss]]:
    """Draw train, probe and final, each with as many glosses of one category as of another."""
    train: list[Gloss] = []
    probe: list[Gloss] = []
    final: list[Gloss] = []
    for label, (name, _) in enumerate(CATEGORIES):
        mine = shuffle(rng, [gloss for gloss in glosses if gloss[1] == label])
        if len(mine) < 2 * HIDDEN_EACH + TRAIN_EACH:
            raise ValueError(f"only {len(mine)} different glosses of the category {name}")
        probe += mine[:HIDDEN_EACH]
        final += mine[HIDDEN_EACH : 2 * HIDDEN_EACH]
        train += mine[2 * HIDDEN_EACH : 2 * HIDDEN_EACH + TRAIN_EACH]
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
