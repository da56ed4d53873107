"""What a typical candidate hands in: two hidden layers on the flattened week.

Counts are divided by the week's mean, hour and weekday are one-hot, the weather is normalised and
taken a few times a day, for it does not change within a day.
"""

import csv
from pathlib import Path

import numpy as np
from tensorflow import keras
from tensorflow.keras import layers

ops = getattr(keras, "ops", keras.backend)  # Keras 2 has these functions there

INPUT_HOURS, OUTPUT_HOURS, DAY = 168, 24, 24
WINDOW = INPUT_HOURS + OUTPUT_HOURS

EPOCHS = 6
BATCH = 64


def load(path):
    """Return hours since 1970, int64, and count, low, high, rain: float32 of shape (hours, 4)."""
    rows = list(csv.DictReader(Path(path).read_text().splitlines()))
    times = np.array([row["time"] for row in rows], dtype="datetime64[h]")
    values = [[float(row[name]) for name in ("count", "low", "high", "rain")] for row in rows]
    return times.astype("int64"), np.array(values, dtype="float32")


def windows(hours, values, step):
    """Return inputs, float32 of shape (windows, 168, 9), and targets, float32 (windows, 24)."""
    calendar = np.stack([hours % 24, (hours // 24 + 3) % 7], axis=1)  # 1970 began on a Thursday
    inputs, targets = [], []
    for start in range(0, len(hours) - WINDOW + 1, step):
        past, end = slice(start, start + INPUT_HOURS), start + WINDOW
        if hours[end - 1] - hours[start] != WINDOW - 1:
            continue  # there is a gap in it
        next_weather = values[start + DAY : end, 1:]  # low, high and rain 24 hours later
        inputs.append(np.concatenate([values[past], calendar[past], next_weather], axis=1))
        targets.append(values[end - OUTPUT_HOURS : end, 0])
    return np.array(inputs, dtype="float32"), np.array(targets)


def solution_model(inputs, targets):
    """Build and train the model."""
    normalise = layers.Normalization()
    normalise.adapt(inputs)
    week = keras.Input((INPUT_HOURS, 9), name="week")
    scale = ops.mean(week[:, :, 0], axis=1, keepdims=True) + 1.0  # an empty week is no zero
    counts = week[:, :, 0] / scale
    before = layers.Flatten()(normalise(week)[:, 11::DAY, 1:4])
    ahead = layers.Flatten()(normalise(week)[:, -DAY::6, 6:9])
    hour = ops.one_hot(ops.cast(week[:, 0, 4], "int32"), 24)
    weekday = ops.one_hot(ops.cast(week[:, 0, 5], "int32"), 7)
    x = layers.Concatenate()([counts, before, ahead, hour, weekday])
    x = layers.Dense(128, activation="relu")(x)
    x = layers.Dense(128, activation="relu")(x)
    change = layers.Dense(OUTPUT_HOURS, kernel_initializer="zeros")(x)
    model = keras.Model(week, (counts[:, :OUTPUT_HOURS] + change) * scale)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, EPOCHS * len(inputs) // BATCH)
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="mae")
    model.fit(inputs, targets, epochs=EPOCHS, batch_size=BATCH, verbose=2)
    return model


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    model = solution_model(*windows(*load("train.csv"), step=4))
    model.save("model.keras")
