"""The whole road of a grade, with small programs in the predictor's and the scorer's place.

The engine is the fake: real processes, pipes and exit codes, but nothing of TensorFlow. The scorer
is the real one. Whatever happens, the verdict says who broke, and no container stays behind.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from exam_cli.config.edition import programs
from exam_cli.config.section import Section
from exam_cli.engine.fake import FakeEngine
from exam_cli.engine.port import ContainerSpec, Events
from exam_cli.grading import box, courtesy, predictor, scorer
from exam_cli.grading.announce import announce
from exam_cli.grading.environment import CLAIMED, Environment
from exam_cli.grading.grade import check, grade
from exam_cli.grading.intake import Submission, take
from exam_cli.grading.served import Server, Serving
from exam_cli.grading.verdict import Measured, Verdict
from exam_cli.paths import data_dir
from exam_cli.sections.catalog import shipped_section
from exam_cli.sections.vault import DataSet, Tensor
from tests.grading.conftest import keras_bytes
from tests.programs.conftest import load

ROWS = 8
OTHERS = [("4-nlp", shipped_section(4).contract)]
WORDS = "Xyzzy"  # what programs print; no verdict may repeat it

# What every predictor in these tests begins with.
PRELUDE = f"""
import os, sys, time
import wire

request = None

def answer(header, body=b""):
    header = {{"token": request.header["token"], **header}}
    view = memoryview(wire.frame_bytes(header, body))
    while view:
        view = view[os.write(1, view):]

def ready(**more):
    global request
    request = wire.read_frame(sys.stdin.buffer, 1 << 30)
    versions = {{"python": "3.11.2", "tensorflow": "2.21.0", "keras": "3.15.1", **more}}
    answer({{"kind": "received", **versions}})

def inputs():
    import tensors
    model = sum(file["bytes"] for file in request.header["model"]["files"])
    return tensors.decode_all(request.header["tensors"], request.body[model:])["features"]

def predictions(array, **told):
    array = np.asarray(array, dtype="<f4")
    header = {{"kind": "predictions", "dtype": "float32", "shape": list(array.shape), **told}}
    answer(header, array.tobytes())

def say(text="{WORDS}"):
    sys.stderr.write(text)
    sys.stderr.flush()
"""
# What is printed in the very moment of the answer may stay unheard: leave it a moment.
GOOD = "ready(); say(); time.sleep(0.05); predictions(inputs()[:, :1])"


@dataclass
class Hall:
    """A place to grade in: the model, the task, the hidden set, and the programs' folder."""

    engine: FakeEngine
    environment: Environment
    submission: Submission
    section: Section
    data: DataSet
    folder: Path

    def hurry(self) -> None:
        """Leave a model one second; others get their minute, however busy this machine is."""
        limits = replace(self.section.limits, predict_seconds=1)
        self.section = replace(self.section, limits=limits)

    def grade(
        self, predictor: str = GOOD, scorer: str | None = None, serving: Serving | None = None
    ) -> Verdict:
        """Grade with a program in the predictor's place and, if given, one in the scorer's."""
        self._install(predictor, scorer)
        return grade(self.submission, self.section, self.data, self.environment, OTHERS, serving)

    def own_metric(self, code: str) -> None:
        """Give the section a metric of its own."""
        folder = self.folder.parent / "section"
        folder.mkdir(exist_ok=True)
        (folder / "metric.py").write_text(code)
        self.measured_by("largest", file="metric.py", folder=folder)

    def measured_by(self, name: str, file: str | None = None, folder: Path | None = None) -> None:
        """Have the section measured by another metric, lower is better."""
        metric = replace(self.section.metric, name=name, file=file)
        self.section = replace(self.section, metric=metric, folder=folder or self.section.folder)

    def check(self, predictor: str) -> Verdict:
        """Check, on inputs without labels, with a program in the predictor's place."""
        self._install(predictor, "sys.exit('nothing is scored in a check')")
        sample = replace(self.data, name="sample", labels=None)
        return check(self.submission, self.section, sample, self.environment, OTHERS)

    def _install(self, predictor: str, scorer: str | None) -> None:
        slow = "import numpy as np\n" if "predictions(" in predictor else ""
        (self.folder / "predictor.py").write_text(slow + PRELUDE + predictor)
        if scorer is not None:
            (self.folder / "scorer.py").write_text(PRELUDE + scorer)


@pytest.fixture(scope="module")
def tensors() -> ModuleType:
    return load("tensors")


