"""One step up from the tutorial: a small convolutional network, three blocks and dropout."""

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
            layers.Reshape((28, 28, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(images, labels, validation_split=0.1, epochs=12, batch_size=32, verbose=2)
    return model


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    model = solution_model(*load("train.npz"))
    model.save("model.keras")
