"""Load one candidate's model and map inputs to predictions. Sees no labels; speaks one array.

Frames in and out, in this order:
  in   {"token", "contract", "batch", "model": {"format", "files": [{"path", "bytes"}]},
       "tensors": [...]} and then the model's files and the inputs' bytes
  out  {"kind": "received", "python", "tensorflow", "keras", "numpy", "cpu", "cores", "gpus"}:
       whatever goes wrong from here on is the model's doing
  out  {"kind": "predictions", "dtype": "float32", "shape", "took", "gave"} and the array's bytes;
       `took` and `gave` are the shapes of rows as the model itself has them, or null where they
       are those agreed. Or
       {"kind": "fault", "reason", "detail"}: the model is at fault, and how
Both answers carry the request's token, so that none can have been written before it was asked for.

It answers one request and ends; with --warm it first makes itself ready to answer quickly, and with
--serve it answers any number (see serve.py), one candidate's models that is.

Whatever the model prints goes to standard error. The host believes nothing of what comes out but
the bytes of one array of the agreed length: this process runs a stranger's program.
Runs on Python 3.9, numpy 1.22 and TensorFlow 2.9.
"""

from __future__ import annotations

import contextlib
import gc
import inspect
import os
import platform
import sys
import tempfile
import traceback
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Where the answers go: a copy of standard output, once that is taken (see `take_stdout`).
ANSWER = None


def take_stdout():
    """Keep standard output for the answers; everything else that prints meets standard error."""
    global ANSWER
    if ANSWER is None:
        ANSWER = os.dup(1)
        os.dup2(2, 1)


if __name__ == "__main__":
    take_stdout()  # before anything is imported that may print
    gc.disable()  # what is imported stays: to look through it time and again is a fifth of the work

import keras  # noqa: E402
import numpy as np  # noqa: E402
import serve  # noqa: E402
import tensorflow as tf  # noqa: E402
import tensors  # noqa: E402
import wire  # noqa: E402
from contract import Fault, as_declared, choose_input, fit_output  # noqa: E402

KERAS = keras.__version__
if not hasattr(keras, "version"):  # before Keras 3 only TensorFlow's way in has all of it
    keras = tf.keras

MAX_BODY = 4 << 30
SEED = 20240501
DIRECTORY = "/tmp/model"


def answer(header, body=b""):
    """Send one frame."""
    take_stdout()
    view = memoryview(wire.frame_bytes(header, body))
    while view:
        view = view[os.write(ANSWER, view) :]


def receive(directory):
    """Read the request; write the model's files under `directory` and return (header, arrays)."""
    stream = sys.stdin.buffer
    header, _ = wire.read_frame_start(stream, MAX_BODY)
    for file in header["model"]["files"]:
        path = Path(directory, file["path"])
        path.parent.mkdir(parents=True, exist_ok=True)
        left = file["bytes"]
        with path.open("wb") as out:
            while left:
                piece = wire.read_exactly(stream, min(left, 1 << 20))
                out.write(piece)
                left -= len(piece)
    inputs = wire.read_exactly(stream, wire.total_bytes(header["tensors"]))
    return header, tensors.decode_all(header["tensors"], inputs)


def about(path, kind):
    """Return what a model that does not load says of itself: who saved it, and what it lacks."""
    told = {}
    with contextlib.suppress(Exception):
        if kind != "savedmodel":
            told = about_hdf5(path)
        if kind == "savedmodel":
            from tensorflow.python.saved_model import loader_impl

            graphs = loader_impl.parse_saved_model(path).meta_graphs
            told = {"tensorflow": graphs[0].meta_info_def.tensorflow_version}
    return {key: text for key, text in told.items() if isinstance(text, str) and len(text) < 60}


def about_hdf5(path):
    """Return it for an HDF5 file."""
    import h5py

    with h5py.File(path, "r") as file:
        if "model_config" not in file.attrs:
            return {"missing": "model_config"}
        version = file.attrs.get("keras_version")
        return {"saved_with": version.decode() if isinstance(version, bytes) else version}


def load(path, kind):
    """Return a function from a batch to outputs, and what the model says of its input.

    The container is the wall, so models with Lambda layers are let in: Keras's safe mode would
    refuse them and protect nothing.
    """
    if kind == "savedmodel":
        return load_saved_model(path)
    options = {"compile": False}
    if "safe_mode" in inspect.signature(keras.models.load_model).parameters:  # since Keras 2.13
        options["safe_mode"] = False
    model = keras.models.load_model(path, **options)
    specs = getattr(model, "inputs", None)
    if specs is None:
        return lambda batch: model(batch, training=False), None
    if len(specs) != 1:
        raise Fault("wrong_input", inputs=len(specs))
    # Called, not `predict`ed: for a few thousand rows tracing a graph takes longer than it saves.
    return lambda batch: model(batch, training=False), describe(specs[0], model.outputs or [])