@pytest.fixture
def data(tmp_path: Path, tensors: ModuleType) -> DataSet:
    """Eight rows whose label is their first feature and a hundred."""
    features = np.arange(ROWS * 9, dtype=np.float32).reshape(ROWS, 9)

    def stored(name: str, array: np.ndarray[Any, Any]) -> Tensor:
        description, body = tensors.encode(name, array)
        path = tmp_path / f"{name}.bin"
        path.write_bytes(body)
        return Tensor(description, path)

    inputs = (stored("features", features),)
    return DataSet("probe", "f" * 64, ROWS, inputs, stored("labels", features[:, :1] + 100))


@pytest.fixture
def hall(section: Section, place: Path, tmp_path: Path, data: DataSet) -> Iterator[Hall]:
    folder = tmp_path / "programs"
    folder.mkdir()
    for path in programs():
        (folder / path.name).write_bytes(path.read_bytes())

    def stand_in(spec: ContainerSpec) -> Sequence[str]:
        program, *arguments = spec.command[spec.command.index("-su") + 1 :]
        assert Path(program).name in ("predictor.py", "scorer.py")
        return [sys.executable, "-sE", str(folder / Path(program).name), *arguments]

    (place / "model.keras").write_bytes(keras_bytes())
    engine = FakeEngine(known={"test:grader"}, program=stand_in)
    yield Hall(
        engine,
        Environment(engine, "test:grader", "tf2.21", "cpu", "2.21.0", "3.15.1"),
        take(section, place.parent, tmp_path / "snapshots"),
        replace(section, bands=(900, 650, 500, 400, 100)),
        data,
        folder,
    )
    assert engine.find({}) == [], "no container may stay behind"


def failed(verdict: Verdict, reason: str) -> str:
    """Check that we are to blame and return the sentence."""
    assert (verdict.status, verdict.reason) == ("failed", reason), verdict.message
    assert verdict.score is None and verdict.measured is None
    return shown(verdict)


def rejected(verdict: Verdict, reason: str) -> str:
    """Check that the model is to blame and return the sentence."""
    assert (verdict.status, verdict.reason) == ("rejected", reason), verdict.message
    assert verdict.score == 0 and verdict.measured is None
    return shown(verdict)


def shown(verdict: Verdict) -> str:
    assert WORDS not in verdict.message
    assert verdict.message.isprintable() and 10 < len(verdict.message) < 500
    return verdict.message


# --- a model that answers


def test_a_good_model_is_scored(hall: Hall) -> None:
    verdict = hall.grade()
    assert (verdict.status, verdict.reason, verdict.score) == ("scored", None, 5)
    assert verdict.measured is not None
    assert (verdict.measured.name, verdict.measured.value) == ("mae", 100.0)
    assert verdict.message == "Scored 5 of 5."
    assert verdict.printed == WORDS.encode()
    assert verdict.environment["python"] == "3.11.2" and verdict.environment["image"]
    assert verdict.seconds_predict is not None
    assert 0 < verdict.seconds_predict < verdict.seconds_total


def test_the_verdict_has_all_that_its_json_promises(hall: Hall) -> None:
    told = hall.grade("ready(); predictions(inputs()[:, :1] + 700)").as_json(3)
    assert list(told) == [
        "section", "slug", "verdict", "reason", "message", "score", "max_score", "metric", "set",
        "attempt", "model", "environment", "isolation", "seconds", "warm",
    ]  # fmt: skip
    assert told["metric"] == {
        "name": "mae",
        "value": 600.0,
        "next_band": {"score": 3, "threshold": 500},
        "noise": 0.0,
        "borderline": False,
    }
    assert (told["score"], told["max_score"], told["attempt"]) == (2, 5, 3)
    assert told["set"] == {"name": "probe", "sha256": "f" * 64}
    assert told["model"]["sha256"] == hall.submission.record.sha256
    assert set(told["environment"]) == {
        "edition", "variant", "image", "digest", "lock_sha256", "tensorflow", "python",
    }  # fmt: skip
    assert told["isolation"] == {"runtime": "runc", "network": "none"}
    assert set(told["seconds"]) == {"total", "predict"}


def test_one_row_of_thousands_cannot_be_read_from_the_metric() -> None:
    told = [
        Measured("mae", value, None, "lower", None, None).told_value
        for value in (3111.74025, 3111.51525, 0.91234567)  # the first two: one label of 900 more
    ]
    assert told == [3112.0, 3112.0, 0.9123]


def test_the_same_model_gets_the_same_score(hall: Hall) -> None:
    first, second = hall.grade(), hall.grade()
    assert first.measured == second.measured and first.score == second.score


