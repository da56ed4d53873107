"""The grader's metrics beside scikit-learn's, in the image that has both."""

from __future__ import annotations

import json

import pytest

from exam_cli.engine.port import ContainerSpec, Engine, Limits
from exam_cli.images.build import Images
from exam_cli.workspace.container import INTERPRETER

pytestmark = pytest.mark.engine

SCRIPT = """
import json, sys
sys.path.insert(0, "/opt/exam/programs")
import numpy as np
import metrics
from sklearn import metrics as theirs

worst = {}
def compare(name, ours, other):
    worst[name] = max(worst.get(name, 0.0), abs(ours - other) / max(1e-12, abs(other)))

for seed in range(200):
    draw = np.random.default_rng(seed)
    rows, classes = int(draw.integers(12, 300)), int(draw.integers(2, 9))
    labels = draw.permutation(np.arange(rows) % classes).astype("i4")
    scores = draw.integers(0, 9, (rows, classes)) / 4  # with ties
    chances = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    guessed = scores.argmax(1)
    compare("accuracy", metrics.accuracy(scores, labels), theirs.accuracy_score(labels, guessed))
    compare(
        "macro_f1",
        metrics.macro_f1(scores, labels),
        theirs.f1_score(labels, guessed, average="macro", zero_division=0),
    )
    compare("log_loss", metrics.log_loss(chances, labels), theirs.log_loss(labels, chances))
    two, one = (labels % 2).astype("i4"), scores[:, :1]
    compare("auroc", metrics.auroc(one, two), theirs.roc_auc_score(two, one[:, 0]))
    sure = 1 / (1 + np.exp(-one))
    compare("log_loss", metrics.log_loss(sure, two), theirs.log_loss(two, sure[:, 0]))
    truth, told, naive = draw.normal(size=(3, rows, classes))
    mae = theirs.mean_absolute_error(truth, told)
    compare("mae", metrics.mae(told, truth), mae)
    squares = theirs.mean_squared_error(truth.ravel(), told.ravel())
    compare("rmse", metrics.rmse(told, truth), squares**0.5)
    compare(
        "mae_over_naive",
        metrics.mae_over_naive(told, np.stack([truth, naive], 1)),
        mae / theirs.mean_absolute_error(truth, naive),
    )
print("WORST", json.dumps(worst))
"""


def test_they_agree(docker_engine: Engine, edition_images: Images) -> None:
    spec = ContainerSpec(
        image=edition_images.workspace,
        command=[INTERPRETER, "-c", SCRIPT],
        user="65534:65534",
        limits=Limits(2 << 30, 2, 256, tmpfs={"/tmp": 1 << 26}),
        labels={"exam.role": "test"},
        environment={"HOME": "/tmp"},
    )
    said = b""
    container = docker_engine.create(spec)
    try:
        with docker_engine.attach(container) as channel:
            docker_engine.start(container)
            while (piece := channel.receive(120.0)) is not None:
                said += piece[1]
    finally:
        docker_engine.remove(container)
    lines = [line for line in said.decode().splitlines() if line.startswith("WORST ")]
    assert lines, said.decode()
    worst = json.loads(lines[0].removeprefix("WORST "))
    assert sorted(worst) == [
        "accuracy", "auroc", "log_loss", "macro_f1", "mae", "mae_over_naive", "rmse",
    ]  # fmt: skip
    assert all(apart < 1e-9 for apart in worst.values()), worst
