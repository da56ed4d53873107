"""Reference solution of section 4, form b: three readers of a snippet, and their mean answer.

- **Words and pairs.** "not", "bad" and "not bad" each say something: the first reader averages the
  embeddings of words and of pairs of neighbours, padding masked out.
- **Phrases.** Two readers slide windows over the snippet (of three words; of one and two) and
  keep the strongest answer of each filter, wherever it stands.
- The loss is the metric, the mean absolute error.
- There are few snippets and many rare words, so all overfit soon: dropout, few epochs and a
  learning rate that falls to zero hold them back. They err on different snippets, which is why
  the mean of the three is better than any.

The model takes raw strings, so that its vocabularies travel inside the saved file.
"""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

# Keras 2.9 would write HDF5, which holds no vocabulary: there it is a SavedModel in a directory.
MODEL = "model.keras" if hasattr(keras.Model, "export") else "model"

BATCH = 256


def load(path):
    """Return the texts, strings of shape (rows,), and their ratings, float of shape (rows, 1)."""
    rows = [json.loads(line) for line in Path(path).read_text().splitlines()]
    return tf.constant([row["text"] for row in rows]), np.array([[row["rating"]] for row in rows])


def vectorizer(texts, size, length, ngrams=None):
    """Turn strings into the ids of their words (and n-grams), the `size` most frequent of them."""
    layer = layers.TextVectorization(size, ngrams=ngrams, output_sequence_length=length)
    layer.adapt(tf.data.Dataset.from_tensor_slices(texts).batch(1024))
    return layer


def bag(vectorize):
    """Average the embeddings of words and pairs of words."""
    ids = keras.Input((None,), dtype="int64")
    x = layers.Embedding(vectorize.vocabulary_size(), 48, mask_zero=True)(ids)
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(ids, layers.Dense(1)(layers.Dropout(0.3)(x)))


def phrases(vectorize, widths):
    """Look for telling phrases of so many words."""
    ids = keras.Input((None,), dtype="int64")
    x = layers.Embedding(vectorize.vocabulary_size(), 64)(ids)
    x = layers.SpatialDropout1D(0.3)(x)
    found = [
        layers.GlobalMaxPooling1D()(layers.Conv1D(64, width, padding="same", activation="relu")(x))
        for width in widths
    ]
    x = layers.Concatenate()(found) if len(found) > 1 else found[0]
    return keras.Model(ids, layers.Dense(1)(layers.Dropout(0.5)(x)))


def train(model, ids, ratings, epochs, rate):
    """Train with a learning rate that falls to zero along a cosine."""
    steps = epochs * int(np.ceil(len(ratings) / BATCH))
    trainer = keras.Model(model.inputs, model.outputs)  # keeps the optimizer out of the file
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    trainer.compile(keras.optimizers.Adam(schedule), loss="mae")
    trainer.fit(ids, ratings, batch_size=BATCH, epochs=epochs, verbose=2)


def solution_model(texts, ratings):
    """Train the readers on ids made beforehand, then put strings, ids and readers together."""
    words = vectorizer(texts, size=10_000, length=32)
    pairs = vectorizer(texts, size=20_000, length=80, ngrams=2)
    plan = (
        (pairs, bag(pairs), 6, 0.01),
        (words, phrases(words, [3]), 6, 0.006),
        (words, phrases(words, [1, 2]), 6, 0.004),
    )
    for vectorize, reader, epochs, rate in plan:
        train(reader, vectorize(texts), ratings, epochs, rate)
    text = keras.Input((), dtype="string", name="text")
    return keras.Model(
        text, layers.Average()([reader(vectorize(text)) for vectorize, reader, _, _ in plan])
    )


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    model = solution_model(*load("train.jsonl"))
    model.save(MODEL)
