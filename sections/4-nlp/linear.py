"""A linear model: every word has one number for each category, and a gloss is their mean."""

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

vectorize = layers.TextVectorization(
    vocabulary="vocabulary.txt", output_sequence_length=TOKENS, name="words"
)
ids = keras.Input((TOKENS,), dtype="int64")
votes = layers.Embedding(vectorize.vocabulary_size(), CLASSES)(ids)
linear = keras.Model(ids, layers.Softmax()(layers.GlobalAveragePooling1D()(votes)))
linear.compile(keras.optimizers.Adam(0.03), loss="sparse_categorical_crossentropy")
linear.fit(vectorize(texts), labels, batch_size=256, epochs=4, verbose=2)

text = keras.Input((), dtype="string", name="text")
keras.Model(text, linear(vectorize(text))).save(MODEL)
