"""Reference solution of section 4: a bag of words and pairs, and a convolution; about two minutes.

The model takes raw strings, so that its vocabularies travel inside the saved file. Two readers look
at each gloss, and their probabilities are averaged:

- **The bag** embeds single words and pairs of neighbours ("genus of", "family of") and averages
  what it finds. It knows what a gloss is about.
- **The convolution** slides windows of one, two and three words over the gloss and keeps the
  strongest answer of each filter. It knows telling phrases wherever they stand.

Glosses are short and many words occur once or twice, so both overfit quickly: dropout, few epochs
and a falling learning rate hold them back. They err on different glosses, which is why the average
beats either.
"""

import json
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

CLASSES = 12
BATCH = 128


def load(path):
    """Return the texts, strings of shape (rows,), and their labels, int32 of shape (rows,)."""
    rows = [json.loads(line) for line in Path(path).read_text().splitlines()]
    return tf.constant([row["text"] for row in rows]), np.array([row["label"] for row in rows])


def vectorizer(texts, size, length, ngrams=None):
    """Turn strings into the ids of their words (and n-grams), the `size` most frequent of them."""
    layer = layers.TextVectorization(size, ngrams=ngrams, output_sequence_length=length)
    layer.adapt(tf.data.Dataset.from_tensor_slices(texts).batch(1024))
    return layer


def bag(vectorize):
    """Average the embeddings of words and pairs of words."""
    ids = keras.Input((None,), dtype="int64")
    x = layers.Embedding(vectorize.vocabulary_size(), 64, mask_zero=True)(ids)
    x = layers.GlobalAveragePooling1D()(x)
    x = layers.Dropout(0.3)(x)
    return keras.Model(ids, layers.Dense(CLASSES, activation="softmax")(x))


def convolution(vectorize):
    """Look for telling phrases of one, two and three words."""
    ids = keras.Input((None,), dtype="int64")
    x = layers.Embedding(vectorize.vocabulary_size(), 128)(ids)
    x = layers.SpatialDropout1D(0.3)(x)
    phrases = [
        layers.GlobalMaxPooling1D()(layers.Conv1D(128, words, padding="same", activation="relu")(x))
        for words in (1, 2, 3)
    ]
    x = layers.Dropout(0.5)(layers.Concatenate()(phrases))
    return keras.Model(ids, layers.Dense(CLASSES, activation="softmax")(x))


def train(model, ids, labels, epochs):
    """Train with a learning rate that falls to zero along a cosine."""
    steps = epochs * int(np.ceil(len(labels) / BATCH))
    trainer = keras.Model(model.inputs, model.outputs)  # keeps the optimizer out of the file
    trainer.compile(
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    trainer.fit(ids, labels, batch_size=BATCH, epochs=epochs, verbose=2)


def solution_model(texts, labels):
    """Train both readers on ids made beforehand, then put strings, ids and readers together."""
    words = vectorizer(texts, size=10_000, length=40)
    pairs = vectorizer(texts, size=30_000, length=80, ngrams=2)
    bag_reader, convolution_reader = bag(pairs), convolution(words)
    train(bag_reader, pairs(texts), labels, epochs=10)
    train(convolution_reader, words(texts), labels, epochs=6)
    text = keras.Input((), dtype="string", name="text")
    opinions = [bag_reader(pairs(text)), convolution_reader(words(text))]
    return keras.Model(text, layers.Average()(opinions))


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    model = solution_model(*load("train.jsonl"))
    model.save("model.keras")