def test_the_walls_are_asked_for(hall: Hall) -> None:
    hall.grade()
    assert sorted(spec.labels["exam.role"] for spec in hall.engine.created) == [
        "predictor",
        "scorer",
    ]
    for spec in hall.engine.created:
        assert spec.network == "none" and spec.read_only and not spec.mounts and not spec.ports
        assert spec.user == "65534:65534" and not spec.keep_log and spec.stdin
        assert spec.limits.memory_bytes and spec.limits.cpus and spec.limits.processes
        assert spec.limits.open_files and list(spec.limits.tmpfs) == ["/tmp"]


def test_labels_go_to_the_scorer_alone(hall: Hall) -> None:
    heard_file = str(hall.folder / "heard")
    verdict = hall.grade(
        f"ready(); open({heard_file!r}, 'wb').write(repr(request.header).encode() + request.body);"
        "predictions(np.zeros((8, 1)))"
    )
    assert verdict.status == "scored"
    assert hall.data.labels is not None
    heard = (hall.folder / "heard").read_bytes()
    assert len(heard) > 60 and hall.data.labels.path.read_bytes() not in heard
    assert b"labels" not in heard


# --- models that do not


@pytest.mark.parametrize(
    ("program", "reason", "said"),
    [
        ("ready(); sys.exit(7)", "crashed", "exit status 7"),
        ("ready(); sys.exit(0)", "crashed", "exit status 0"),
        ("ready(); os.abort()", "crashed", "exit status 134"),
        ("ready(); raise ValueError('Xyzzy')", "crashed", "exit status 1"),
        ("ready(); os.write(1, b'hello, this is Xyzzy')", "crashed", "could not be read"),
        ("ready(); os.write(1, b'EXAM')", "crashed", "exit status 0"),
        (
            "ready(); os.write(1, wire.PREFIX.pack(b'EXAM', 5, 0) + b'Xyzzy')",
            "crashed",
            "could not be read",
        ),
        ("ready(); predictions(np.zeros((9, 1)))", "output_overflow", "print less"),
        (
            "ready(); os.write(1, wire.PREFIX.pack(b'EXAM', 1 << 31, 0))",
            "output_overflow",
            "print less",
        ),
        ("ready(); os.write(1, wire.PREFIX.pack(b'EXAM', 2, 1 << 63))", "output_overflow", "less"),
        (f"ready(); [say('{WORDS}' * 10000) for _ in range(400)]", "output_overflow", "less"),
        ("ready(); time.sleep(60)", "timeout", "longer than the 1 s"),
        (
            "ready()\nfor n in range(600): os.write(1, b'EXAM'[n:n+1]); time.sleep(0.1)",
            "timeout",
            "longer than the 1 s",
        ),
        ("ready()\nwhile True: say('Xyzzy'); time.sleep(0.05)", "timeout", "longer than the 1 s"),
        ("ready(); predictions(np.zeros((7, 1)))", "wrong_output", "agreed shape"),
        ("ready(); predictions(np.zeros((1, 8)))", "wrong_output", "agreed shape"),
        ("ready(); predictions(np.zeros((7, 1)), shape=[8, 1])", "wrong_output", "agreed shape"),
        ("ready(); predictions(np.zeros((8, 1)), shape='Xyzzy')", "wrong_output", "agreed shape"),
        ("ready(); predictions(np.zeros((8, 1)), dtype='S4')", "wrong_output", "agreed shape"),
        ("ready(); predictions(np.zeros((8, 1)), kind='scored')", "wrong_output", "agreed shape"),
        ("ready(); answer({'kind': 'metric', 'value': 0.0})", "wrong_output", "agreed shape"),
        ("ready(); predictions(np.zeros((8, 1)), token='')", "crashed", "could not be read"),
        ("ready(); predictions(np.full((8, 1), np.nan))", "not_finite", "8 of the predicted"),
        ("ready(); predictions([[np.inf]] + [[0.0]] * 7)", "not_finite", "1 of the predicted"),
        ("ready(); answer({'kind': 'fault', 'reason': 'load_failed'})", "load_failed", "load"),
        ("ready(); answer({'kind': 'fault', 'reason': 'Xyzzy'})", "crashed", "raised an error"),
        ("ready(); answer({'kind': 'fault', 'reason': 'internal'})", "crashed", "raised an error"),
        ("ready(); answer({'kind': 'fault', 'reason': ['Xyzzy']})", "crashed", "raised an error"),
        (
            "ready(); answer({'kind': 'fault', 'reason': 'wrong_input', 'detail': {'got': "
            "{'dtype': ['Xyzzy'], 'shape': [3]}}})",
            "wrong_input",
            "unknown (3,)",
        ),
        (
            "ready(); answer({'kind': 'fault', 'reason': 'out_of_memory'})",
            "out_of_memory",
            "3072 MB",
        ),
    ],
)
def test_the_model_is_to_blame(hall: Hall, program: str, reason: str, said: str) -> None:
    if reason == "timeout":
        hall.hurry()
    verdict = hall.grade(program)
    assert said in rejected(verdict, reason)
    assert verdict.seconds_predict is not None and verdict.seconds_predict < 20
    assert verdict.environment["python"] == "3.11.2"


