"""Train a section's ladder of models on one seed's data and measure them as a grade would.

One frame in: {"contract", "metric", "batch", "seconds", "seed", "parts": [...], "work": [...]} and
the parts' bytes. A part is a "script" (dataset.py, a rung, the section's own metric.py), a "file"
or a "tree" (a tar archive) of the train set, or the "input" or "labels" of a hidden set. Work is
{"name", "script", "shuffled"}; a script of None looks at the data itself.

One frame out for each piece of work, as soon as it is done, with the end of what the script printed
as its body: {"kind": "measured", ...}, {"kind": "data", ...} or {"kind": "broken", "stage",
"words"}.

Everything that runs here is the code of the section's author, whom we trust: so labels may be in
the container, unlike in a grade. TensorFlow is imported once and no more than imported (nothing
that starts a thread); every script then runs in a forked child of its own. Models are loaded and
asked by `predictor.work`, and metrics are the scorer's own functions.
Runs on Python 3.9, numpy 1.22 and TensorFlow 2.9.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import runpy
import select
import shutil
import signal
import sys
import tarfile
import time
import traceback
import types
from pathlib import Path

import metrics
import numpy as np
import tensors
import wire
from contract import Fault
from look import look

MAX_BODY = 4 << 30
RESAMPLES = 400
INTERVAL = (2.5, 97.5)  # percentiles: a 95 % interval
SEED_OF_RESAMPLES = 20240501
LOG_KEPT = 64 << 10
PLACE = Path("/tmp/place")
LOG = Path("/tmp/log")


class Broken(Exception):
    """A script, or the model that it saved, did not work: at which stage, and its last words."""

    def __init__(self, stage, words):
        super().__init__(words)
        self.stage = stage
        self.words = words


def receive(stream):
    """Return the header, and the parts as {(kind, set, name): bytes or array}."""
    header, _ = wire.read_frame_start(stream, MAX_BODY)
    parts = {}
    for part in header["parts"]:
        content = wire.read_exactly(stream, part["bytes"])
        if part["kind"] in ("input", "labels"):
            content = tensors.decode(part, content)
        parts[part["kind"], part.get("set"), part["name"]] = content
    return header, parts


def train_files(parts):
    """Return {path: bytes} of all that the candidate gets, directories unpacked."""
    files = {}
    for (kind, _, name), content in parts.items():
        if kind == "file":
            files[name] = content
        elif kind == "tree":
            with tarfile.open(fileobj=io.BytesIO(content)) as tar:
                for member in tar.getmembers():
                    files[f"{name}/{member.name}"] = tar.extractfile(member).read()
    return files


def hidden(parts, which):
    """Return ({form: inputs}, labels) of a hidden set."""
    inputs = {name: a for (kind, of, name), a in parts.items() if (kind, of) == ("input", which)}
    return inputs, parts["labels", which, "labels"]


def script_module(parts, name):
    """Run a script of the section that is a module (dataset.py, metric.py) and return it."""
    module = types.ModuleType(name)
    code = parts["script", None, name].decode("utf-8")
    exec(compile(code, f"{name}.py", "exec"), module.__dict__)
    return module


# Children.


def in_child(work, stage, seconds):
    """Run `work()` in a forked child that prints to the log; return what it returned, as JSON does.

    Raises `Broken` when it raised, was killed, or took over `seconds`.
    """
    reading, writing = os.pipe()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        be_child(work, writing)
    os.close(writing)
    deadline = time.monotonic() + seconds
    told = b""
    try:
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([reading], [], [], left)[0]:
                raise Broken(stage, f"it took over {seconds:.0f} s")
            piece = os.read(reading, 1 << 16)
            if not piece:
                break
            told += piece
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # with whatever it has started itself
        _, status = os.waitpid(child, 0)
    if told:
        answer = json.loads(told.decode("utf-8"))
        if "value" in answer:
            return answer["value"]
        raise Broken(stage, answer["words"])
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status)
    if killed == signal.SIGKILL:
        raise Broken(stage, "it was killed, most likely because memory ran out")
    raise Broken(stage, f"it ended without a word (status {status})")


def be_child(work, writing):
    """Do the work, tell how it went, and end; never returns."""
    os.setsid()
    with LOG.open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    sys.stdout = sys.stderr = open(1, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
    try:
        answer = {"value": work()}
    except Fault as fault:
        answer = {"words": f"the grader would refuse the model: {fault.reason} {fault.detail}"}
    except BaseException as error:
        traceback.print_exc()
        answer = {"words": last_words(error)}
    sys.stdout.flush()
    view = memoryview(json.dumps(answer).encode("utf-8"))
    while view:
        view = view[os.write(writing, view) :]
    os._exit(0)


def last_words(error):
    """Return what was raised, and the line of the section's own script where it came from."""
    words = "".join(traceback.format_exception_only(type(error), error)).strip()
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith("/")]
    return f"line {own[-1].lineno} of {own[-1].filename}: {words}" if own else words


