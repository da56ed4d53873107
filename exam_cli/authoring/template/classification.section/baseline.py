"""The simplest honest model: always the company that is best most often, whatever the place."""

import keras
import numpy as np

table = np.loadtxt("train.csv", delimiter=",", skiprows=1, dtype="float32")
shares = np.bincount(table[:, 3].astype("int32"), minlength=4) / len(table)

constant = keras.layers.Dense(4)
model = keras.Sequential([keras.Input((3,), name="features"), constant])
constant.set_weights([np.zeros((3, 4)), shares])
model.save("model.keras")
