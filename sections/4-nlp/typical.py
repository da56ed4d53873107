"""What a typical candidate hands in: the text classification of the tutorials."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

# Keras 2.9 would write HDF5, which holds no vocabulary: there it is a SavedModel in a directory.
MODEL = "model.keras" if hasattr(keras.Model, "export") else "model"

TOKENS = 40
CLASSES = 19

keras.utils.set_random_seed(0)
rows = [json.loads(line) for line in Path("train.jsonl").read_text().splitlines()]
texts = tf.constant([row["text"] for row in rows])
labels = np.array([row["label"] for row in rows])

vectorize = layers.TextVectorization(10_000, output_sequence_length=TOKENS)
vectorize.adapt(tf.data.Dataset.from_tensor_slices(texts).batch(1024))
tokens = vectorize(texts)

reader = keras.Sequential(
    [
        keras.Input((TOKENS,), dtype="int64"),
        layers.Embedding(vectorize.vocabulary_size(), 32, mask_zero=True),
        layers.GlobalAveragePooling1D(),
        layers.Dropout(0.2),
        layers.Dense(CLASSES, activation="softmax"),
    ]
)
reader.compile(
    optimizer="adam",
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
reader.fit(tokens, labels, batch_size=64, epochs=6, validation_split=0.1, verbose=2)

text = keras.Input((), dtype="string", name="text")
keras.Model(text, reader(vectorize(text))).save(MODEL)
