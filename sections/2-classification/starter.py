# %% [markdown]
# # Section 2: Pieces of clothing
#
# A first model. It runs as it is and can be graded; now make it better.
# What is asked, and how it is scored, is in `task.md`.

# %%
from pathlib import Path

import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(0)

# %% [markdown]
# The pictures are bytes, `(rows, 28, 28)` with values 0 to 255. A label is the number of a line in
# `labels.txt`, counted from 0.

# %%
with np.load("train.npz") as data:
    images, labels = data["images"], data["labels"]
names = Path("labels.txt").read_text().splitlines()
print(images.shape, images.dtype, [names[label] for label in labels[:5]])

# %% [markdown]
# The model takes pictures as they are; bringing the pixels to 0..1 is its first layer. This one
# looks at a picture through a coarse grid of fields, 4 x 4 pixels each.

# %%
model = keras.Sequential(
    [
        keras.Input((28, 28), name="image"),
        layers.Rescaling(1 / 255),
        layers.Reshape((28, 28, 1)),
        layers.AveragePooling2D(4),
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])

# %% [markdown]
# A tenth of the pictures is held out to see how the model does on pictures that it has not seen.

# %%
model.fit(images, labels, validation_split=0.1, epochs=3, batch_size=64, verbose=2)
model.save("model.keras")
