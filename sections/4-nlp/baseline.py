"""The simplest honest model: always the most frequent category, whatever the text."""

import json
from pathlib import Path

import keras
import numpy as np

TOKENS = 40
CLASSES = 19

labels = [json.loads(line)["label"] for line in Path("train.jsonl").read_text().splitlines()]
frequency = np.bincount(labels, minlength=CLASSES) / len(labels)

inputs = keras.Input((TOKENS,), dtype="int32", name="tokens")
nothing = keras.layers.Rescaling(0.0)(inputs)
scores = keras.layers.Dense(CLASSES, kernel_initializer="zeros")
outputs = scores(nothing)
scores.bias.assign(frequency)
keras.Model(inputs, outputs).save("model.keras")
