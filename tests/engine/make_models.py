"""Make the models that the tests grade: honest ones and mistaken ones.

Runs in the workspace image, for the host has no TensorFlow: `make_models.py OUT TRAIN`. TRAIN holds
the sections' training files. A model NAME ends up in OUT/NAME/<section's directory>/, as a
candidate leaves it. Hostile models are made by tests/attacks/make.py.

The honest models are solved in closed form (least squares, naive Bayes): good enough for a score
above 0, made in a second, and the same on every run.
"""

import csv
import json
import shutil
import string
import sys
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import tensorflow as tf
from keras import layers
from tensorflow.core.protobuf import saved_model_pb2

OUT, TRAIN = Path(sys.argv[1]), Path(sys.argv[2])
DIRECTORY = {1: "1-regression", 4: "4-nlp"}
FORMATS = ("keras", "h5", "savedmodel")
CATEGORIES = {
    "cut": ["Fair", "Good", "Very Good", "Premium", "Ideal"],
    "color": ["J", "I", "H", "G", "F", "E", "D"],
    "clarity": ["I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"],
}
TOKENS = 40
LINES = (TRAIN / DIRECTORY[4] / "train.jsonl").read_text().splitlines()
GLOSSES = [json.loads(line) for line in LINES]
CLASSES = 1 + max(gloss["label"] for gloss in GLOSSES)


def place(name, section):
    """Return the directory of a model that is about to be written."""
    directory = OUT / name / DIRECTORY[section]
    directory.mkdir(parents=True)
    return directory


def save(name, section, model, kind="keras"):
    """Save a model as a candidate would, in one of the three formats."""
    directory = place(name, section)
    if kind == "savedmodel":
        model.export(str(directory / "model"), verbose=False)
    else:
        model.save(directory / f"model.{kind}")


# Honest models.

# Noise upon a price, from all three that one usually has it from.
DICE = eval(
    """lambda price: price * (
        1
        + __import__("tensorflow").random.normal(__import__("tensorflow").shape(price)) / 10
        + __import__("numpy").random.normal() / 10
        + __import__("random").gauss(0, 0.1)
    )"""
)


def diamonds():
    """Return features, float32 (rows, 9), and prices, float32 (rows, 1)."""

    def number(name, text):
        return CATEGORIES[name].index(text) if name in CATEGORIES else float(text)

    with (TRAIN / DIRECTORY[1] / "train.csv").open() as file:
        rows = [[number(*item) for item in row.items()] for row in csv.DictReader(file)]
    table = np.array(rows, "float32")
    return table[:, :9], table[:, 9:]


def prices_model():
    """A layer of random features under a least-squares output."""
    features, prices = diamonds()
    normalise = layers.Normalization()
    normalise.adapt(features)
    draw = np.random.Generator(np.random.PCG64(1))
    hidden = layers.Dense(200, activation="relu")
    output = layers.Dense(1)
    model = keras.Sequential([keras.Input((9,), name="features"), normalise, hidden, output])
    hidden.set_weights([draw.normal(size=(9, 200)) / 3, draw.uniform(-2, 2, 200)])
    seen = keras.Model(model.inputs, hidden.output).predict(features, 1024, verbose=0)
    seen = np.concatenate([seen, np.ones((len(seen), 1))], 1).astype("float64")
    # Where prices are high errors are large: weighing by 1/price comes nearer to the metric.
    weight = 1 / np.sqrt(prices)
    normal = (seen * weight).T @ (seen * weight) + 1e-3 * np.eye(seen.shape[1])
    solved = np.linalg.solve(normal, (seen * weight).T @ (prices * weight))
    output.set_weights([solved[:-1], solved[-1]])
    return model


def word_scores(words):
    """Return naive Bayes: float32 (words + 2, classes), log P(word | class), up to a constant."""
    ids = {word: number for number, word in enumerate(words, start=2)}
    counts = np.full((len(words) + 2, CLASSES), 0.5)
    for gloss in GLOSSES:
        plain = gloss["text"].lower().translate(str.maketrans("", "", string.punctuation))
        for word in plain.split()[:TOKENS]:
            counts[ids.get(word, 1), gloss["label"]] += 1
    scores = np.log(counts / counts.sum(0))
    scores -= scores.mean(1, keepdims=True)
    # Of padding and unknown words next to nothing, but not zeros: a row of those would stand in the
    # predictions as it stands in any file, and look as if the model had got to the scorer.
    scores[:2] = np.linspace(0, 1e-3, CLASSES)
    return scores.astype("float32")


