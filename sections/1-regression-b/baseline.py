"""The simplest honest model: always the median price of the train set, whatever the home."""

import csv
from pathlib import Path

import keras
import numpy as np

rows = csv.DictReader(Path("train.csv").read_text().splitlines())
prices = [float(row["price"]) for row in rows]

constant = keras.layers.Dense(
    1, kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(np.median(prices))
)
model = keras.Sequential([keras.Input((10,), name="features"), constant])
model.save("model.keras")