def test_a_model_that_closes_its_streams_and_goes_on_is_to_blame(hall: Hall) -> None:
    hall.hurry()
    rejected(hall.grade("ready(); os.close(1); os.close(2); time.sleep(60)"), "timeout")


def test_a_model_that_is_killed_from_outside_is_not_to_blame(hall: Hall) -> None:
    failed(hall.grade("ready(); os.kill(os.getpid(), 9)"), "internal")


def test_what_is_printed_is_kept_but_not_all_of_it(hall: Hall) -> None:
    verdict = hall.grade(f"ready(); say('{WORDS}' * (1 << 18)); predictions(inputs()[:, :1])")
    assert verdict.status == "scored"
    assert len(verdict.printed) == 64 << 10 and verdict.printed.startswith(WORDS.encode())


def test_a_file_that_is_no_model_never_meets_a_container(
    hall: Hall, place: Path, tmp_path: Path
) -> None:
    (place / "model.keras").write_text("no model")
    hall.submission = take(hall.section, place.parent, tmp_path / "snapshots")
    verdict = hall.grade()
    rejected(verdict, "not_a_model")
    assert hall.engine.created == [] and verdict.seconds_predict is None


# --- what is said beside


TOOK = "took=[9, 1], gave=[]"


def test_shapes_that_were_made_to_fit_are_said(hall: Hall) -> None:
    program = f"ready(); predictions(inputs()[:, :1], {TOOK})"
    for verdict in (hall.grade(program), hall.check(program)):
        assert verdict.remarks == (
            "The model takes (rows, 9, 1): the rows were given that shape.",
            "The model returns (rows,): that was taken as (rows, 1).",
        )
        assert verdict.message.endswith(" ".join(verdict.remarks))


def test_shapes_that_cannot_be_are_not(hall: Hall) -> None:
    for told in ("took=[8, 1], gave=[31337]", "took='Xyzzy', gave={'a': 1}", "took=[9] * 99"):
        verdict = hall.grade(f"ready(); predictions(inputs()[:, :1], {told})")
        assert verdict.status == "scored" and verdict.remarks == ()
        assert "31337" not in shown(verdict)


def test_a_model_for_another_section_is_told_so(hall: Hall) -> None:
    got = "{'dtype': 'int32', 'shape': [None, 40]}"
    program = (
        f"ready(); answer({{'kind': 'fault', 'reason': 'wrong_input', 'detail': {{'got': {got}}}}})"
    )
    for verdict in (hall.grade(program), hall.check(program)):
        assert "looks like a model for section 4." in rejected(verdict, "wrong_input")


def test_noise_comes_with_the_metric(hall: Hall) -> None:
    # Errors of 10, 20, ... 80: their mean is 45, its standard error 23 / sqrt(8).
    program = "ready(); predictions(inputs()[:, :1] + 100 + 10 * np.arange(1, 9)[:, None])"
    verdict = hall.grade(program)
    assert verdict.measured is not None and verdict.measured.noise is not None
    assert verdict.measured.value == 45 and 6 < verdict.measured.noise < 10
    assert not verdict.measured.borderline
    hall.section = replace(hall.section, bands=(900, 650, 500, 49, 40))
    verdict = hall.grade(program)
    assert verdict.score == 4 and verdict.measured is not None and verdict.measured.borderline
    assert "4 of 5; 5 needs mae at most 40. That is borderline" in verdict.message


# --- a section's own metric


LARGEST = """
import numpy as np
print("Xyzzy")

def metric(predictions, labels):
    return np.abs(predictions - labels).max()
"""


def test_a_section_s_own_metric(hall: Hall) -> None:
    hall.own_metric(LARGEST)
    verdict = hall.grade()
    assert verdict.status == "scored" and verdict.measured is not None
    assert (verdict.measured.name, verdict.measured.value) == ("largest", 100.0)


@pytest.mark.parametrize(
    "code",
    [
        "",
        "def metric(",
        "import nothing_of_the_kind",
        "def metric(predictions, labels): return float('nan')",
        "def metric(predictions, labels): return float('inf')",
        "def metric(predictions, labels): raise ValueError('Xyzzy')",
        "def metric(predictions, labels): raise SystemExit(0)",
        "def metric(predictions, labels): import os; os._exit(0)",
    ],
)
def test_a_section_s_own_metric_that_fails_is_our_failure(hall: Hall, code: str) -> None:
    hall.own_metric(code)
    said = failed(hall.grade(), "scorer_error")
    assert "The section's own metric, metric.py, failed: tell whoever wrote section 1" in said


