"""SavedModels of section 1 that act by TensorFlow's own operations, with no Python in them.

Runs in the workspace image. A deed gets the rows, float32 (rows, 9). It returns an operation that
runs before the model answers zeros; or, where it is an `answer`, what the model answers instead.
Those that are done `at_load` return the operation that a loader runs to make the model ready. The
deeds are in operations.py and endings.py.
"""

from __future__ import annotations

import tensorflow as tf

raw = tf.raw_ops
DOING, ANSWERING, LOADING = {}, {}, {}


def doing(deed):
    """Note a deed that is done while the model predicts."""
    DOING[deed.__name__] = deed
    return deed


def answering(deed):
    """Note an answer."""
    ANSWERING[deed.__name__] = deed
    return deed


def at_load(deed):
    """Note a deed that is done while the model is loaded; its rows are None."""
    LOADING[deed.__name__ + "_at_load"] = deed
    return deed


class Acting(tf.Module):
    """A model that does something and answers zeros, or gives an answer of its own."""

    def __init__(self, deed, answers):
        super().__init__()
        self.deed, self.answers = deed, answers

    @tf.function(input_signature=[tf.TensorSpec((None, 9), tf.float32, name="rows")])
    def predict(self, rows):
        if self.answers:
            return {"answer": self.deed(rows)}
        with tf.control_dependencies([done for done in [self.deed(rows)] if done is not None]):
            # What was printed last may come later than the answer, and then is lost.
            waited = pause(200_000)
        with tf.control_dependencies([waited]):
            return {"answer": tf.zeros([tf.shape(rows)[0], 1])}


class Waking(tf.saved_model.experimental.TrackableResource):
    """A resource that is made when the model is loaded, by a deed."""

    def __init__(self, deed):
        super().__init__()
        self.deed = deed

    def _create_resource(self):
        return raw.MutableHashTableV2(key_dtype=tf.string, value_dtype=tf.int64)

    @tf.function(input_signature=[])
    def _initialize(self):
        with tf.control_dependencies([done for done in [self.deed(None)] if done is not None]):
            return tf.constant(1)


def pause(microseconds):
    """Return an operation that waits."""
    kind = {"output_types": [tf.int64], "output_shapes": [()]}
    slow = raw.SleepDataset(
        input_dataset=tf.data.Dataset.range(1)._variant_tensor,
        sleep_microseconds=tf.constant(microseconds, tf.int64),
        **kind,
    )
    return raw.DatasetToSingleElement(dataset=slow, **kind)[0]


def make(name, directory):
    """Write the model of a name. Raises KeyError."""
    if name in LOADING:
        model = Acting(lambda rows: None, answers=False)
        model.resource = Waking(LOADING[name])
    else:
        answers = name in ANSWERING
        model = Acting((ANSWERING if answers else DOING)[name], answers)
    tf.saved_model.save(model, str(directory), signatures={"serving_default": model.predict})
