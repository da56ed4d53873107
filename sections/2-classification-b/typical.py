"""What a typical candidate hands in: the network of the tutorial for beginners.

One hidden layer on raw pixels, scaled inside the model, ten epochs. See
https://www.tensorflow.org/tutorials/keras/classification.
"""

import numpy as np
from tensorflow import keras
from tensorflow.keras import layers


def load(path):
    """Return pictures, uint8 of shape (rows, 28, 28), and labels, uint8 of shape (rows,)."""
    with np.load(path) as data:
        return data["images"], data["labels"]


def solution_model(images, labels):
    """Build and train the model."""
    model = keras.Sequential(
        [
            keras.Input((28, 28), name="image"),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(images, labels, validation_split=0.1, epochs=10, batch_size=32, verbose=2)
    return model


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    model = solution_model(*load("train.npz"))
    model.save("model.keras")