def run_script(name):
    """Run a script as `python NAME.py` would, in the current child and directory."""
    sys.path.insert(0, str(PLACE))
    sys.argv = [f"{name}.py"]
    os.chdir(PLACE)
    try:
        runpy.run_path(f"{name}.py", run_name="__main__")
    except SystemExit as done:
        if done.code not in (None, 0):
            raise


def saved():
    """Return format and name of what a script has left: before Keras 2.12 also a SavedModel."""
    if (PLACE / "model" / "saved_model.pb").is_file():
        return "savedmodel", "model"
    return "keras", "model.keras"


def predict(contract, batch, sets):
    """Let the grader's own code load the model and answer; return seconds by set.

    Predictions lie in PLACE/<set>.npy afterwards.
    """
    import predictor

    kind, root = saved()
    predictor.steady()
    seconds = {}
    for which, inputs in sets.items():
        header = {
            "model": {"format": kind, "root": root},
            "contract": contract,
            "batch": batch,
        }
        started = time.monotonic()
        reply, body = predictor.work(str(PLACE), header, inputs)
        seconds[which] = time.monotonic() - started
        array = np.frombuffer(body, dtype="<f4").reshape(reply["shape"])
        np.save(str(PLACE / f"{which}.npy"), array)
    return seconds


# Measuring.


def metric_of(header, parts):
    """Return the function that the scorer would use."""
    if ("script", None, "metric") in parts:
        return script_module(parts, "metric").metric
    return metrics.METRICS[header["metric"]]


def measure(metric, predictions, labels):
    """Return {"value", "low", "high"}: a metric and its bootstrap interval over rows.

    Percentile interval of `RESAMPLES` draws of as many rows with replacement, the same draws every
    time: Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13.
    """
    if not np.isfinite(predictions).all():
        raise Broken("predict", "the model's predictions are not all finite numbers")
    rows = len(labels)
    draw = np.random.Generator(np.random.PCG64(SEED_OF_RESAMPLES))
    values = []
    for _ in range(RESAMPLES):
        chosen = (draw.random(rows) * rows).astype(np.int64)
        values.append(float(metric(predictions[chosen], labels[chosen])))
    low, high = np.percentile(values, INTERVAL)
    value = float(metric(predictions, labels))
    if not math.isfinite(value):
        raise Broken("predict", f"the metric is {value}")
    return {"value": value, "low": float(low), "high": float(high)}


def train_and_measure(header, parts, files, work):
    """Return what is measured of one rung."""
    shutil.rmtree(PLACE, ignore_errors=True)
    if work["shuffled"]:
        dataset = script_module(parts, "dataset")
        if not hasattr(dataset, "shuffle_labels"):
            raise Broken("shuffle", "dataset.py has no function shuffle_labels")
        try:
            files = dataset.shuffle_labels(dict(files), bytes.fromhex(header["seed"]))
        except Exception as error:
            raise Broken("shuffle", f"shuffle_labels: {type(error).__name__}: {error}") from None
    for name, content in files.items():
        path = PLACE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    name = work["script"]
    (PLACE / f"{name}.py").write_bytes(parts["script", None, name])
    started = time.monotonic()
    in_child(lambda: run_script(name), "train", header["seconds"])
    seconds = time.monotonic() - started
    model = PLACE / saved()[1]
    if not model.exists():
        raise Broken("train", "it ended well and wrote no model.keras")
    sets = {which: hidden(parts, which) for which in ("probe", "final")}
    inputs = {which: forms for which, (forms, _) in sets.items()}
    predicting = in_child(
        lambda: predict(header["contract"], header["batch"], inputs), "predict", header["seconds"]
    )
    metric = metric_of(header, parts)
    told = {
        which: measure(metric, np.load(str(PLACE / f"{which}.npy")), labels)
        for which, (_, labels) in sets.items()
    }
    return {
        "kind": "measured",
        **told,
        "train_seconds": seconds,
        "predict_seconds": max(predicting.values()),
        "model_bytes": sum(path.stat().st_size for path in [model, *model.rglob("*")]),
    }


def main():
    """Do all the work that one request asks for."""
    # Now and not in the children, which would each take seconds for it.
    import predictor

    header, parts = receive(sys.stdin.buffer)
    files = train_files(parts)
    for work in header["work"]:
        LOG.write_bytes(b"")
        try:
            if work["script"] is None:
                sets = {which: hidden(parts, which) for which in ("probe", "final")}
                told = {"kind": "data", **look(sets, files)}
            else:
                told = train_and_measure(header, parts, files, work)
        except Broken as broken:
            told = {"kind": "broken", "stage": broken.stage, "words": broken.words[-4000:]}
        except Exception as error:
            traceback.print_exc()
            words = f"{type(error).__name__}: {error}"
            told = {"kind": "broken", "stage": "measure", "words": words[-4000:]}
        predictor.answer({"name": work["name"], **told}, LOG.read_bytes()[-LOG_KEPT:])
    os._exit(0)


if __name__ == "__main__":
    main()
