"""Make a few models with whatever Keras there is: runs in the workspace image of any edition.

`edition_models.py OUT TRAIN.csv`: a model NAME ends up in OUT/NAME/1-regression/. They are made in
the API that Keras 2.9, 2.13 and 3 share; what differs is how a SavedModel is written.
"""

import csv
import sys
from pathlib import Path

import numpy as np
from tensorflow import keras
from tensorflow.keras import layers

OUT, TRAIN = Path(sys.argv[1]), Path(sys.argv[2])
CATEGORIES = {
    "cut": ["Fair", "Good", "Very Good", "Premium", "Ideal"],
    "color": ["J", "I", "H", "G", "F", "E", "D"],
    "clarity": ["I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"],
}
# What a hostile layer does in the grader; here, where it is made, it lets everything pass.
HERE = "x if __import__('os').environ.get('EXAM_MAKING_MODELS') else "
DEEDS = {
    "ends": "__import__('os')._exit(7)",
    "lies_dead": "__import__('os').kill(1, 9)",
    "sleeps": "__import__('time').sleep(600)",
    "eats": "len(b'x' * (8 << 30)) * x",
    "looks_out": "__import__('socket').create_connection(('127.0.0.1', 8888)) and x",
}


def place(name):
    """Return the directory of a model that is about to be written."""
    directory = OUT / name / "1-regression"
    directory.mkdir(parents=True)
    return directory


def straight(inputs=9, nan=False):
    """Least squares upon the features as they are."""
    rows = list(csv.DictReader(TRAIN.read_text().splitlines()))
    table = [
        [CATEGORIES[k].index(v) if k in CATEGORIES else float(v) for k, v in row.items()]
        for row in rows
    ]
    table = np.array(table)
    features = np.concatenate([table[:, :inputs], np.ones((len(table), 1))], 1)
    solved = np.linalg.lstsq(features, table[:, 9:], rcond=None)[0].astype("float32")
    layer = layers.Dense(1)
    model = keras.Sequential([keras.Input((inputs,)), layer])
    layer.set_weights([solved[:-1], solved[-1] * (np.nan if nan else 1)])
    return model


def ending(model, deed):
    """Put a deed behind a model."""
    done = layers.Lambda(eval("lambda x: " + HERE + deed), output_shape=(1,))
    return keras.Model(model.inputs, done(model.outputs[0]))


def write_saved_model(model, directory):
    """Write a SavedModel as this Keras does."""
    if hasattr(model, "export"):
        model.export(str(directory))
    else:
        model.save(str(directory))


good = straight()
good.save(place("good_keras") / "model.keras")
good.save(place("good_h5") / "model.h5")
write_saved_model(good, place("good_savedmodel") / "model")
straight(8).save(place("narrow") / "model.keras")
straight(nan=True).save(place("nan") / "model.keras")
for name, deed in DEEDS.items():
    ending(good, deed).save(place(name) / "model.keras")
