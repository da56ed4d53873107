"""The metric's values by hand, and no value where there can be none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from exam_cli.config.edition import programs
from exam_cli.wire import FrameDecoder, frame_bytes

Array = np.ndarray[Any, Any]


def ask(scorer: ModuleType, metric: str, predictions: Array, labels: Array) -> dict[str, Any]:
    """Return the header of the scorer's answer."""
    header: dict[str, Any] = scorer.score(*request(scorer, metric, predictions, labels))
    return header


def request(
    scorer: ModuleType, metric: str, predictions: Array, labels: Array
) -> tuple[dict[str, Any], bytes]:
    encoded = [
        scorer.tensors.encode("predictions", predictions),
        scorer.tensors.encode("labels", labels),
    ]
    tensors = [description for description, _ in encoded]
    return {"metric": metric, "tensors": tensors}, b"".join(body for _, body in encoded)


def column(*values: float) -> Array:
    return np.array(values, dtype=np.float32)[:, None]


@pytest.mark.parametrize(
    ("predictions", "labels", "value"),
    [
        ([1.0], [1.0], 0.0),
        ([1.0, 2.0, 3.0], [2.0, 2.0, 1.0], 1.0),  # (1 + 0 + 2) / 3
        ([0.0, 10.0], [5.0, -5.0], 10.0),  # (5 + 15) / 2
        ([-1.5, 0.25], [1.5, 0.0], 1.625),  # (3 + 0.25) / 2
    ],
)
def test_mean_absolute_error(
    scorer: ModuleType, predictions: list[float], labels: list[float], value: float
) -> None:
    told = ask(scorer, "mae", column(*predictions), column(*labels))
    assert (told["name"], told["value"], told["rows"]) == ("mae", value, len(labels))


@pytest.mark.parametrize(
    ("predictions", "labels", "value"),
    [
        ([[0.9, 0.1]], [0], 1.0),
        ([[0.9, 0.1]], [1], 0.0),
        ([[1, 2, 3], [3, 2, 1], [1, 3, 2], [0, 0, 1]], [2, 0, 0, 2], 0.75),
        ([[-5.0, -4.0], [-4.0, -5.0]], [1, 1], 0.5),  # logits as well as probabilities
        ([[0.5, 0.5], [0.5, 0.5]], [0, 1], 0.5),  # of equals, the first counts
    ],
)
def test_accuracy(
    scorer: ModuleType, predictions: list[list[float]], labels: list[int], value: float
) -> None:
    told = ask(
        scorer,
        "accuracy",
        np.array(predictions, dtype=np.float32),
        np.array(labels, dtype=np.int32),
    )
    assert (told["name"], told["value"], told["rows"]) == ("accuracy", value, len(labels))


@given(
    npst.arrays(
        np.float32, npst.array_shapes(min_dims=1, max_dims=1, max_side=50),
        elements=st.floats(-1e6, 1e6, width=32),
    )
)  # fmt: skip
def test_error_of_labels_against_themselves_is_nothing(scorer: ModuleType, values: Array) -> None:
    assert ask(scorer, "mae", values[:, None], values[:, None])["value"] == 0.0
    moved = ask(scorer, "mae", values[:, None] + 1, values[:, None])["value"]
    assert moved == pytest.approx(1.0, abs=0.07)  # float32 steps by 1/16 near a million


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("metric", ["mae", "accuracy"])
def test_what_is_not_finite_is_no_score(scorer: ModuleType, bad: float, metric: str) -> None:
    predictions = np.ones((4, 3), dtype=np.float32)
    predictions[1, 2] = predictions[3, 0] = bad
    labels = np.zeros((4, 3), np.float32) if metric == "mae" else np.zeros(4, np.int32)
    told = ask(scorer, metric, predictions, labels)
    assert told == {"kind": "fault", "reason": "not_finite", "detail": {"count": 2}}


def test_huge_predictions_give_a_huge_error_and_not_a_good_one(scorer: ModuleType) -> None:
    largest = float(np.finfo(np.float32).max)
    told = ask(scorer, "mae", column(largest, largest), column(-largest, 0.0))
    assert told["value"] == pytest.approx(1.5 * largest)


@pytest.mark.filterwarnings("ignore:overflow")
def test_errors_that_overflow_are_no_score(scorer: ModuleType) -> None:
    largest = float(np.finfo(np.float64).max)
    told = ask(scorer, "mae", np.array([[largest]]), np.array([[-largest]]))
    assert told == {"kind": "fault", "reason": "not_finite", "detail": {"count": 0}}


def test_another_number_of_rows_is_our_failure(scorer: ModuleType) -> None:
    with pytest.raises(ValueError, match="3 predictions for 2 labels"):
        ask(scorer, "mae", column(1, 2, 3), column(1, 2))


