"""The simplest honest model: always the median price of the train set, whatever the diamond."""

import csv

import keras
import numpy as np

with open("train.csv", newline="") as file:
    prices = [float(row["price"]) for row in csv.DictReader(file)]

constant = keras.layers.Dense(
    1, kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(np.median(prices))
)
model = keras.Sequential([keras.Input((9,), name="features"), constant])
model.save("model.keras")
