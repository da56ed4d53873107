"""How quick it can get: load and predict where TensorFlow is imported already, with no walls.

    python limit.py again REPEATS DIRECTORY...
    python limit.py once DIRECTORY...

Import once, then fork a child for each directory (as `naive.py` takes them), which loads fresh
copies of the model and predicts. `again` does so several times in each child, by Keras's own
`predict` and by calling the model on batches, and prints the seconds of each; a child's first is
apart, since Keras does much late. `once` prints what one candidate must cost: the seconds that were
computed by the one import, and by one child a directory that loads, predicts and ends. With
EXAM_STEADY in the environment, TensorFlow is told to answer the same every time, as in a grade.
"""

import json
import os
import resource
import shutil
import sys
import time
from pathlib import Path

BATCH = 1024


def spent(who):
    """Return the processor seconds of this process, or of its ended children."""
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


import keras  # noqa: E402
import naive  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

IMPORTED = spent(resource.RUSAGE_SELF)


def predicted(model, inputs):
    """Return what `model.predict` gives."""
    return model.predict(inputs, verbose=0)


def called(model, inputs):
    """Return the same by calling the model: to trace a graph takes longer than it saves."""
    batches = [inputs[start : start + BATCH] for start in range(0, len(inputs), BATCH)]
    return np.concatenate([np.asarray(model(batch, training=False)) for batch in batches])


def seconds_of(way, path, inputs):
    """Return the seconds that loading a model and predicting take."""
    started = time.perf_counter()
    way(keras.models.load_model(path, compile=False), inputs)
    return time.perf_counter() - started


def in_child(work):
    """Return what work() returned in a forked child."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        if "EXAM_STEADY" in os.environ:
            tf.config.threading.set_intra_op_parallelism_threads(2)
            tf.config.threading.set_inter_op_parallelism_threads(1)
            tf.config.experimental.enable_op_determinism()
            tf.keras.utils.set_random_seed(1)
        os.write(writing, json.dumps(work()).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        told = stream.read()
    _, status = os.waitpid(child, 0)
    if status:
        sys.exit(f"a child ended with status {status}")
    return json.loads(told)


def several(way, directory, repeats):
    """Return the seconds of one load and predict after another, each of a copy of the model."""
    inputs = naive.read_inputs(directory)
    found = []
    for number in range(1 + repeats):
        copy = f"/tmp/{number}.keras"
        shutil.copyfile(Path(directory, "model.keras"), copy)
        found.append(seconds_of(way, copy, inputs))
    return {"first": found[0], "again": found[1:]}


def one(directory):
    """Load and predict once."""
    called(
        keras.models.load_model(Path(directory, "model.keras"), compile=False),
        naive.read_inputs(directory),
    )


def main():
    """Measure and print one object."""
    mode, *rest = sys.argv[1:]
    if mode == "once":
        for directory in rest:
            in_child(lambda: one(directory))  # noqa: B023
        told = {"import": IMPORTED, "children": spent(resource.RUSAGE_CHILDREN)}
        told["all"] = spent(resource.RUSAGE_SELF) + told["children"]
    else:
        told = {}
        for directory in rest[1:]:
            told[Path(directory).name] = {
                way.__name__: in_child(lambda: several(way, directory, int(rest[0])))  # noqa: B023
                for way in (predicted, called)
            }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