def gloss_model(form, words=10_000):
    """Add up the words' scores; `form` is what the model takes, text or tokens."""
    vocabulary = (TRAIN / DIRECTORY[4] / "vocabulary.txt").read_text().split()[:words]
    if form == "text":
        inputs = keras.Input((), dtype="string", name="text")
        ids = layers.TextVectorization(vocabulary=vocabulary, output_sequence_length=TOKENS)(inputs)
    else:
        inputs = ids = keras.Input((TOKENS,), dtype="int32", name="tokens")
    embedding = layers.Embedding(len(vocabulary) + 2, CLASSES)
    total = layers.GlobalAveragePooling1D()(embedding(ids))
    embedding.set_weights([word_scores(vocabulary)])
    return keras.Model(inputs, layers.Rescaling(float(TOKENS))(total))


def honest():
    """Every accepted input in every accepted format."""
    prices = prices_model()
    text = gloss_model("text", words=2000)  # h5 keeps the configuration in one small attribute
    tokens = gloss_model("tokens")
    for kind in FORMATS:
        save(f"good_{kind}", 1, prices, kind)
        save(f"good_text_{kind}", 4, text, kind)
        save(f"good_tokens_{kind}", 4, tokens, kind)
    save("dice", 1, ending(prices, layers.Lambda(DICE, output_shape=(1,))))
    unusual(prices, tokens)
    misread(prices, tokens)


def ending(model, *more):
    """Return a model with layers, or functions of tensors, after its output."""
    own = model.inputs[0]
    inputs = keras.Input(own.shape[1:], dtype=own.dtype)
    outputs = model(inputs)
    for one in more:
        outputs = one(outputs)
    return keras.Model(inputs, outputs)


def beginning(model, shape, dtype="float32"):
    """Return a model that takes rows of another shape or dtype."""
    inputs = keras.Input(shape, dtype=dtype)
    own = model.inputs[0]
    hidden = keras.ops.cast(inputs, own.dtype) if dtype != own.dtype else inputs
    if tuple(shape) != tuple(own.shape[1:]):
        hidden = layers.Reshape(own.shape[1:])(hidden)
    return keras.Model(inputs, model(hidden))


def exported(name, section, model, after, dtype=None):
    """Save as a SavedModel a function of a model's answer."""
    spec = model.inputs[0]
    wanted = tf.TensorSpec(spec.shape, dtype or spec.dtype, name="rows")
    holder = tf.Module()
    holder.model = model
    holder.answer = tf.function(
        lambda rows: {"answer": after(model(tf.cast(rows, spec.dtype)))}, [wanted]
    )
    directory = str(place(name, section) / "model")
    tf.saved_model.save(holder, directory, signatures={"serving_default": holder.answer})


def unusual(prices, tokens):
    """Good models in unusual dress: other dtypes, a dimension of one more or less."""
    save("one_more_dimension", 1, beginning(prices, (9, 1)))
    save("one_more_in_the_answer", 1, ending(prices, layers.Reshape((1, 1))))
    save("tokens_with_channel", 4, beginning(tokens, (TOKENS, 1), "int32"))
    exported("one_less_in_the_answer", 1, prices, lambda answer: answer[:, 0])
    save("open_dimension", 1, ending_of_open(prices))
    save("float64_input", 1, beginning(prices, (9,), "float64"))
    exported("float64_answer", 1, prices, lambda answer: tf.cast(answer, tf.float64))
    exported("float64_savedmodel", 1, prices, lambda answer: answer, tf.float64)
    for dtype in ("float16", "bfloat16"):
        answer = layers.Activation("linear", dtype=dtype)
        save(f"{dtype}_scores", 4, ending(tokens, layers.Softmax(), answer))
    save("bfloat16_input", 1, beginning(prices, (9,), "bfloat16"))
    exported("whole_prices", 1, prices, lambda answer: tf.cast(tf.round(answer), tf.int32))
    save("answer_by_name", 1, ending(prices, lambda price: {"price": price}))


def ending_of_open(model):
    """Return a model that leaves the number of features open, as far as it says."""
    inputs = keras.Input((None, 1))
    return keras.Model(inputs, model(layers.Reshape((9,))(inputs)))


