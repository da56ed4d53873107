"""A better candidate: every hour is compared with the same hour of the days before.

Loads are divided by the week's mean, hour and weekday become one-hot, failures of the meter are
marked, and one small convolution serves all 24 hours.
"""

import csv
from pathlib import Path

import numpy as np
from tensorflow import keras
from tensorflow.keras import layers

ops = getattr(keras, "ops", keras.backend)  # Keras 2 has these functions there

INPUT_HOURS, OUTPUT_HOURS, DAY = 168, 24, 24
WINDOW = INPUT_HOURS + OUTPUT_HOURS

EPOCHS = 3
BATCH = 64


def load(path):
    """Return hours since 1970, int64, and the other columns, float32 of shape (hours, 4)."""
    rows = list(csv.DictReader(Path(path).read_text().splitlines()))
    times = np.array([row["time"] for row in rows], dtype="datetime64[h]")
    columns = ("load", "temperature", "forecast", "holiday")
    values = [[float(row[name]) for name in columns] for row in rows]
    return times.astype("int64"), np.array(values, dtype="float32")


def windows(hours, values, step):
    """Return inputs, float32 of shape (windows, 168, 7), and targets, float32 (windows, 24)."""
    calendar = np.stack([hours % 24, (hours // 24 + 3) % 7], axis=1)  # 1970 began on a Thursday
    inputs, targets = [], []
    for start in range(0, len(hours) - WINDOW + 1, step):
        past, end = slice(start, start + INPUT_HOURS), start + WINDOW
        target = values[end - OUTPUT_HOURS : end, 0]
        if target.min() == 0:
            continue  # the meter failed
        today, next_day = values[past], values[start + DAY : end]
        inputs.append(
            np.concatenate([today[:, :2], calendar[past], today[:, 3:], next_day[:, 2:]], axis=1)
        )
        targets.append(target)
    return np.array(inputs, dtype="float32"), np.array(targets)


def hourly(week, normalise):
    """Turn (168, 7) into what each of the 24 hours to predict needs: (24, 68).

    A week is seven days of 24 hours, so the hour to predict in place k has the hours in places k,
    24 + k, 48 + k, ... for predecessors, whatever hour the window begins at. Loads are divided by
    the week's mean; hours in which the meter failed are marked, and left out of the means.
    Returns also the mean of the seven predecessors, (24,), and the week's mean, (1,).
    """
    by_hour = layers.Permute((2, 1, 3))(layers.Reshape((7, DAY, 7))(week))
    weather = layers.Permute((2, 1, 3))(layers.Reshape((7, DAY, 7))(normalise(week)))
    read = ops.cast(by_hour[:, :, :, 0] > 0, "float32")
    scale = ops.sum(week[:, :, 0], axis=1, keepdims=True) / (
        ops.sum(read, axis=(1, 2))[:, None] + 1
    )
    loads = by_hour[:, :, :, 0] / (scale[:, :, None] + 1e-3)
    usual = ops.sum(loads, axis=2) / (ops.sum(read, axis=2) + 1e-3)
    change = ops.sum(loads[:, :, 6], axis=1) / (ops.sum(read[:, :, 6], axis=1) + 1e-3)
    change = layers.RepeatVector(DAY)(change[:, None])  # the last day against the week
    hour = ops.one_hot(ops.cast(by_hour[:, :, 0, 2], "int32"), 24)
    weekday = ops.one_hot(ops.cast(by_hour[:, :, 0, 3], "int32"), 7)
    warmth = layers.Concatenate(axis=2)([weather[:, :, :, 1], weather[:, :, 6, 5:6]])
    holiday = layers.Concatenate(axis=2)([by_hour[:, :, :, 4], by_hour[:, :, 6, 6:7]])
    x = [loads, read, usual[:, :, None], change, hour, weekday, warmth, holiday]
    return layers.Concatenate()(x), usual, scale


def solution_model(inputs, targets):
    """Build and train the model."""
    normalise = layers.Normalization()
    normalise.adapt(inputs)
    week = keras.Input((INPUT_HOURS, 7), name="week")
    x, usual, scale = hourly(week, normalise)
    x = layers.Conv1D(48, 3, padding="same", activation="relu")(x)
    x = layers.Conv1D(48, 3, padding="same", activation="relu")(x)
    x = layers.Conv1D(1, 1, kernel_initializer="zeros")(x)
    model = keras.Model(week, (usual + x[:, :, 0]) * scale)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, EPOCHS * len(inputs) // BATCH)
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="mae")
    model.fit(inputs, targets, epochs=EPOCHS, batch_size=BATCH, verbose=2)
    return model


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    model = solution_model(*windows(*load("train.csv"), step=6))
    model.save("model.keras")