def load_saved_model(path):
    """Return the serving function of a SavedModel; one input, one output."""
    loaded = tf.saved_model.load(path)
    signature = getattr(loaded, "signatures", {}).get("serving_default")
    if signature is None:
        raise Fault("load_failed", missing="serving_default")
    arguments = signature.structured_input_signature[1]
    if len(arguments) != 1:
        raise Fault("wrong_input", inputs=len(arguments))
    ((name, spec),) = arguments.items()

    def predict(batch):
        outputs = signature(**{name: tf.constant(batch, dtype=spec.dtype)})
        if len(outputs) != 1:
            raise Fault("wrong_output", outputs=len(outputs))
        return next(iter(outputs.values()))

    predict.keep = loaded  # the function holds its variables by weak references only
    return predict, describe(spec, list(signature.structured_outputs.values()))


def describe(taken, returned):
    """Return the spec (see contract.py) of a model's one input and its outputs."""
    name = taken.dtype if isinstance(taken.dtype, str) else tf.as_dtype(taken.dtype).name
    spec = {"dtype": name, "shape": plain(taken.shape)}
    if len(returned) == 1:
        spec["returns"] = plain(returned[0].shape)
    return spec


def plain(shape):
    """Return a shape as plain values, None where a dimension is open, or None if all of it is."""
    if getattr(shape, "rank", 0) is None:
        return None
    return [None if n is None else int(n) for n in shape]


def prepare(array, spec):
    """Return the inputs in the dtype and rank that the model declares."""
    if array.dtype == object:
        array = np.array([text.encode("utf-8") for text in array], dtype=object)
    elif spec and spec["dtype"] != "string":
        array = array.astype(tf.as_dtype(spec["dtype"]).as_numpy_dtype)
    return as_declared(array, spec)


def predict_all(predict, inputs, batch):
    """Return the outputs of all rows as one float32 array."""
    outputs = []
    for start in range(0, len(inputs), batch):
        rows = inputs[start : start + batch]
        if rows.dtype == object:
            rows = tf.constant(rows, dtype=tf.string)
        found = predict(rows)
        if isinstance(found, (list, tuple, dict)):
            if len(found) != 1:
                raise Fault("wrong_output", outputs=len(found))
            (found,) = found.values() if isinstance(found, dict) else found
        if tf.is_tensor(found) and (found.dtype.is_floating or found.dtype.is_bool):
            found = tf.cast(found, tf.float32)  # bfloat16, too, which numpy does not know
        found = np.asarray(found)
        if found.dtype.kind not in "fiu":
            raise Fault("wrong_output", dtype=str(found.dtype))
        if found.ndim == 0 or len(found) != len(rows):
            raise Fault("wrong_output", rows=int(found.shape[0]) if found.ndim else 0)
        outputs.append(found.astype(np.float32))
    return np.concatenate(outputs)


def work(directory, header, arrays):
    """Answer one request; return the answer's header and body."""
    kind = header["model"]["format"]
    path = str(Path(directory, header["model"]["root"]))
    try:
        predict, spec = load(path, kind)
    except (Fault, MemoryError):
        raise
    except Exception:
        traceback.print_exc()
        raise Fault("load_failed", **about(path, kind)) from None
    name = choose_input(header["contract"], spec)
    try:
        inputs = prepare(arrays[name], spec)
        outputs = predict_all(predict, inputs, header["batch"])
    except (Fault, MemoryError):
        raise
    except tf.errors.ResourceExhaustedError:
        raise MemoryError from None
    except Exception:
        traceback.print_exc()
        if spec and spec["shape"] and spec["shape"][0] is not None:
            raise Fault("wrong_input", batch=spec["shape"][0]) from None
        raise Fault("crashed", stage="predict") from None
    gave = outputs.shape
    try:
        outputs = fit_output(outputs, header["contract"]["output"]["shape"])
    except Fault as fault:
        fault.detail["took"] = spec  # for which section is it, if not for this one?
        raise
    reply = {
        "kind": "predictions",
        "dtype": "float32",
        "shape": [int(n) for n in outputs.shape],
        "took": row_shape(inputs.shape) if inputs.shape != arrays[name].shape else None,
        "gave": row_shape(gave) if gave != outputs.shape else None,
    }
    return reply, outputs.astype("<f4").tobytes()


