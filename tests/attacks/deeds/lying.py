"""Answers that are none, and changes to what looks at them."""

import math
import sys

import numpy
import tensorflow


def rows_of(values):
    """Return how many answers are due."""
    return len(values) if values is not None else 1


def answer_nan(values):
    """Answer what no comparison is true of."""
    return numpy.full([rows_of(values), 1], math.nan, "float32")


def answer_infinity(values):
    """Answer one infinity among zeros."""
    answer = numpy.zeros([rows_of(values), 1], "float32")
    answer[-1] = -math.inf
    return answer


def answer_too_large(values):
    """Answer what only a longer float can hold."""
    return numpy.full([rows_of(values), 1], 1e300)


def answer_one_number(values):
    """Answer the same to everything."""
    return numpy.full([rows_of(values), 1], 42.0, "float32")


def answer_too_few(values):
    """Leave out the last row."""
    return numpy.zeros([rows_of(values) - 1, 1], "float32")


def answer_too_many(values):
    """Answer each row ten times."""
    return numpy.zeros([10 * rows_of(values), 1], "float32")


def answer_nothing(values):
    """Answer an array of no rows."""
    return numpy.zeros([0, 1], "float32")


def answer_text(values):
    """Answer in words."""
    return numpy.full([rows_of(values), 1], "3000")


def answer_objects(values):
    """Answer objects that would become numbers by code of their own."""

    class Number:
        def __float__(self):
            print("stolen")
            return 3000.0

    return numpy.full([rows_of(values), 1], Number(), object)


def answer_complex(values):
    """Answer numbers that have no order."""
    return numpy.full([rows_of(values), 1], 1j, "complex64")


def answer_endlessly(values):
    """Answer a list that never ends."""

    class Endless(list):
        def __iter__(self):
            while True:
                yield 1.0

        def __len__(self):
            return 1 << 62

    return Endless([1.0])


def answer_two_faced(values):
    """Answer an array that shows another length to whoever looks first."""

    class TwoFaced:
        def __init__(self):
            self.looks = 0

        def __array__(self, dtype=None, copy=None):
            self.looks += 1
            return numpy.zeros([rows_of(values) * self.looks * 1000, 1], "float32")

    return TwoFaced()


def patch_numpy(values):
    """Have all arrays, however they are looked at, be ten times as many rows."""
    honest = numpy.concatenate
    numpy.concatenate = lambda arrays: honest(list(arrays) * 10)


def patch_numpy_to_lie(values):
    """Have conversions return an array that lies about its shape and its bytes."""

    class Liar(numpy.ndarray):
        def tobytes(self, *_):
            return b"stolen" * 1000

        def astype(self, *_, **__):
            return self

    numpy.asarray = lambda one, *_, **__: numpy.zeros(one.shape, "float32").view(Liar)
    numpy.concatenate = lambda arrays: arrays[0]


def patch_tensorflow(values):
    """Have every tensor lie about what it is."""
    tensorflow.is_tensor = lambda one: True
    tensorflow.cast = lambda one, dtype: one
    numpy.asarray = lambda one, *_, **__: type("Array", (), {"dtype": numpy.dtype("f4")})()


def patch_the_wire(values):
    """Have every frame be a perfect one of another kind."""
    import wire

    wire.frame_bytes = lambda header, body=b"": wire.frame_start({"kind": "metric"}, 0)


def patch_the_predictor(values):
    """Take the predictor's place in its own module."""
    main = sys.modules["__main__"]
    main.fit_output = lambda array, expected: array[:1]


def patch_keras(values):
    """Have every dense layer answer nothing but zeros from here on."""
    import keras

    keras.layers.Dense.call = lambda layer, inputs: keras.ops.zeros_like(inputs)
