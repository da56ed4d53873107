"""The simplest honest model: always the most frequent class, whatever the picture."""

import keras
import numpy as np
from keras import layers

with np.load("train.npz") as data:
    most_frequent = np.bincount(data["labels"], minlength=10).argmax()

constant = layers.Dense(
    10,
    kernel_initializer="zeros",
    bias_initializer=keras.initializers.Constant(np.eye(10)[most_frequent]),
)
model = keras.Sequential([keras.Input((28, 28), name="image"), layers.Flatten(), constant])
model.save("model.keras")
