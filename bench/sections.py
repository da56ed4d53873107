"""Sections made for measuring: with as many hidden rows, or as large a model, as is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_SECTION = """\
section: {number}
slug: {slug}
title: Made for measuring
category: Measuring
weight: 10
skills: [patience]
contract:
  inputs:
    - {{name: rows, dtype: {dtype}, shape: {shape}}}
  output: {{dtype: float32, shape: [10]}}
  max_megabytes: 600
metric: {{name: accuracy, better: higher}}
bands: [0.5, 0.6, 0.7, 0.8, 0.9]
limits: {{predict_seconds: 600, memory_megabytes: 6144}}
ladder: [starter, reference]
"""
_DATASET = """\
import numpy as np


def build(sources, seed):
    rng = np.random.Generator(np.random.PCG64(int.from_bytes(seed, "little")))

    def rows(count):
        return {{"rows": (rng.random((count, *{shape})) * 256).astype("{dtype}")}}

    def hidden(count):
        return {{"inputs": rows(count), "labels": (rng.random(count) * 10).astype("int32")}}

    return {{
        "train": {{"none.txt": b""}},
        "sample": {{"inputs": rows(16)}},
        "probe": hidden({rows}),
        "final": hidden(16),
    }}
"""
# Both with weights that were never trained: what they answer is of no interest here.
_BUILD = """\
import keras
from keras import layers

pictures = [layers.Input((28, 28)), layers.Reshape((28, 28, 1)), layers.Conv2D(8, 3, strides=2)]
keras.Sequential([*pictures, layers.Flatten(), layers.Dense(10)]).save("model.keras")
for megabytes in {megabytes}:
    # A table of words: it grows and what is computed of it does not.
    words = layers.Embedding(megabytes * 10**6 // 256, 64)
    tokens = [layers.Input((40,), dtype="int32"), words, layers.GlobalAveragePooling1D()]
    keras.Sequential([*tokens, layers.Dense(10)]).save(f"{{megabytes}}.keras")
"""


@dataclass(frozen=True)
class Made:
    """A section: pictures of 28x28 float32, or forty tokens in numbers below 256."""

    number: int
    slug: str
    rows: int
    tokens: bool = False

    @property
    def directory(self) -> str:
        """Its directory in a workspace."""
        return f"{self.number}-{self.slug}"

    def write(self, to: Path) -> Path:
        """Write its folder under a directory and return it."""
        folder = to / self.directory
        folder.mkdir(parents=True)
        shape, dtype = ([40], "int32") if self.tokens else ([28, 28], "float32")
        section = _SECTION.format(number=self.number, slug=self.slug, dtype=dtype, shape=shape)
        (folder / "section.yaml").write_text(section)
        dataset = _DATASET.format(shape=shape, dtype=dtype, rows=self.rows)
        (folder / "dataset.py").write_text(dataset)
        return folder


def write_exam(sections: Sequence[Made], to: Path) -> Path:
    """Write an exam of made sections and return its file."""
    folders = [made.write(to) for made in sections]
    lines = [f"  - folder: {folder}" for folder in folders]
    exam = to / "exam.yaml"
    head = 'exam: growth\nduration: null\nseed: "measured in the open"\nsections:\n'
    exam.write_text(head + "\n".join(lines) + "\n")
    return exam


def build_script(megabytes: Sequence[int]) -> str:
    """Return a script that saves model.keras, for pictures, and N.keras of N MB, for tokens."""
    return _BUILD.format(megabytes=list(megabytes))
