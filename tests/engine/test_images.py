"""What was cut from the images is missed by nobody who trains, saves, loads, converts or plots."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from pathlib import Path

import pytest

from exam_cli.config.edition import Edition
from exam_cli.engine.docker_client import client
from exam_cli.engine.port import ContainerSpec, Engine, Limits
from exam_cli.errors import OurFault
from exam_cli.images.base import ensure_base
from exam_cli.images.build import Images, architecture_of
from exam_cli.images.context import lay_out_context
from exam_cli.progress import SILENT

pytestmark = [pytest.mark.engine, pytest.mark.slow]

_SECONDS = 300.0
_GRADER = ("numpy", "keras", "h5py", "google.protobuf", "absl")
_WORKSPACE = ("scipy", "pandas", "sklearn", "matplotlib", "PIL", "joblib", "fontTools", "ipykernel")
_JUPYTER = ("jupyter_server", "jupyterlab", "nbformat", "tornado")
_PACKAGES = {"grader": _GRADER, "workspace": (*_GRADER, *_WORKSPACE, *_JUPYTER)}
# A script of SciPy's authors, which computes tables for its tests.
_MISSED = {"scipy.special.tests"}

_WALK = """
import contextlib, importlib, io, pkgutil, sys, warnings
warnings.simplefilter("ignore")
failed = {}
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + ".", onerror=failed.get):
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                importlib.import_module(module.name)
        except BaseException as error:
            failed[module.name] = error
for name, error in failed.items():
    print(name, type(error).__name__, error, sep="|")
"""
_WORK = """
import pathlib, tempfile
import keras, numpy, tensorflow as tf
place = pathlib.Path(tempfile.mkdtemp())
pictures = numpy.random.default_rng(0).random((16, 8, 8, 3), "float32")
model = keras.Sequential([
    keras.Input((8, 8, 3)),
    keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization(), keras.layers.MaxPooling2D(),
    keras.layers.SeparableConv2D(4, 2), keras.layers.GlobalAveragePooling2D(),
    keras.layers.Dropout(0.1), keras.layers.Dense(2, activation="softmax"),
])
model.compile("adam", keras.losses.MeanSquaredError(), jit_compile=True)
model.fit(pictures, numpy.ones((16, 2)), verbose=0, validation_split=0.5, callbacks=[
    keras.callbacks.EarlyStopping(), keras.callbacks.ModelCheckpoint(place / "best.keras"),
])
expected = model.predict(pictures, verbose=0)
for name in ("model.keras", "model.h5"):
    model.save(place / name)
    loaded = keras.models.load_model(place / name)
    numpy.testing.assert_allclose(loaded.predict(pictures, verbose=0), expected, atol=1e-5)
model.export(place / "saved", verbose=False)
served = tf.saved_model.load(place / "saved")
numpy.testing.assert_allclose(served.serve(pictures), expected, atol=1e-5)
lite = tf.lite.Interpreter(model_content=tf.lite.TFLiteConverter.from_keras_model(model).convert())
lite.allocate_tensors()
words = keras.layers.TextVectorization(output_sequence_length=4)
words.adapt(["a line of text", "another"])
for kind in (keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN):
    text = keras.Sequential([words, keras.layers.Embedding(9, 4), keras.layers.Bidirectional(
        kind(3)), keras.layers.Dense(1)])
    text.compile("sgd", "mse")
    rows = tf.data.Dataset.from_tensor_slices((["a line", "text"], [0.0, 1.0])).batch(2).prefetch(1)
    text.fit(rows, verbose=0)
