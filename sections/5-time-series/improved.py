"""A better candidate: every hour is compared with the same hour of the days before.

Counts are divided by the week's mean, so that busy years and quiet ones look alike, hour and
weekday become one-hot, and one small convolution serves all 24 hours.
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


def hourly(week, normalise):
    """Turn (168, 9) into what each of the 24 hours to predict needs: (24, 60), and a scale.

    A week is seven days of 24 hours, so the hour to predict in place k has the hours in places k,
    24 + k, 48 + k, ... for predecessors, whatever hour the window begins at.
    """
    by_hour = layers.Permute((2, 1, 3))(layers.Reshape((7, DAY, 9))(week))
    weather = layers.Permute((2, 1, 3))(layers.Reshape((7, DAY, 9))(normalise(week)))
    scale = ops.mean(week[:, :, 0], axis=1, keepdims=True) + 1.0  # an empty week is no zero
    counts = by_hour[:, :, :, 0] / scale[:, :, None]
    hour = ops.one_hot(ops.cast(by_hour[:, :, 0, 4], "int32"), 24)
    weekday = ops.one_hot(ops.cast(by_hour[:, :, 0, 5], "int32"), 7)
    before = layers.Reshape((DAY, 7 * 3))(weather[:, :, :, 1:4])
    ahead = weather[:, :, 6, 6:9]
    rain = ops.log(1.0 + by_hour[:, :, 6, 8:9])
    return layers.Concatenate()([counts, hour, weekday, before, ahead, rain]), counts, scale


def solution_model(inputs, targets):
    """Build and train the model."""
    normalise = layers.Normalization()
    normalise.adapt(inputs)
    week = keras.Input((INPUT_HOURS, 9), name="week")
    x, counts, scale = hourly(week, normalise)
    x = layers.Conv1D(64, 3, padding="same", activation="relu")(x)
    x = layers.Conv1D(1, 3, padding="same")(x)
    model = keras.Model(week, (ops.mean(counts, axis=2) + x[:, :, 0]) * scale)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, EPOCHS * len(inputs) // BATCH)
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="mae")
    model.fit(inputs, targets, epochs=EPOCHS, batch_size=BATCH, verbose=2)
    return model


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    model = solution_model(*windows(*load("train.csv"), step=6))
    model.save("model.keras")
