"""Reference solution of section 2: a convolutional network with batch normalisation.

Four decisions carry it:

- **Convolution.** What makes a shirt a shirt is in edges and textures, wherever they are. The first
  layers are narrow, for they work on many pixels; the later ones are wide.
- **Batch normalisation.** The network learns several times faster with it.
- **Augmentation.** Every epoch sees each picture mirrored or not and moved by a pixel or two:
  12,000 pictures become many more. It is done outside the model, on the arrays, so the saved model
  holds nothing but what it needs to answer.
- **A learning rate that rises and falls.** It warms up for a fifth of the time and then
  sinks to zero: the last epochs take out the noise that the first ones needed.
"""

import inspect

import numpy as np
from tensorflow import keras
from tensorflow.keras import layers

EPOCHS = 14
BATCH = 128
LEARNING_RATE = 4e-3
WEIGHT_DECAY = 0.02
MOVE = 2  # pixels


def load(path):
    """Return pictures, uint8 of shape (rows, 28, 28), and labels, uint8 of shape (rows,)."""
    with np.load(path) as data:
        return data["images"], data["labels"]


def augmented(images, rng):
    """Return the pictures, each mirrored or not and moved by up to `MOVE` pixels."""
    wide = np.pad(images, ((0, 0), (MOVE, MOVE), (MOVE, MOVE)))
    frames = np.empty_like(images)
    for row, (down, right) in enumerate(rng.integers(0, 2 * MOVE + 1, (len(images), 2))):
        frames[row] = wide[row, down : down + 28, right : right + 28]
    mirrored = rng.random(len(frames)) < 0.5
    frames[mirrored] = frames[mirrored, :, ::-1]
    return frames


def block(filters):
    """A convolution, normalised before its activation, and pooled first: a fourth of the work."""
    return [
        layers.Conv2D(filters, 3, padding="same", use_bias=False),
        layers.MaxPooling2D(),
        layers.BatchNormalization(),
        layers.ReLU(),
    ]


def network():
    """Three blocks, each halving the picture, and a dense layer on what is left."""
    return keras.Sequential(
        [
            keras.Input((28, 28), name="image"),
            layers.Rescaling(1 / 255),
            layers.Reshape((28, 28, 1)),
            *block(16),
            *block(32),
            *block(64),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax"),
        ]
    )


def learning_rate(steps):
    """Warm up for a fifth of the steps, then sink to zero. Keras 2.9 cannot warm up."""
    decay = keras.optimizers.schedules.CosineDecay
    if "warmup_target" not in inspect.signature(decay).parameters:
        return decay(LEARNING_RATE / 2, steps)
    return decay(0.0, steps - steps // 5, warmup_target=LEARNING_RATE, warmup_steps=steps // 5)


def optimizer(rate):
    """Adam with weight decay, which Keras 2.9 has not: there it does without."""
    if hasattr(keras.optimizers, "AdamW"):
        return keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY)
    return keras.optimizers.Adam(rate)


def solution_model(images, labels):
    """Train on all pictures; what works was found out with some of them held out."""
    model = network()
    steps = EPOCHS * int(np.ceil(len(images) / BATCH))
    rate = learning_rate(steps)
    model.compile(
        optimizer=optimizer(rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    rng = np.random.default_rng(0)
    for _ in range(EPOCHS):  # fit goes on where it stopped, and so does the learning rate
        model.fit(augmented(images, rng), labels, batch_size=BATCH, verbose=2)
    return model


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    model = solution_model(*load("train.npz"))
    model.save("model.keras")
