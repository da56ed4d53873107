"""A linear model: every word has one number, and the rating is their mean."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

# Keras 2.9 would write HDF5, which holds no vocabulary: there it is a SavedModel in a directory.
MODEL = "model.keras" if hasattr(keras.Model, "export") else "model"

TOKENS = 50

keras.utils.set_random_seed(0)
rows = [json.loads(line) for line in Path("train.jsonl").read_text().splitlines()]
texts = tf.constant([row["text"] for row in rows])
ratings = np.array([[row["rating"]] for row in rows])

vectorize = layers.TextVectorization(10_000, output_sequence_length=TOKENS)
vectorize.adapt(tf.data.Dataset.from_tensor_slices(texts).batch(1024))
tokens = vectorize(texts)

ids = keras.Input((TOKENS,), dtype="int64")
votes = layers.Embedding(vectorize.vocabulary_size(), 1, mask_zero=True)(ids)
reader = keras.Model(ids, layers.GlobalAveragePooling1D()(votes))
reader.compile(keras.optimizers.Adam(0.02), loss="mae")
reader.fit(tokens, ratings, batch_size=128, epochs=4, verbose=2)

text = keras.Input((), dtype="string", name="text")
keras.Model(text, reader(vectorize(text))).save(MODEL)
