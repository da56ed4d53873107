"""The simplest honest model: always the median duration of the train set, whatever the trip."""

import keras
import numpy as np

table = np.loadtxt("train.csv", delimiter=",", skiprows=1, dtype="float32")
constant = keras.layers.Dense(
    1,
    kernel_initializer="zeros",
    bias_initializer=keras.initializers.Constant(np.median(table[:, 4])),
)
model = keras.Sequential([keras.Input((4,), name="features"), constant])
model.save("model.keras")