def test_a_section_s_own_metric_that_is_not_there_is_our_failure(hall: Hall) -> None:
    hall.measured_by("largest", file="metric.py", folder=hall.folder)
    failed(hall.grade(), "scorer_error")


def test_a_section_s_own_metric_never_sees_what_is_not_finite(hall: Hall) -> None:
    hall.own_metric(LARGEST)
    rejected(hall.grade("ready(); predictions(np.full((8, 1), np.nan))"), "not_finite")


# --- probabilities


def of_classes(hall: Hall, tensors: ModuleType) -> None:
    """Ask for the probability of class 1."""
    hall.measured_by("log_loss")
    assert hall.data.labels is not None
    description, body = tensors.encode("labels", np.arange(ROWS, dtype=np.int32) % 2)
    hall.data.labels.path.write_bytes(body)
    hall.data.labels.description.update(description)


@pytest.mark.parametrize("value", ["7.0", "-0.5"])
def test_logits_are_told_where_probabilities_are_needed(
    hall: Hall, tensors: ModuleType, value: str
) -> None:
    of_classes(hall, tensors)
    program = f"ready(); predictions(np.full((8, 1), {value}))"
    graded, checked = hall.grade(program), hall.check(program)
    assert "add a sigmoid" in rejected(graded, "wrong_output")
    assert rejected(checked, "wrong_output") == graded.message


def test_probabilities_are_scored(hall: Hall, tensors: ModuleType) -> None:
    of_classes(hall, tensors)
    verdict = hall.grade("ready(); predictions(np.full((8, 1), 0.5))")
    assert verdict.measured is not None
    assert verdict.measured.value == pytest.approx(0.6931, abs=1e-4)


# --- a check


def test_a_check_of_a_good_model_has_no_score(hall: Hall) -> None:
    verdict = hall.check(GOOD)
    assert (verdict.status, verdict.reason, verdict.score) == ("fits", None, None)
    assert verdict.measured is None and verdict.set_name == "sample"
    assert [spec.labels["exam.role"] for spec in hall.engine.created] == ["predictor"]
    assert WORDS not in verdict.message and verdict.printed == WORDS.encode()


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("ready(); sys.exit(1)", "crashed"),
        ("ready(); predictions(np.zeros((8, 2)))", "output_overflow"),
        ("ready(); predictions(np.zeros((1, 8)))", "wrong_output"),
        ("ready(); predictions([[np.nan]] + [[0.0]] * 7)", "not_finite"),
        ("ready(); answer({'kind': 'fault', 'reason': 'load_failed'})", "load_failed"),
    ],
)
def test_a_check_blames_as_a_grade_does(hall: Hall, program: str, reason: str) -> None:
    graded, checked = hall.grade(program), hall.check(program)  # a check breaks the scorer
    assert rejected(checked, reason) == rejected(graded, reason)


def test_a_check_without_an_engine_is_our_failure(hall: Hall) -> None:
    hall.engine.reachable = False
    failed(hall.check(GOOD), "engine_unreachable")
    hall.engine.reachable = True


# --- we are to blame


@pytest.mark.parametrize(
    "program",
    [
        "sys.exit(3)",
        f"say(); raise ImportError('{WORDS}')",
        "os.kill(os.getpid(), 9)",
        "os.write(1, b'garbage, garbage, garbage')",
        "answer({'kind': 'fault', 'reason': 'crashed'})",
        "answer({'kind': 'received'}, b'with a body')",
        f"[say('{WORDS}' * 10000) for _ in range(400)]",
    ],
)
def test_a_grader_that_does_not_start_is_our_failure(hall: Hall, program: str) -> None:
    verdict = hall.grade(program)
    assert "try again" in failed(verdict, "internal")
    assert verdict.seconds_predict is None


def test_a_grader_that_never_gets_ready_is_our_failure(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictor, "_RECEIVED_SECONDS", 0.5)
    assert "overloaded" in failed(hall.grade("time.sleep(60)"), "internal")


