"""The typical model, trained on all rows while its learning rate falls."""

import keras
import numpy as np
from keras import layers

EPOCHS, BATCH = 12, 64


def solution_model(features, companies):
    """Build and train the model: features float32 (rows, 3), companies int32 (rows,)."""
    normalise = layers.Normalization()
    normalise.adapt(features)
    model = keras.Sequential(
        [
            keras.Input((3,), name="features"),
            normalise,
            layers.Dense(44, activation="relu"),
            layers.Dense(44, activation="relu"),
            layers.Dense(4, activation="softmax"),
        ]
    )
    steps = EPOCHS * len(features) // BATCH
    rate = keras.optimizers.schedules.CosineDecay(0.005, steps)
    model.compile(keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy")
    model.fit(features, companies, epochs=EPOCHS, batch_size=BATCH, verbose=2)
    return model


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    table = np.loadtxt("train.csv", delimiter=",", skiprows=1, dtype="float32")
    model = solution_model(table[:, :3], table[:, 3].astype("int32"))
    model.save("model.keras")
