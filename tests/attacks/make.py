"""Write the hostile models, in the workspace image, for the host has no TensorFlow.

`python -m tests.attacks.make OUT NEEDLES CLASSES`: a model of the collection ends up in OUT/<id>/
<section's directory>/, as a candidate leaves it. NEEDLES is JSON, and goes into the models that
hunt for labels; CLASSES is how many the glosses of section 4 have.
"""

from __future__ import annotations

import json
import sys
import zlib
from pathlib import Path

import keras
from keras import layers

from tests.attacks import bent, endings, gadgets, graphs, operations
from tests.attacks.models import AT_LOAD, HOSTILE_MODELS, OF_TEXT

DIRECTORY = {1: "1-regression", 4: "4-nlp"}
GRAPHS = (operations, endings)  # which have told graphs.py of their deeds
DEEDS = [path.read_text() for path in Path(__file__).with_name("deeds").glob("[!_]*.py")]
CHANNEL = Path(__file__).with_name("deeds").joinpath("channel.py").read_text()

# Keras keeps the byte code of a layer's function in the file and runs it wherever it is loaded: at
# prediction with the rows, and while the model is loaded where nobody says which shape it returns.
BEFORE = """
import sys, types
sys.modules["channel"] = types.ModuleType("channel")
exec({channel!r}, sys.modules["channel"].__dict__)
"""
RUN = """
def run(x):
    import os, tensorflow, time
    at_load = {at_load}
    if at_load:
        if not hasattr(x, "numpy") and "EXAM_MAKING_MODELS" not in os.environ:
            {deed}(None)
            time.sleep(0.2)
        return x[..., :{width}]
    answer = {deed}(x.numpy()) if "answer" in "{deed}" or not kept_answers else None
    if not kept_answers:
        time.sleep(0.2)  # what was printed last may come later than the answer, and then is lost
    kept_answers.append(None)
    return tensorflow.zeros([len(x), {width}]) if answer is None else answer
kept_answers = []
NEEDLES = {needles!r}
"""


def acting(name, section, needles, classes):
    """Return a model whose one layer runs a deed."""
    deed = name.removesuffix(AT_LOAD).removesuffix(OF_TEXT)
    (text,) = [one for one in DEEDS if f"\ndef {deed}(values)" in one]
    width = classes if section == 4 else 1
    run = RUN.format(at_load=name.endswith(AT_LOAD), deed=deed, width=width, needles=needles)
    packed = zlib.compress((BEFORE.format(channel=CHANNEL) + text + run).encode(), 9)
    # Keras keeps the code of nameless functions only, and not what they close over.
    function = eval(
        f"lambda x: (scope := __import__('sys').__dict__.setdefault({name!r}, {{}}), scope or"
        f" exec(__import__('zlib').decompress({packed!r}), scope), scope['run'](x))[2]"
    )
    inputs = keras.Input((), dtype="string") if section == 4 else keras.Input((9,))
    shape = {} if name.endswith(AT_LOAD) else {"output_shape": (width,)}
    return keras.Model(inputs, layers.Lambda(function, dtype="float32", **shape)(inputs))


def make(attack, directory, needles, classes):
    """Write one model into a directory."""
    if attack.format == "savedmodel":
        maker = bent if attack.name in bent.BENT else graphs
        maker.make(attack.name, directory / "model")
        return
    path = directory / f"model.{attack.format}"
    if attack.name in gadgets.CONFIGURATIONS | gadgets.WEIGHTS | gadgets.PACKAGES:
        gadgets.make(attack.name, path)
    else:
        acting(attack.name, attack.section, needles, classes).save(path)


def main(out, needles, classes):
    """Write them all."""
    for attack in HOSTILE_MODELS:
        directory = Path(out, attack.id, DIRECTORY[attack.section])
        directory.mkdir(parents=True)
        make(attack, directory, json.loads(needles), int(classes))


if __name__ == "__main__":
    main(*sys.argv[1:])
