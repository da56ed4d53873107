"""The simplest honest model: always the median of the ratings, whatever the text."""

import json
from pathlib import Path

import keras
import numpy as np

TOKENS = 50

rows = [json.loads(line) for line in Path("train.jsonl").read_text().splitlines()]
median = np.median([row["rating"] for row in rows])

inputs = keras.Input((TOKENS,), dtype="int32", name="tokens")
nothing = keras.layers.Rescaling(0.0)(inputs)
rating = keras.layers.Dense(1, kernel_initializer="zeros")
outputs = rating(nothing)
rating.bias.assign([median])
keras.Model(inputs, outputs).save("model.keras")
