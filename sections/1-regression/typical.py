"""What the standard tutorial leads to: normalised features, two hidden layers of 64."""

import csv
from pathlib import Path

import numpy as np
from tensorflow import keras
from tensorflow.keras import layers

FEATURES = ["carat", "cut", "color", "clarity", "depth", "table", "x", "y", "z"]
CATEGORIES = {
    "cut": ["Fair", "Good", "Very Good", "Premium", "Ideal"],
    "color": ["J", "I", "H", "G", "F", "E", "D"],
    "clarity": ["I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"],
}


def number(row, name):
    """Return the number that stands for a feature."""
    return CATEGORIES[name].index(row[name]) if name in CATEGORIES else float(row[name])


def load(path):
    """Return features, float32 of shape (rows, 9), and prices, float32 of shape (rows, 1)."""
    rows = list(csv.DictReader(Path(path).read_text().splitlines()))
    features = [[number(row, name) for name in FEATURES] for row in rows]
    prices = [[float(row["price"])] for row in rows]
    return np.array(features, dtype="float32"), np.array(prices, dtype="float32")


def solution_model(features, prices):
    """Build and train the model."""
    normalise = layers.Normalization()
    normalise.adapt(features)
    model = keras.Sequential(
        [
            keras.Input((len(FEATURES),), name="features"),
            normalise,
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(1),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(0.002), loss="mae")
    model.fit(features, prices, validation_split=0.2, epochs=10, batch_size=64, verbose=2)
    return model


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    model = solution_model(*load("train.csv"))
    model.save("model.keras")
