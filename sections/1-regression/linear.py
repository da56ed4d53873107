"""A linear model of the nine features: every step in colour or carat costs a fixed sum."""

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

EPOCHS = 15
FIRST_RATE = 50.0  # dollars: prices are in the thousands, and so are the weights


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
    """Fit one weight a feature by minimising the MAE, in steps that get smaller."""
    normalise = layers.Normalization()
    normalise.adapt(features)
    start = keras.initializers.Constant(np.median(prices))
    model = keras.Sequential(
        [
            keras.Input((len(FEATURES),), name="features"),
            normalise,
            layers.Dense(1, bias_initializer=start),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(FIRST_RATE), loss="mae")
    smaller = keras.callbacks.LearningRateScheduler(lambda epoch: FIRST_RATE * 0.7**epoch)
    model.fit(features, prices, batch_size=256, epochs=EPOCHS, verbose=2, callbacks=[smaller])
    return model


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    model = solution_model(*load("train.csv"))
    model.save("model.keras")
