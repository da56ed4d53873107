"""The tutorial's network, better trained: normalised, with dropout and a falling learning rate."""

from pathlib import Path

import numpy as np
from tensorflow import keras
from tensorflow.keras import layers

EPOCHS = 8
BATCH = 64


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
for filters in (16, 32, 64, 96):
    model.add(layers.Conv2D(filters, 3, padding="same", use_bias=False))
    model.add(layers.BatchNormalization())
    model.add(layers.Activation("relu"))
    model.add(layers.MaxPooling2D())
model.add(layers.Dropout(0.3))
model.add(layers.Flatten())
model.add(layers.Dense(20, activation="softmax"))

steps = EPOCHS * int(np.ceil(len(labels) / BATCH))
rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
model.compile(
    optimizer=keras.optimizers.Adam(rate),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
model.fit(pictures, labels, batch_size=BATCH, epochs=EPOCHS, verbose=2)
model.save("model.keras")
