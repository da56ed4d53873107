"""A linear model: every class weighs every pixel."""

from pathlib import Path

import numpy as np
from tensorflow import keras
from tensorflow.keras import layers


def load(directory):
    """Return pictures, float32 of shape (rows, 32, 32, 3), and labels, int32 of shape (rows,)."""
    pictures, labels = [], []
    for label, folder in enumerate(sorted(Path(directory).iterdir())):
        for path in sorted(folder.glob("*.png")):
            picture = keras.utils.load_img(path, target_size=(32, 32), interpolation="bilinear")
            pictures.append(keras.utils.img_to_array(picture))
            labels.append(label)
    return np.array(pictures), np.array(labels, dtype="int32")


keras.utils.set_random_seed(0)
pictures, labels = load("train")
model = keras.Sequential(
    [
        keras.Input((32, 32, 3), name="image"),
        layers.Rescaling(1 / 255),
        layers.Flatten(),
        layers.Dense(20, activation="softmax"),
    ]
)
model.compile(
    optimizer=keras.optimizers.Adam(3e-4),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
model.fit(pictures, labels, batch_size=128, epochs=8, verbose=2)
model.save("model.keras")
