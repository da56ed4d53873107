"""What a check shows: a table, JSON, and a page to commit."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from exam_cli.authoring.check import Report
from exam_cli.authoring.report import COLUMNS, as_json, markdown, rows
from exam_cli.authoring.rules import Measurements, judge
from tests.authoring.conftest import GOOD, model

Maker = Callable[..., Measurements]


@pytest.fixture
def reported(measurements: Maker) -> Callable[..., Report]:
    def make(*others: object) -> Report:
        found = measurements(*others)
        return Report(
            found.section, (1, 2, 3), "tf2.21", "sha256:abc", 2, found, tuple(judge(found))
        )

    return make


def test_a_row_for_each_model(reported: Callable[..., Report]) -> None:
    found = rows(reported(model("starter", 7.0, seed=2, final=3.5)))
    assert [row[0] for row in found] == [*GOOD, "typical, shuffled"]
    starter = dict(zip(COLUMNS, found[2], strict=True))
    assert starter == {
        "Model": "starter", "Mean": "6.417", "Range": "3.5 - 7", "Score": "2, 3", "Same": "2/3",
        "Train s": "3", "Predict s": "0.2", "MB": "0.0",
    }  # fmt: skip


def test_json_has_every_model_and_every_rule(reported: Callable[..., Report]) -> None:
    told = json.loads(json.dumps(as_json(reported(model("baseline", 9.0)))))
    assert told["holds"] is False and told["seeds"] == [1, 2, 3]
    assert len(told["models"]) == 18 and len(told["shuffled"]) == 3
    assert told["models"][0]["score"] == {"probe": 2, "final": 2}
    bad = [one["rule"] for one in told["rules"] if not one["holds"]]
    assert bad == ["the baseline stays below 2"]


def test_the_page_says_what_was_measured_where_and_what_failed(
    reported: Callable[..., Report],
) -> None:
    page = markdown(reported(model("improved", 0.4, seed=3)))
    for words in (
        "# Section 6, form a: Ferry, calibration",
        "scores 1 to 5 from at most 25, 10, 4, 2, 0.8",
        "2,000 rows",
        "Edition tf2.21, workspace image `sha256:abc`",
        "18 of 18 models",
        "improved to reference 2 of 3",
        "| every script runs | yes |",
        "(calibration.svg)",
    ):
        assert words in page
    assert "**no**" not in page
    assert "**no**: baseline on seed 1" in markdown(reported(model("baseline", 9.0)))
