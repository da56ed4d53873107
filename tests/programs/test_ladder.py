"""What the ladder's program makes of data, scripts and predictions, without TensorFlow."""

from __future__ import annotations

import io
import json
import os
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from exam_cli.wire import frame_start
from tests.programs.conftest import load


@pytest.fixture
def ladder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    module = load("ladder")
    monkeypatch.setattr(module, "PLACE", tmp_path / "place")
    monkeypatch.setattr(module, "LOG", tmp_path / "log")
    (tmp_path / "place").mkdir()
    (tmp_path / "log").touch()
    yield module


# --- children


def broken(ladder: ModuleType, work: Callable[[], object], seconds: float = 20.0) -> Any:
    with pytest.raises(ladder.Broken) as caught:
        ladder.in_child(work, "train", seconds)
    return caught.value


def test_a_child_returns_a_value_of_any_length(ladder: ModuleType) -> None:
    assert ladder.in_child(lambda: {"a": [1, None]}, "train", 20.0) == {"a": [1, None]}
    assert ladder.in_child(lambda: "x" * 300_000, "train", 20.0) == "x" * 300_000


def test_what_a_child_changes_stays_in_the_child(ladder: ModuleType) -> None:
    values = [1]
    ladder.in_child(lambda: values.append(2), "train", 20.0)
    assert values == [1]


def test_what_a_child_prints_meets_the_log(
    ladder: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def work() -> None:
        print("from Python")
        os.system("echo from a program; echo an error >&2")

    ladder.in_child(work, "train", 20.0)
    text = (tmp_path / "log").read_text()
    assert {"from Python", "from a program", "an error"} <= set(text.splitlines())
    assert capfd.readouterr().out == ""


def test_a_child_that_raises_is_told_and_its_traceback_kept(
    ladder: ModuleType, tmp_path: Path
) -> None:
    fault = broken(ladder, lambda: {}["x"])
    assert (fault.stage, fault.words) == ("train", "KeyError: 'x'")
    assert "Traceback" in (tmp_path / "log").read_text()


def test_a_child_that_is_killed_or_leaves(ladder: ModuleType) -> None:
    assert "killed" in broken(ladder, lambda: os.kill(os.getpid(), 9)).words
    assert "ended without a word" in broken(ladder, lambda: os._exit(3)).words


def test_a_child_that_takes_too_long_is_ended_with_what_it_started(
    ladder: ModuleType, tmp_path: Path
) -> None:
    def work() -> None:
        os.system(f"sleep 2; touch {tmp_path}/late")

    started = time.monotonic()
    assert "over 0 s" in broken(ladder, work, 0.3).words
    assert time.monotonic() - started < 2
    time.sleep(2)
    assert not (tmp_path / "late").exists()


def script(ladder: ModuleType, text: str) -> Callable[[], object]:
    (ladder.PLACE / "typical.py").write_text(text)
    return lambda: ladder.run_script("typical")


def test_a_script_runs_as_main_in_its_directory(ladder: ModuleType) -> None:
    text = (
        "import json, sys, pathlib\n"
        "pathlib.Path('told').write_text(json.dumps([__name__, sys.argv]))\nsys.exit()\n"
    )
    ladder.in_child(script(ladder, text), "train", 20.0)
    assert json.loads((ladder.PLACE / "told").read_text()) == ["__main__", ["typical.py"]]


def test_a_script_that_fails_is_told_with_its_line(ladder: ModuleType) -> None:
    text = "def f():\n    return 1 / 0\n\nf()\n"
    assert broken(ladder, script(ladder, text)).words == (
        "line 2 of typical.py: ZeroDivisionError: division by zero"
    )
    assert "SystemExit: 3" in broken(ladder, script(ladder, "raise SystemExit(3)")).words


# --- measuring


def mae(predictions: Any, labels: Any) -> float:
    return float(np.mean(np.abs(predictions - labels)))


def test_an_interval_holds_the_truth_about_as_often_as_it_says(ladder: ModuleType) -> None:
    draw = np.random.Generator(np.random.PCG64(1))
    hits, trials = 0, 60
    for _ in range(trials):
        errors = draw.exponential(1.0, (300, 1))
        found = ladder.measure(mae, errors, np.zeros((300, 1)))
        assert found["low"] <= found["value"] <= found["high"]
        hits += found["low"] <= 1.0 <= found["high"]
    assert hits / trials > 0.85  # 95 % in the long run


def test_the_same_predictions_give_the_same_interval(ladder: ModuleType) -> None:
    values = np.random.default_rng(0).random((50, 2)).astype(np.float32)
    assert ladder.measure(mae, values, 0 * values) == ladder.measure(mae, values, 0 * values)


def test_what_is_not_finite_is_broken(ladder: ModuleType) -> None:
    with pytest.raises(ladder.Broken, match="not all finite"):
        ladder.measure(mae, np.array([[1.0], [np.nan]]), np.zeros((2, 1)))


def test_a_metric_of_the_sections_own(ladder: ModuleType) -> None:
    parts = {("script", None, "metric"): b"def metric(predictions, labels):\n    return 7\n"}
    assert ladder.metric_of({"metric": "own"}, parts)(None, None) == 7
    assert ladder.metric_of({"metric": "mae"}, {}).__name__ == "mae"


# --- the request


def test_parts_and_directories_come_out_as_they_went_in(ladder: ModuleType) -> None:
    tree = io.BytesIO()
    with tarfile.open(fileobj=tree, mode="w") as tar:
        member = tarfile.TarInfo("stop/1.png")
        member.size = 3
        tar.addfile(member, io.BytesIO(b"png"))
    labels = np.array([1, 2], np.int32)
    sent: list[tuple[dict[str, Any], bytes]] = [
        ({"kind": "script", "name": "dataset"}, b"x = 1"),
        ({"kind": "file", "name": "labels.txt"}, b"stop"),
        ({"kind": "tree", "name": "train"}, tree.getvalue()),
        (
            {"kind": "labels", "set": "probe", "name": "labels", "dtype": "int32", "shape": [2]},
            labels.tobytes(),
        ),
    ]
    parts = [{**part, "bytes": len(content)} for part, content in sent]
    body = b"".join(content for _, content in sent)
    stream = io.BytesIO(frame_start({"parts": parts, "work": []}, len(body)) + body)
    header, received = ladder.receive(stream)
    assert header["work"] == []
    assert ladder.script_module(received, "dataset").x == 1
    assert ladder.train_files(received) == {"labels.txt": b"stop", "train/stop/1.png": b"png"}
    assert ladder.hidden(received, "probe")[1].tolist() == [1, 2]
