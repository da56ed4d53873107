"""The tutorial's network with batch normalisation and dropout, on pictures scaled as the hidden."""

from pathlib import Path

import keras
import numpy as np
from keras import layers


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

model = keras.Sequential([keras.Input((32, 32, 3), name="image"), layers.Rescaling(1 / 255)])
for filters in (16, 32, 64):
    model.add(layers.Conv2D(filters, 3, padding="same", use_bias=False))
    model.add(layers.BatchNormalization())
    model.add(layers.Activation("relu"))
    model.add(layers.MaxPooling2D())
model.add(layers.Dropout(0.4))
model.add(layers.Flatten())
model.add(layers.Dense(20, activation="softmax"))

model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(pictures, labels, batch_size=64, epochs=12, verbose=2)
model.save("model.keras")