@pytest.mark.parametrize(
    "program",
    [
        "sys.exit(1)",
        "os.kill(os.getpid(), 9)",
        "os.write(1, b'garbage, garbage, garbage')",
        "wire.read_frame(sys.stdin.buffer, 1 << 30); sys.exit(0)",
        "answer({'kind': 'metric', 'name': 'mae', 'value': float('nan')})",
        "answer({'kind': 'metric', 'name': 'mae', 'value': float('inf')})",
        "answer({'kind': 'metric', 'name': 'mae', 'value': None})",
        "answer({'kind': 'metric', 'name': 'mae', 'value': '0.0'})",
        "answer({'kind': 'metric', 'name': 'mae', 'value': True})",
        "answer({'kind': 'metric', 'name': 'mae'})",
        "answer({'kind': 'fault', 'reason': 'anything else'})",
        "answer({'kind': 'metric', 'value': 0.0}, b'body')",
    ],
)
def test_a_scorer_that_breaks_is_our_failure_and_never_a_score(hall: Hall, program: str) -> None:
    verdict = hall.grade(GOOD, scorer=program)
    assert "try again" in failed(verdict, "scorer_error")
    assert verdict.printed == WORDS.encode()


def test_a_scorer_that_hangs_is_our_failure(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorer, "_SECONDS", 0.5)
    failed(hall.grade(GOOD, scorer="time.sleep(60)"), "scorer_error")


def test_a_bad_model_is_told_even_when_the_scorer_is_broken_too(hall: Hall) -> None:
    rejected(hall.grade("ready(); sys.exit(7)", scorer="sys.exit(1)"), "crashed")


def test_hidden_data_that_does_not_fit_is_our_failure(hall: Hall, tensors: ModuleType) -> None:
    assert hall.data.labels is not None
    description, body = tensors.encode("labels", np.zeros((ROWS - 1, 1), np.float32))
    hall.data.labels.path.write_bytes(body)
    hall.data.labels.description.update(description)
    failed(hall.grade(), "scorer_error")


def test_a_missing_image_is_our_failure(hall: Hall) -> None:
    hall.engine.known.clear()
    assert "`exam up` builds it" in failed(hall.grade(), "image_missing")


def test_no_engine_is_our_failure(hall: Hall) -> None:
    hall.engine.reachable = False
    assert "No container engine answers" in failed(hall.grade(), "engine_unreachable")
    hall.engine.reachable = True


@pytest.mark.parametrize(
    "program", [GOOD.replace("ready();", "ready(); time.sleep(0.6);"), "ready(); time.sleep(60)"]
)
def test_an_engine_that_dies_meanwhile_is_our_failure(hall: Hall, program: str) -> None:
    engine = hall.engine
    stand_in: Callable[[ContainerSpec], Sequence[str]] = engine.program

    def and_then_the_engine_dies(spec: ContainerSpec) -> Sequence[str]:
        if spec.command[-1].endswith("predictor.py"):
            threading.Timer(0.3, lambda: setattr(engine, "reachable", False)).start()
        return stand_in(spec)

    engine.program = and_then_the_engine_dies
    hall.hurry()
    failed(hall.grade(program), "engine_unreachable")
    engine.reachable = True
    for state in engine.find({}):  # those that nobody could remove
        engine.remove(state.id)


def test_an_interrupt_leaves_no_container(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(box.Box, "send", interrupted)
    with pytest.raises(KeyboardInterrupt):
        hall.grade()


# --- several grades from one import


SERVED = "serving = '--serve' in sys.argv\nwhile serving: ready(); predictions(inputs()[:, :1])\n"


@pytest.fixture
def served(hall: Hall) -> Iterator[Serving]:
    """What serves one candidate; the program in the predictor's place must know both roads."""
    with (
        Server(hall.environment, "predictor") as predictor,
        Server(hall.environment, "scorer") as scorer,
    ):
        yield Serving(predictor, scorer, lambda: False)


def started(hall: Hall) -> list[str]:
    """Return the role and the last argument of all containers that there were."""
    ends = (f"{one.labels['exam.role']} {one.command[-1]}" for one in hall.engine.created)
    return sorted(end.split("/")[0].strip() for end in ends)


def test_a_served_model_gets_the_verdict_of_one_that_is_graded_alone(
    hall: Hall, served: Serving
) -> None:
    program = SERVED + GOOD
    alone = hall.grade(program)
    hall.engine.created.clear()
    verdicts = [hall.grade(program, serving=served) for _ in range(3)]
    for verdict in verdicts:
        assert verdict.status == "scored" and verdict.measured == alone.measured
        assert verdict.predictions_sha256 == alone.predictions_sha256
        assert verdict.environment == alone.environment
    assert started(hall) == ["predictor --serve", "scorer --serve"]


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("ready(); sys.exit(7)", "crashed"),
        ("ready(); os.write(1, b'hello, this is Xyzzy')", "crashed"),
        ("ready(); answer({'kind': 'fault', 'reason': 'load_failed'})", "load_failed"),
        ("ready(); predictions(np.full((8, 1), np.nan))", "not_finite"),
        ("ready(); time.sleep(60)", "timeout"),
    ],
)
def test_a_fault_is_told_by_a_container_of_its_own(
    hall: Hall, served: Serving, program: str, reason: str
) -> None:
    if reason == "timeout":
        hall.hurry()
    sentence = rejected(hall.grade(program), reason)
    hall.engine.created.clear()
    assert rejected(hall.grade(program, serving=served), reason) == sentence
    assert "predictor" in started(hall), "the evidence is that of a container used once"


