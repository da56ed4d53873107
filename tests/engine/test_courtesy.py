"""A model that is not brisk stands still for the grades beside it, as the engine itself tells."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import docker
import pytest

from exam_cli.config.section import Section
from exam_cli.engine.port import Listed
from exam_cli.grading.environment import Environment
from exam_cli.grading.grade import grade
from exam_cli.grading.verdict import Verdict
from exam_cli.sections.vault import SectionData
from tests.engine.models import Models

pytestmark = pytest.mark.engine

LIMIT = 15
PATIENCE = 90.0


def test_a_slow_model_stands_still_while_another_is_brisk(
    grader: Environment, models: Models, sections: dict[int, Section], data: dict[int, SectionData]
) -> None:
    section = replace(sections[1], limits=replace(sections[1].limits, predict_seconds=LIMIT))
    api = docker.from_env().api

    def graded(name: str) -> Verdict:
        return grade(models.submission(name, section), section, data[1].sets["probe"], grader)

    def predictors() -> list[Listed]:
        found = grader.engine.find({"exam.role": "predictor", **grader.labels})
        return [one for one in found if one.running]

    def cores(container: str) -> float | None:
        """Return its cap once it stands behind others; None before, and when it is gone."""
        try:
            host = api.inspect_container(container)["HostConfig"]
        except docker.errors.NotFound:
            return None
        return host["CpuQuota"] / host["CpuPeriod"] if host["CpuShares"] else None

    deadline = time.monotonic() + PATIENCE
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(graded, "sleep_for_ever-keras")
        while not (there := predictors()) or (behind := cores(there[0].id)) is None:
            assert time.monotonic() < deadline and not slow.done()
            time.sleep(0.05)
        brisk, seen = pool.submit(graded, "good_keras"), [behind]
        while not slow.done():
            now = cores(there[0].id)
            seen += [now] if now not in (None, seen[-1]) else []
            time.sleep(0.05)
    assert brisk.result().status == "scored"
    assert slow.result().reason == "timeout"
    assert seen[:3] == [behind, 0.02, behind], "behind, still, and let go on"
    assert behind == min(2, max(1, api.info()["NCPU"] / 2))
