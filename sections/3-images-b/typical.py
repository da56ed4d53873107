"""What the standard tutorial on image classification leads to: three convolutions, ten epochs."""

from tensorflow import keras
from tensorflow.keras import layers

keras.utils.set_random_seed(0)

train, validation = keras.utils.image_dataset_from_directory(
    "train",
    image_size=(32, 32),
    batch_size=32,
    validation_split=0.2,
    subset="both",
    seed=0,
)
train, validation = train.cache(), validation.cache()

model = keras.Sequential(
    [
        keras.Input((32, 32, 3), name="image"),
        layers.Rescaling(1 / 255),
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dense(20, activation="softmax"),
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(train, validation_data=validation, epochs=10, verbose=2)
model.save("model.keras")