@pytest.mark.parametrize(
    "more",
    [
        "answer({'kind': 'received', 'python': 'Xyzzy'}); predictions(np.zeros((8, 1)))",
        "os.write(1, b'Xyzzy' * 99)",
        "os.write(1, wire.PREFIX.pack(b'EXAM', 2, 0))",
        "sys.exit(0)",
    ],
)
def test_what_is_written_ahead_is_no_answer_to_the_next_question(
    hall: Hall, served: Serving, more: str
) -> None:
    program = f"if '--serve' in sys.argv: ready(); predictions(inputs()[:, :1]); {more}\n"
    first = hall.grade(program + GOOD, serving=served)
    second = hall.grade(program + GOOD, serving=served)
    assert first.measured == second.measured and first.status == second.status == "scored"
    assert second.environment["python"] == "3.11.2"


def test_a_scorer_that_fails_is_replaced(hall: Hall, served: Serving) -> None:
    real = (hall.folder / "scorer.py").read_text()
    broken = real.replace("def main():", "def main():\n    '--serve' in sys.argv and sys.exit(1)\n")
    (hall.folder / "scorer.py").write_text(broken)
    verdict = hall.grade(SERVED + GOOD, serving=served)
    assert verdict.status == "scored" and "scorer --serve" in started(hall)