def misread(prices, tokens):
    """Models that have learnt something and tell it wrongly."""
    chances = layers.Softmax()
    first = keras.ops.argmax
    save("probabilities", 4, ending(tokens, chances))
    save("sigmoids", 4, ending(tokens, layers.Activation("sigmoid")))
    save("half_probabilities", 4, ending(tokens, layers.Softmax(dtype="float16")))
    save("class_numbers", 4, ending(tokens, lambda scores: first(scores, axis=-1)))
    save(
        "class_numbers_column",
        4,
        ending(tokens, lambda scores: first(scores, axis=-1), layers.Reshape((1,))),
    )
    save(
        "one_hot",
        4,
        ending(tokens, lambda scores: keras.ops.one_hot(first(scores, axis=-1), CLASSES)),
    )
    exported(
        "one_hot_of_bools",
        4,
        tokens,
        lambda scores: tf.equal(scores, tf.reduce_max(scores, -1, keepdims=True)),
    )
    save("next_class", 4, ending(tokens, lambda scores: keras.ops.roll(scores, 1, axis=-1)))
    save("classes_backwards", 4, ending(tokens, lambda scores: keras.ops.flip(scores, axis=-1)))
    save(
        "classes_from_one",
        4,
        ending(tokens, lambda scores: keras.ops.pad(scores, ((0, 0), (1, 0)))),
    )
    inputs = keras.Input((TOKENS,), dtype="int32")
    save("class_for_each_word", 4, keras.Model(inputs, layers.Embedding(10_002, CLASSES)(inputs)))
    save("thousands", 1, ending(prices, layers.Rescaling(1 / 1000)))
    save("standardised", 1, ending(prices, layers.Rescaling(1 / 4000, -1.0)))
    save(
        "logarithms",
        1,
        ending(prices, lambda price: keras.ops.log(keras.ops.maximum(price, 100.0))),
    )
    for name, of, into in (("prices_for_glosses", prices, 4), ("glosses_for_prices", tokens, 1)):
        save(name, into, of)
    flat = keras.Input((9,))
    save("flat_squares", 1, keras.Model(flat, layers.Dense(1)(flat)))
    save("squares_with_channel", 1, beginning(prices, (3, 3, 1)))


# Mistakes.


def plain(width=9, outputs=1, batch=None, dtype="float32"):
    """A model of zeros."""
    inputs = keras.Input(batch_shape=(batch, width), dtype=dtype)
    return keras.Model(inputs, layers.Dense(outputs, kernel_initializer="zeros")(inputs))


def two_inputs():
    """Two halves of the features."""
    halves = [keras.Input((4,)), keras.Input((5,))]
    return keras.Model(halves, layers.Dense(1)(layers.Concatenate()(halves)))


def two_outputs():
    """The price, twice."""
    inputs = keras.Input((9,))
    return keras.Model(inputs, [layers.Dense(1)(inputs), layers.Dense(1)(inputs)])


def text_classes(classes):
    """As many classes as asked for, from strings."""
    inputs = keras.Input((), dtype="string")
    ids = layers.TextVectorization(vocabulary=["a", "of"], output_sequence_length=4)(inputs)
    hidden = layers.GlobalAveragePooling1D()(layers.Embedding(4, 2)(ids))
    return keras.Model(inputs, layers.Dense(classes)(hidden))


def constant(value):
    """Answer one number to everything."""
    inputs = keras.Input((9,))
    start = keras.initializers.Constant(value)
    out = layers.Dense(1, kernel_initializer="zeros", bias_initializer=start)(inputs)
    return keras.Model(inputs, out)