def row_shape(shape):
    """Return the shape of one row as plain numbers."""
    return [int(n) for n in shape[1:]]


def steady():
    """Fix what would make the same model answer differently from one grading to the next."""
    tf.config.threading.set_intra_op_parallelism_threads(2)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    with contextlib.suppress(AttributeError):
        tf.config.experimental.enable_op_determinism()
    tf.keras.utils.set_random_seed(SEED)


WARM_ROWS = 256  # few rows would leave the threads and kernels of large products for later


def warm_up():
    """Load and use small models, so that what Keras and TensorFlow do late is done beforehand."""
    layers = keras.layers
    picture = keras.Input((8, 8, 3))
    hidden = layers.Conv2D(8, 3, padding="same", use_bias=False)(layers.Rescaling(0.5)(picture))
    hidden = layers.ReLU()(layers.BatchNormalization()(layers.MaxPooling2D()(hidden)))
    hidden = layers.Dropout(0.1)(layers.Flatten()(layers.Reshape((4, 4, 8))(hidden)))
    classes = layers.Dense(64, activation="softmax")(hidden)
    row = keras.Input((9,))
    hidden = layers.Normalization()(layers.concatenate([row, row]))
    hidden = layers.Dense(64, activation="relu")(hidden)
    inner = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu")])
    number = layers.Dense(1, activation="exponential")(layers.Average()([inner(hidden), hidden]))
    series = keras.Input((24, 9))
    hidden = layers.Conv1D(64, 3, padding="same", activation="relu")(series / 2.0)
    curve = layers.Conv1D(1, 1)(layers.Permute((2, 1))(hidden))[:, :, 0] + 1.0
    text = keras.Input((), dtype="string")
    vectorize = layers.TextVectorization(vocabulary=["word"], output_sequence_length=4)
    words = layers.Embedding(3, 8, mask_zero=True)(vectorize(text))
    words = layers.concatenate(
        [layers.GlobalAveragePooling1D()(words), layers.Bidirectional(layers.LSTM(8))(words)]
    )
    answer = layers.Dense(8, activation="softmax")(words)
    words = tf.constant(["word"] * WARM_ROWS)
    for inputs, outputs in ((picture, classes), (row, number), (series, curve), (text, answer)):
        batch = words if inputs is text else np.ones((WARM_ROWS, *inputs.shape[1:]), "f4")
        with tempfile.TemporaryDirectory() as scratch:
            path = str(Path(scratch, "model.keras"))
            keras.Model(inputs, outputs).save(path)
            predict, _ = load(path, "keras")
            predict(batch)
    keras.backend.clear_session()


def processor():
    """Return the processor's name as the kernel tells it, None where it does not."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()[:200]
    return None


def gpus():
    """Return the names of the GPUs that TensorFlow computes on."""
    devices = tf.config.list_physical_devices("GPU")
    about = map(tf.config.experimental.get_device_details, devices)
    return [str(one.get("device_name", "GPU"))[:200] for one in about]


def answer_one():
    """Wait for one request and answer it."""
    header, arrays = receive(DIRECTORY)
    token = header["token"]
    # The next request is none of this model's business.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    versions = {"python": platform.python_version(), "tensorflow": tf.__version__}
    versions.update({"keras": KERAS, "numpy": np.__version__})
    versions.update({"cpu": processor(), "cores": os.cpu_count(), "gpus": gpus()})
    answer({"kind": "received", "token": token, **versions})
    try:
        reply, body = work(DIRECTORY, header, arrays)
    except Fault as fault:
        reply, body = {"kind": "fault", "reason": fault.reason, "detail": fault.detail}, b""
    except MemoryError:
        reply, body = {"kind": "fault", "reason": "out_of_memory", "detail": {}}, b""
    answer({**reply, "token": token}, body)
    os._exit(0)  # nothing that the model registered for the end may run


def main():
    """Answer as the arguments say."""
    if "--warm" in sys.argv:
        steady()
        warm_up()
        gc.collect()
    gc.freeze()  # nor is it looked through again while a model is at work
    gc.enable()
    if "--serve" in sys.argv:
        # Nothing is computed before a fork: TensorFlow's threads would not be in it.
        serve.serve(lambda: (steady(), answer_one()))
        return
    steady()
    answer_one()


if __name__ == "__main__":
    main()
