"""A linear model: least squares, solved rather than trained."""

import keras
import numpy as np

table = np.loadtxt("train.csv", delimiter=",", skiprows=1, dtype="float64")
features, minutes = table[:, :4], table[:, 4]

with_one = np.concatenate([features, np.ones((len(features), 1))], axis=1)
weights = np.linalg.lstsq(with_one, minutes, rcond=None)[0]

layer = keras.layers.Dense(1)
model = keras.Sequential([keras.Input((4,), name="features"), layer])
layer.set_weights([weights[:4, None], weights[4:]])
model.save("model.keras")
