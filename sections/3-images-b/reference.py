"""Reference solution of section 3, form b: six convolutions, about a minute of training.

Decisions that carry it:

- **Convolutions in pairs before each pooling**, with more filters as pictures get smaller: deep
  enough to count pips, and cheap, for the full 32x32 pixels meet 16 filters only.
- **Batch normalisation** after each convolution. It allows a large learning rate, and light and
  contrast, which differ from picture to picture, matter less.
- **A learning rate that rises at first and then falls to zero.** The last epochs bring most.
- **Shifted pictures.** Cards lie anywhere in a picture, and a shift makes a new picture of the same
  card. Pips are few pixels wide: turning a picture anew would blur them.
"""

import inspect
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

CLASSES = 20
EPOCHS = 12
BATCH = 64
HIGHEST_RATE = 4e-3


def load(directory):
    """Return pictures, float32 of shape (rows, 32, 32, 3), and labels, int32 of shape (rows,)."""
    pictures, labels = [], []
    for label, folder in enumerate(sorted(Path(directory).iterdir())):
        for path in sorted(folder.glob("*.png")):
            picture = keras.utils.load_img(path, target_size=(32, 32), interpolation="bilinear")
            pictures.append(keras.utils.img_to_array(picture))
            labels.append(label)
    return np.array(pictures), np.array(labels, dtype="int32")


def convolution(x, filters):
    """Apply 3x3 filters and normalise what they find."""
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    return layers.Activation("relu")(layers.BatchNormalization()(x))


def network():
    """Return the untrained model, from raw pixels to probabilities."""
    image = keras.Input((32, 32, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = layers.RandomTranslation(0.06, 0.06)(x)  # while training only
    x = convolution(x, 16)
    x = layers.MaxPooling2D()(x)
    x = convolution(convolution(x, 32), 32)
    x = layers.MaxPooling2D()(x)
    x = convolution(convolution(x, 64), 64)
    x = layers.MaxPooling2D()(x)
    x = convolution(x, 96)
    x = layers.Dropout(0.4)(layers.Flatten()(x))
    return keras.Model(image, layers.Dense(CLASSES, activation="softmax")(x))


class RisingAndFalling(keras.optimizers.schedules.LearningRateSchedule):
    """The same for Keras 2.9, whose own schedules cannot rise."""

    def __init__(self, steps):
        self.steps, self.rising = steps, steps // 5

    def __call__(self, step):
        step = tf.cast(step, "float32")
        fallen = (step - self.rising) / (self.steps - self.rising)
        rate = HIGHEST_RATE * (1 + tf.cos(np.pi * fallen)) / 2
        return tf.where(fallen < 0, HIGHEST_RATE * (step + 1) / self.rising, rate)


def learning_rate(steps):
    """Warm up for a fifth of the steps, then sink to zero along a cosine."""
    decay = keras.optimizers.schedules.CosineDecay
    if "warmup_target" not in inspect.signature(decay).parameters:
        return RisingAndFalling(steps)
    return decay(1e-4, steps * 4 // 5, warmup_target=HIGHEST_RATE, warmup_steps=steps // 5)


def solution_model(pictures, labels):
    """Build and train the model."""
    model = network()
    trainer = keras.Model(model.inputs, model.outputs)  # keeps the optimizer out of the file
    steps = EPOCHS * int(np.ceil(len(labels) / BATCH))
    rate = learning_rate(steps)
    trainer.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    trainer.fit(pictures, labels, batch_size=BATCH, epochs=EPOCHS, verbose=2)
    return model


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    model = solution_model(*load("train"))
    model.save("model.keras")
