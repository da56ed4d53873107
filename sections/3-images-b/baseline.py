"""The simplest honest model: the same answer, all classes alike, whatever the picture shows."""

from pathlib import Path

import keras
from keras import layers

classes = sorted(folder.name for folder in Path("train").iterdir())

model = keras.Sequential(
    [
        keras.Input((32, 32, 3), name="image"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(len(classes), kernel_initializer="zeros", activation="softmax"),
    ]
)
model.save("model.keras")
