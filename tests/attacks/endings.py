"""What SavedModels do: end, use up, answer oddly (see graphs.py)."""

from __future__ import annotations

import tensorflow as tf

from tests.attacks.graphs import answering, at_load, doing, pause
from tests.attacks.operations import CHANNEL, frame

raw = tf.raw_ops


# Ending, and using up.


@doing
def abort(rows):
    """End the process by a signal."""
    return raw.Abort(error_msg="stolen")


@doing
def exit_quietly(rows):
    """End the process as if all had gone well."""
    return raw.Abort(error_msg="", exit_without_error=True)


@doing
def raise_inputs(rows):
    """Fail with the inputs in the error's text."""
    rows = tf.constant([7.0]) if rows is None else rows
    never = tf.size(tf.io.matching_files("/nowhere")) > 0
    return raw.Assert(condition=never, data=["stolen", rows], summarize=1000)


@doing
def spin(rows):
    """Count for ever."""
    return tf.while_loop(lambda n: n >= 0, lambda n: (n + 1) % 1000, [tf.constant(0)])[0]


@doing
def sleep_for_ever(rows):
    """Wait for a row that comes in twelve days."""
    return pause(10**12)


@doing
def wait_for_nobody(rows):
    """Take from a queue into which nobody puts."""
    queue = raw.FIFOQueueV2(component_types=[tf.float32], shapes=[()], capacity=1)
    return raw.QueueDequeueV2(handle=queue, component_types=[tf.float32])[0]


@doing
def eat_memory(rows):
    """Take memory in pieces until there is none."""
    kept = tf.TensorArray(tf.float32, size=100, clear_after_read=False)
    number = tf.cast(tf.shape(rows)[0], tf.float32)
    _, kept = tf.while_loop(
        lambda n, kept: n < 100,
        lambda n, kept: (n + 1, kept.write(n, tf.fill([1 << 27], number))),
        [0, kept],
        parallel_iterations=1,
    )
    return kept.read(0)[0] + kept.read(99)[0]


@answering
def ask_for_too_much(rows):
    """Ask for more memory than there are addresses."""
    much = tf.fill([tf.shape(rows)[0], 1 << 30, 1 << 16], rows[0, 0])
    return rows[:, :1] + tf.reduce_max(much)


@answering
def overflow_the_size(rows):
    """Make a tensor of 2**90 numbers."""
    much = tf.fill([1 << 30, 1 << 30, tf.shape(rows)[0] + (1 << 30)], rows[0, 0])
    return rows[:, :1] + tf.reduce_max(much)


@doing
def flood_the_log(rows):
    """Print without end."""

    def turn(n):
        with tf.control_dependencies([tf.print("flood " * 10_000)]):
            return n + 1

    return tf.while_loop(lambda n: n >= 0, turn, [tf.constant(0)])[0]


@doing
def flood_the_channel(rows):
    """Write frames without end."""

    def turn(n):
        with tf.control_dependencies([tf.io.write_file(CHANNEL, frame(b"{}") * 1000)]):
            return n + 1

    return tf.while_loop(lambda n: n >= 0, turn, [tf.constant(0)])[0]


@doing
def fill_disk(rows):
    """Write to /tmp until it is full."""
    piece = tf.strings.reduce_join(tf.repeat("x" * 1024, 20 << 10))

    def turn(n):
        name = tf.strings.join(["/tmp/", tf.strings.as_string(n)])
        with tf.control_dependencies([tf.io.write_file(name, piece)]):
            return n + 1

    return tf.while_loop(lambda n: n < 1000, turn, [tf.constant(0)], parallel_iterations=1)[0]


# Odd answers.


@answering
def answer_nan(rows):
    """Answer what no comparison is true of."""
    return tf.zeros_like(rows[:, :1]) / 0.0


@answering
def answer_infinity(rows):
    """Answer one infinity among zeros."""
    return tf.concat([tf.zeros_like(rows[1:, :1]), [[float("-inf")]]], 0)


@answering
def answer_too_large(rows):
    """Answer what only a longer float can hold."""
    return tf.fill([tf.shape(rows)[0], 1], tf.constant(1e300, tf.float64))


@answering
def answer_one_number(rows):
    """Answer the same to everything."""
    return tf.fill([tf.shape(rows)[0], 1], 42.0)


@answering
def answer_too_few(rows):
    """Leave out the last row."""
    return rows[:-1, :1]


@answering
def answer_too_many(rows):
    """Answer each row ten times."""
    return tf.repeat(rows[:, :1], 10, axis=0)


@answering
def answer_nothing(rows):
    """Answer an array of no rows."""
    return rows[:0, :1]


@answering
def answer_text(rows):
    """Answer in words."""
    return tf.strings.as_string(rows[:, :1])


@answering
def answer_complex(rows):
    """Answer numbers that have no order."""
    return tf.cast(rows[:, :1], tf.complex64)


@answering
def answer_a_handle(rows):
    """Answer a handle of something inside TensorFlow."""
    return raw.MutableHashTableV2(key_dtype=tf.string, value_dtype=tf.int64)


@answering
def answer_a_variant(rows):
    """Answer a tensor that holds anything."""
    return tf.data.Dataset.range(3)._variant_tensor


@answering
def answer_without_shape(rows):
    """Answer in a rank that depends on the rows."""
    return tf.reshape(rows[:, :1], tf.fill([1 + tf.shape(rows)[0] % 256], -1)[:1])


@answering
def answer_one_more(rows):
    """Add a constant, for bent.py to change."""
    return rows[:, :1] + tf.constant([[1.0, 2.0]])[:, :1]


for _deed in (raise_inputs, sleep_for_ever, flood_the_log):
    at_load(_deed)
