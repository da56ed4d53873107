"""The typical model, trained for longer while its learning rate falls."""

import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 25, 64


def solution_model(features, minutes):
    """Build and train the model: features (rows, 4), minutes (rows, 1), both float32."""
    normalise = layers.Normalization()
    normalise.adapt(features)
    model = keras.Sequential(
        [
            keras.Input((4,), name="features"),
            normalise,
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(1),
        ]
    )
    steps = EPOCHS * len(features) // BATCH
    rate = keras.optimizers.schedules.CosineDecay(0.004, steps)
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="mae")
    model.fit(features, minutes, epochs=EPOCHS, batch_size=BATCH, verbose=2)
    return model


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    table = np.loadtxt("train.csv", delimiter=",", skiprows=1, dtype="float32")
    model = solution_model(table[:, :4], table[:, 4:])
    model.save("model.keras")