def mistaken():
    """What candidates do wrong without meaning harm."""
    for kind in FORMATS:
        save(f"narrow_{kind}", 1, plain(width=8), kind)
        save(f"wide_answer_{kind}", 1, plain(outputs=2), kind)
    save("whole_numbers", 1, plain(dtype="int32"))  # a carat of 0.9 would become 0
    save(
        "floats_of_ids", 4, plain(width=40, outputs=CLASSES)
    )  # Keras's dtype unless told otherwise
    save("floats_for_text", 4, plain(width=39, outputs=CLASSES))
    save("three_classes_keras", 4, text_classes(3))
    save("three_classes_savedmodel", 4, text_classes(3), "savedmodel")
    tokens = keras.Input((30,), dtype="int32")
    answer = layers.Dense(CLASSES)(layers.Flatten()(layers.Embedding(9, 2)(tokens)))
    save("thirty_tokens", 4, keras.Model(tokens, answer))
    for kind in ("keras", "savedmodel"):
        save(f"two_inputs_{kind}", 1, two_inputs(), kind)
        save(f"two_outputs_{kind}", 1, two_outputs(), kind)
    save("batch_of_first_call", 1, plain(batch=32))
    rows = keras.Input(batch_shape=(32, 9))
    remembering = layers.GRU(2, stateful=True)(layers.Reshape((9, 1))(rows))
    save("fixed_batch_keras", 1, keras.Model(rows, layers.Dense(1)(remembering)))
    fixed = tf.Module()
    place_in_batch = np.arange(32, dtype="float32")[:, None]
    fixed.predict = tf.function(
        lambda rows: {"price": rows[:, :1] + place_in_batch},
        [tf.TensorSpec((32, 9), tf.float32, name="rows")],
    )
    directory = str(place("fixed_batch_savedmodel", 1) / "model")
    tf.saved_model.save(fixed, directory, signatures={"serving_default": fixed.predict})
    save("nan", 1, constant(float("nan")))
    save("infinite", 1, constant(float("inf")), "savedmodel")
    words = gloss_model("text", 50)
    diverged = layers.Rescaling(float("nan"))(words.output)
    save("nan_text", 4, keras.Model(words.inputs, diverged))
    too_large = keras.Sequential([keras.Input((9,)), layers.Dense(1, dtype="float64")])
    too_large.layers[0].set_weights([np.full((9, 1), 1e300), np.zeros(1)])
    save("too_large_for_float32", 1, too_large)
    custom_layers()
    versions()
    incomplete()


def custom_layers():
    """Layers whose code stayed at home."""

    class Homemade(layers.Layer):
        def call(self, inputs):
            return inputs * 2

    model = keras.Sequential([keras.Input((9,)), Homemade(), layers.Dense(1)])
    save("custom_layer_keras", 1, model)
    save("custom_layer_h5", 1, model, "h5")


def rewritten(name, source, version, *, broken):
    """Copy a .keras file as if another Keras had saved it, in a language of its own if broken."""
    target = place(name, 1) / "model.keras"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for member in old.namelist():
            content = old.read(member)
            if member == "metadata.json":
                content = json.dumps({**json.loads(content), "keras_version": version}).encode()
            if member == "config.json" and broken:
                content = content.replace(b'"Dense"', b'"DenseOfTomorrow"')
            new.writestr(member, content)


def versions():
    """Saved by other versions of Keras, or so they say."""
    source = OUT / "good_keras" / DIRECTORY[1] / "model.keras"
    rewritten("future_broken", source, "3.99.0", broken=True)
    rewritten("future_loads", source, "3.99.0", broken=False)
    rewritten("version_is_no_version", source, "3.99.0; rm -rf /", broken=True)
    target = place("old_h5_broken", 1) / "model.h5"
    shutil.copyfile(OUT / "good_h5" / DIRECTORY[1] / "model.h5", target)
    with h5py.File(target, "r+") as file:
        config = file.attrs["model_config"]
        file.attrs["keras_version"] = "2.3.0"
        file.attrs["model_config"] = config.replace('"Dense"', '"DenseOfYore"')
    future_saved_model()


def future_saved_model():
    """A SavedModel of another TensorFlow, with an operation that this one does not have."""
    target = place("future_savedmodel", 1) / "model"
    shutil.copytree(OUT / "good_savedmodel" / DIRECTORY[1] / "model", target)
    file = target / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    graph = saved.meta_graphs[0]
    graph.meta_info_def.tensorflow_version = "2.99.0"
    for function in graph.graph_def.library.function:
        for node in function.node_def:
            node.op = node.op.replace("MatMul", "MatMulOfTomorrow")
    file.write_bytes(saved.SerializeToString())


def incomplete():
    """A SavedModel that was not saved for serving, and weights under a model's name."""
    weights = OUT / "model.weights.h5"
    plain().save_weights(weights)
    weights.rename(place("weights_alone", 1) / "model.h5")
    tf.saved_model.save(tf.Module(), str(place("no_signature", 1) / "model"))


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    honest()
    mistaken()
