"""What the sections promise: the reference scores 5, the baseline next to nothing."""

from __future__ import annotations

import shutil

import pytest

from exam_cli.paths import resource
from tests.engine.road import Road

pytestmark = [pytest.mark.engine, pytest.mark.slow]


@pytest.mark.parametrize(("number", "directory"), [(1, "1-regression"), (4, "4-nlp")])
@pytest.mark.parametrize(("script", "scores"), [("baseline.py", {0, 1}), ("reference.py", {5})])
def test_a_shipped_solution_scores_as_promised(
    script: str, scores: set[int], number: int, directory: str, road: Road
) -> None:
    place = road.workspace / directory
    (place / "model.keras").unlink(missing_ok=True)
    shutil.copy(resource("sections", directory, script), place)
    trained = road.exam("run", f"{directory}/{script}", timeout=600)
    assert trained.status == 0, trained.err
    answer = road.exam("grade", str(number), "--json").json
    assert answer["verdict"] == "scored" and answer["score"] in scores, answer