def test_a_section_with_other_caps_gets_another_container(
    hall: Hall, served: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hall.grade(SERVED + GOOD, serving=served).status == "scored"
    monkeypatch.setattr(predictor, "_TMPFS", 512 << 20)
    assert hall.grade(SERVED + GOOD, serving=served).status == "scored"
    sizes = [
        one.limits.tmpfs["/tmp"]
        for one in hall.engine.created
        if one.labels["exam.role"] == "predictor"
    ]
    assert sizes == [256 << 20, 512 << 20]


def test_once_stopped_nothing_is_begun(hall: Hall) -> None:
    with (
        Server(hall.environment, "predictor") as predictor,
        Server(hall.environment, "scorer") as scorer,
    ):
        program = "ready(); sys.exit(1)"
        failed(hall.grade(program, serving=Serving(predictor, scorer, lambda: True)), "internal")
    assert started(hall) == ["predictor --serve"]


# --- beside others


@pytest.mark.parametrize(("seconds", "cores"), [(0.0, 2.0), (0.6, 1.0)])
def test_a_model_that_is_not_brisk_goes_on_behind_others_with_half_of_the_machine(
    seconds: float, cores: float, hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(box, "BRISK_SECONDS", 0.3)
    found: list[float] = []

    def noted(container: str, cpus: float) -> None:
        found.append(cpus)

    monkeypatch.setattr(hall.engine, "put_behind", noted)
    program = f"ready(); time.sleep({seconds}); predictions(inputs()[:, :1])"
    assert hall.grade(program).status == "scored"
    assert found == ([] if cores == 2.0 else [cores])


def test_a_slow_model_stands_still_for_a_brisk_one_and_is_given_the_time_back(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes longer than its limit, but a neighbour was brisk for most of it."""
    monkeypatch.setattr(box, "BRISK_SECONDS", 0.1)
    monkeypatch.setattr(courtesy, "_MOST_HELD", 1.0)
    caps: list[float] = []
    beside: list[str] = []
    listen, role = hall.engine.listen, "predictor"

    def neighbour_comes(labels: Mapping[str, str]) -> Events:
        events = listen(labels)
        (one, *_) = (spec for spec in hall.engine.created if spec.labels["exam.role"] == role)
        beside.append(hall.engine.create(replace(one, name=f"{CLAIMED}other")))
        hall.engine.start(beside[0])
        return events

    hall.hurry()
    slow = "ready(); time.sleep(1.5); predictions(inputs()[:, :1])"
    assert hall.grade(slow).reason == "timeout"
    monkeypatch.setattr(hall.engine, "put_behind", lambda container, cpus: caps.append(cpus))
    monkeypatch.setattr(hall.engine, "listen", neighbour_comes)
    assert hall.grade(slow).status == "scored"
    hall.engine.remove(beside[0])
    assert caps == [1.0, 0.02, 1.0], "behind others, still, and free to end"


def test_a_slow_model_stands_still_for_a_grade_that_was_announced(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(box, "BRISK_SECONDS", 0.1)
    monkeypatch.setattr(courtesy, "_MOST_HELD", 1.0)
    caps: list[float] = []
    hall.hurry()
    slow = "ready(); time.sleep(1.5); predictions(inputs()[:, :1])"
    data_dir().mkdir(parents=True)
    announce()
    assert hall.grade(slow).reason == "timeout", "that was before, perhaps its own"

    def neighbour_comes(container: str, cpus: float) -> None:
        caps.append(cpus)
        if len(caps) == 1:
            threading.Timer(0.2, announce).start()

    monkeypatch.setattr(hall.engine, "put_behind", neighbour_comes)
    assert hall.grade(slow).status == "scored"
    assert caps == [1.0, 0.02, 1.0]


# --- on a GPU

ON_GPU = GOOD.replace("ready()", "ready(gpus=['NVIDIA H200'])")


@pytest.fixture
def gpu_hall(hall: Hall) -> Hall:
    """The same, graded on a GPU."""
    hall.engine.gpu_trouble = None
    hall.environment = replace(hall.environment, variant="gpu")
    return hall


def test_a_model_that_is_graded_on_a_gpu_gets_it_and_the_scorer_does_not(gpu_hall: Hall) -> None:
    verdict = gpu_hall.grade(ON_GPU)
    assert (verdict.status, verdict.score) == ("scored", 5), verdict.message
    assert verdict.environment["variant"] == "gpu" and not verdict.warm
    assert verdict.hardware is not None and verdict.hardware["gpus"] == ["NVIDIA H200"]
    specs = {spec.labels["exam.role"]: spec for spec in gpu_hall.engine.created}
    assert specs["predictor"].gpus and not specs["scorer"].gpus
    assert specs["predictor"].environment["TF_DETERMINISTIC_OPS"] == "1"
    assert "NVIDIA_VISIBLE_DEVICES" not in specs["scorer"].environment
    for spec in specs.values():  # the walls are those of any grade
        assert spec.network == "none" and spec.read_only and not spec.mounts and spec.seccomp
    assert json.loads(specs["predictor"].seccomp or "") != json.loads(specs["scorer"].seccomp or "")


def test_a_grade_on_the_cpu_asks_for_no_gpu(hall: Hall) -> None:
    assert hall.grade().status == "scored"
    assert not any(spec.gpus for spec in hall.engine.created)


def test_a_grade_on_a_gpu_is_not_made_on_the_processor(gpu_hall: Hall) -> None:
    assert "found none in the grader's container" in failed(gpu_hall.grade(GOOD), "no_gpu")
    gpu_hall.engine.gpu_trouble = 'could not select device driver "" with capabilities: [[gpu]]'
    assert "nvidia-container-toolkit" in failed(gpu_hall.grade(ON_GPU), "no_gpu")


def test_a_full_gpu_is_not_the_model_s_proven_fault(gpu_hall: Hall) -> None:
    program = "ready(gpus=['G']); answer({'kind': 'fault', 'reason': 'out_of_memory'})"
    assert "end what else uses it" in failed(gpu_hall.grade(program), "gpu_memory")


def test_grades_on_a_gpu_wait_for_each_other(gpu_hall: Hall, tmp_path: Path) -> None:
    """Each writes when it begins to work and when it ends: no two are at work together."""
    log = tmp_path / "log"
    at_work = f"ready(gpus=['G']); log = open({str(log)!r}, 'a'); log.write('('); log.flush(); "
    slow = "time.sleep(0.3); log.write(')'); log.flush(); predictions(inputs()[:, :1])"
    gpu_hall._install(at_work + slow, None)
    with ThreadPoolExecutor(3) as threads:
        grades = [threads.submit(gpu_hall.grade, at_work + slow) for _ in range(3)]
    assert [one.result().status for one in grades] == ["scored"] * 3
    assert log.read_text() == "()()()"


def test_what_served_others_does_not_serve_a_gpu(gpu_hall: Hall) -> None:
    with (
        Server(gpu_hall.environment, "predictor") as one,
        Server(gpu_hall.environment, "scorer") as other,
    ):
        verdict = gpu_hall.grade(ON_GPU, serving=Serving(one, other, lambda: False))
    assert verdict.status == "scored"
    assert not any("--serve" in spec.command for spec in gpu_hall.engine.created)