attention = keras.layers.MultiHeadAttention(2, 4)
assert attention(tf.ones((1, 3, 4)), tf.ones((1, 3, 4))).shape == (1, 3, 4)
picture = tf.cast(pictures[0] * 255, tf.uint8)
assert tf.io.decode_png(tf.io.encode_png(picture)).shape == (8, 8, 3)
assert tf.io.decode_jpeg(tf.io.encode_jpeg(picture)).shape == (8, 8, 3)
assert tf.function(lambda x: tf.reduce_sum(x * x), jit_compile=True)(tf.ones(5)) == 5
assert tf.signal.stft(tf.ones(512), 128, 64).shape[0] == 7
"""
_BOARD = """
import pathlib, tempfile
import keras, numpy
place = pathlib.Path(tempfile.mkdtemp())
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
watch = keras.callbacks.TensorBoard(place, histogram_freq=1, write_images=True)
model.fit(numpy.ones((8, 2)), numpy.ones(8), verbose=0, callbacks=[watch])
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(str(place / "train"), {"tensors": 0}).Reload()
assert "epoch_loss" in events.Tags()["tensors"]
import tensorboard.main
"""


def run(engine: Engine, image: str, code: str, *arguments: str) -> str:
    """Run Python in a fresh container of an image; return what it printed. Fails if it fails."""
    spec = ContainerSpec(
        image=image,
        command=["python", "-c", code, *arguments],
        user="65534:65534",
        limits=Limits(4 << 30, 2, 512, tmpfs={"/tmp": 1 << 28}),
        labels={"exam.role": "test"},
        environment={"HOME": "/tmp", "TF_CPP_MIN_LOG_LEVEL": "3", "MPLBACKEND": "agg"},
    )
    container = engine.create(spec)
    output: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
    try:
        with engine.attach(container) as channel:
            engine.start(container)
            while (piece := channel.receive(_SECONDS)) is not None:
                output[piece[0]] += piece[1]
        state = engine.wait(container, 30)
    finally:
        with contextlib.suppress(Exception):
            engine.remove(container)
    assert state.exit_code == 0, output["stderr"].decode()[-4000:]
    return output["stdout"].decode()


def ended_with_3() -> set[str]:
    """Return the ids of the containers whose program ended so."""
    line = [client()[0], "ps", "--all", "--quiet", "--no-trunc", "--filter=exited=3"]
    return set(subprocess.run(line, capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("buildkit", ["0", "1"], ids=["classic builder", "BuildKit"])
def test_a_step_that_fails_is_told_in_its_own_words(
    docker_engine: Engine,
    edition_images: Images,
    buildkit: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_BUILDKIT", buildkit)
    before = ended_with_3()
    (tmp_path / "Dockerfile").write_text(
        "ARG BASE\nFROM ${BASE} AS broken\n"
        "RUN echo begins && echo 'dpkg: error: no such thing' >&2 && exit 3\n"
    )
    with pytest.raises(OurFault) as caught:
        list(docker_engine.build(tmp_path, "broken", "x:1", {"BASE": edition_images.grader}))
    assert str(caught.value) == "The image could not be built: dpkg: error: no such thing"
    assert not ended_with_3() - before, "a failed step's container is left"


@pytest.mark.parametrize("role", ["grader", "workspace"])
def test_models_are_trained_saved_loaded_and_converted(
    docker_engine: Engine, edition_images: Images, role: str
) -> None:
    run(docker_engine, getattr(edition_images, role), _WORK)


def test_tensorboard_sees_a_training(docker_engine: Engine, edition_images: Images) -> None:
    run(docker_engine, edition_images.workspace, _BOARD)


def test_both_stand_on_the_same_tensorflow(docker_engine: Engine, edition_images: Images) -> None:
    grader, workspace = (
        docker_engine.image(name) for name in (edition_images.grader, edition_images.workspace)
    )
    assert grader is not None and workspace is not None
    below = grader.layers[:-1]  # all but our own programs
    assert workspace.layers[: len(below)] == below
    assert len(set(grader.layers) | set(workspace.layers)) <= len(workspace.layers)


def test_a_changed_program_installs_no_wheel_again(
    docker_engine: Engine, edition_images: Images, edition: Edition, tmp_path: Path
) -> None:
    architecture = architecture_of(docker_engine)
    base = ensure_base(docker_engine, edition, architecture, SILENT)
    lay_out_context(tmp_path, docker_engine, edition, architecture, base, SILENT)
    arguments = {"BASE": base, "EPOCH": str(edition.epoch)}
    tag = f"exam-test-{os.getpid()}"
    try:
        list(docker_engine.build(tmp_path, "grader", tag, arguments))  # if the cache was cleared
        with (tmp_path / "programs" / "predictor.py").open("a") as file:
            file.write("# changed\n")
        log = "\n".join(docker_engine.build(tmp_path, "grader", tag, arguments))
        changed, grader = docker_engine.image(tag), docker_engine.image(edition_images.grader)
    finally:
        docker_engine.remove_image(tag)
    wheels = re.search(r"^#(\d+) \[tensorflow-build .*install-wheels$", log, re.MULTILINE)
    if wheels is None:
        pytest.skip("the classic builder tells in other words what it took from its cache")
    assert f"#{wheels[1]} CACHED" in log
    assert changed is not None and grader is not None
    # Layers repeat: the same digests, whoever built them.
    assert changed.layers[:-1] == grader.layers[:-1] and changed.layers[-1] != grader.layers[-1]


@pytest.mark.parametrize("role", _PACKAGES)
def test_every_module_finds_what_it_imports(
    docker_engine: Engine, edition_images: Images, role: str
) -> None:
    """Modules may lack pytest, Qt or another operating system, but nothing of their own."""
    packages = _PACKAGES[role]
    printed = run(docker_engine, getattr(edition_images, role), _WALK, *packages)
    missing = set(re.findall(r"No module named '([^']+)'", printed))
    assert "torch" in missing  # the walk does see what fails
    own = {name for name in missing if name.split(".")[0] in packages}
    assert own <= _MISSED