def test_no_rows_are_our_failure(scorer: ModuleType) -> None:
    with pytest.raises(ValueError, match="no numbers"):
        ask(scorer, "mae", column(), column())


def test_columns_against_rows_are_our_failure_and_not_a_wide_mean(scorer: ModuleType) -> None:
    # numpy would stretch (3, 1) against (3,) to (3, 3) and give a number that means nothing.
    with pytest.raises(ValueError):
        ask(scorer, "mae", column(1, 2, 3), np.array([1, 2, 3], dtype=np.float32))
    with pytest.raises(ValueError):
        ask(scorer, "accuracy", np.ones((3, 2), np.float32), np.zeros((3, 1), np.int32))


def test_unknown_metrics_are_our_failure(scorer: ModuleType) -> None:
    with pytest.raises(KeyError):
        ask(scorer, "f1", column(1), column(1))


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The scorer as the image has it: beside its own copy of the wire format."""
    for path in programs():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path / "scorer.py"


def run(script: Path, sent: bytes) -> subprocess.CompletedProcess[bytes]:
    line = [sys.executable, "-sE", str(script)]
    return subprocess.run(line, input=sent, capture_output=True, timeout=60, check=False)


def test_the_program_answers_one_frame(scorer: ModuleType, script: Path) -> None:
    done = run(script, frame_bytes(*request(scorer, "mae", column(1, 3), column(2, 2))))
    assert done.returncode == 0 and done.stderr == b""
    answer = FrameDecoder(0).feed(done.stdout)
    assert answer is not None and answer.header["value"] == 1.0


def test_the_program_fails_aloud(scorer: ModuleType, script: Path) -> None:
    header, body = request(scorer, "mae", column(1, 3, 5), column(2, 2))
    for sent in (frame_bytes(header, body), frame_bytes(header, body)[:-1], b"garbage" * 9, b""):
        done = run(script, sent)
        assert done.returncode == 1 and done.stdout == b"" and b"Traceback" in done.stderr


# --- probabilities, and a section's own metric


def test_logits_are_refused_where_probabilities_are_needed(scorer: ModuleType) -> None:
    labels = np.array([0, 1], np.int32)
    for rows, kind in ([[3.0, -1.0], [0.0, 1.0]], "logits"), ([[0.9, 0.9], [0.5, 0.5]], "sums"):
        predictions = np.array(rows, np.float32)
        told = ask(scorer, "log_loss", predictions, labels)
        detail = {"probabilities": kind}
        assert told == {"kind": "fault", "reason": "wrong_output", "detail": detail}
        assert ask(scorer, "accuracy", predictions, labels)["kind"] == "metric"


OWN = """
import numpy as np
print("hello")

def metric(predictions, labels):
    return np.max(np.abs(predictions - labels))
"""


def with_own(
    scorer: ModuleType, code: str, predictions: Array, labels: Array
) -> tuple[dict[str, Any], bytes]:
    header, body = request(scorer, "largest", predictions, labels)
    script = code.encode()
    return {**header, "script": len(script)}, body + script


def test_a_section_may_bring_its_own_metric(scorer: ModuleType, script: Path) -> None:
    sent = with_own(scorer, OWN, column(1, 3, 9), column(2, 2, 2))
    done = run(script, frame_bytes(*sent))
    assert done.returncode == 0, done.stderr
    answer = FrameDecoder(0).feed(done.stdout)
    assert answer is not None
    assert (answer.header["name"], answer.header["value"]) == ("largest", 7.0)
    assert answer.header["noise"] > 0 and answer.header["hint"] is None
    assert done.stderr == b"hello\n"  # what it prints does not get into the answer


@pytest.mark.parametrize(
    "code",
    [
        "def metric(predictions, labels): return float('nan')",
        "def metric(predictions, labels): return predictions",
        "def metric(predictions, labels): return 1 / 0",
        "def metric(predictions, labels): labels[:] = 0; return 0.0",
        "def other(predictions, labels): return 0.0",
        "def metric(",
    ],
)
def test_a_section_s_own_metric_that_fails_is_our_failure(scorer: ModuleType, code: str) -> None:
    with pytest.raises((ValueError, TypeError, ArithmeticError, AttributeError, SyntaxError)):
        scorer.score(*with_own(scorer, code, column(1, 3), column(2, 2)))


def test_its_own_metric_never_sees_what_is_not_finite(scorer: ModuleType) -> None:
    told = scorer.score(*with_own(scorer, OWN, column(1, np.nan), column(2, 2)))
    assert told == {"kind": "fault", "reason": "not_finite", "detail": {"count": 1}}
