"""Every attack meets its verdict on the real engine, and the honest models beside it theirs.

Two are graded at a time; the honest ones are graded alone first, and then again and again between
the attacks. `--attack-table FILE` keeps the table.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from exam_cli.cohort.archive import unpack
from exam_cli.config.section import Section
from exam_cli.engine.port import Engine
from exam_cli.errors import ExamError
from exam_cli.grading.environment import Environment
from exam_cli.grading.grade import grade
from exam_cli.grading.intake import take
from exam_cli.grading.verdict import Rejection, Verdict
from exam_cli.sections.vault import SectionData
from tests.attacks.all import ATTACKS
from tests.attacks.collection import Attack
from tests.attacks.table import Honest, Outcome, page, summary
from tests.engine.models import Models
from tests.sentence import check_sentence

pytestmark = pytest.mark.engine

OVERHEAD = 25  # seconds that a grade may take beside loading and predicting, on a busy machine
BETWEEN = 10  # attacks between two honest models
HONEST_FILE = "good_keras/1-regression/model.keras"
HONEST = {
    "good_keras": 1,
    "good_text_keras": 4,
    "good_savedmodel": 1,
    "good_tokens_savedmodel": 4,
    "good_h5": 1,
}


@dataclass
class Grader:
    """Grades attacks and honest models alike."""

    models: Models
    sections: dict[int, Section]
    data: dict[int, SectionData]
    environment: Environment
    places: Path

    def honest(self, name: str) -> Verdict:
        return self._judged(self.sections[HONEST[name]], self.models.directory / name)

    def attack(self, attack: Attack) -> Outcome:
        section = self.sections[attack.section]
        section = replace(section, limits=replace(section.limits, **attack.limits))
        with self._handed_in(attack, section) as workspace:
            started = time.monotonic()
            verdict = self._judged(section, workspace, archive=attack.format == "archive")
            took = time.monotonic() - started
        return Outcome(attack, verdict, section.limits.predict_seconds, took)

    @contextmanager
    def _handed_in(self, attack: Attack, section: Section) -> Iterator[Path]:
        """Yield a workspace with the attack in it."""
        if attack.make is None:
            yield self.models.directory / attack.id
            return
        place = Path(tempfile.mkdtemp(dir=self.places))
        directory = place / "workspace" / section.directory
        directory.mkdir(parents=True)
        attack.make(directory, self.models.directory / HONEST_FILE)
        yield directory.parent
        # Whoever still changes something in it finds it no more, and it goes, however deep it is.
        shutil.rmtree(directory.parent.rename(place / "gone"))

    def _judged(self, section: Section, workspace: Path, archive: bool = False) -> Verdict:
        """Return the verdict on what lies in a workspace, found as `exam cohort grade` finds it."""
        probe = self.data[section.section].sets["probe"]
        sections = self.sections.values()
        others = [(one.directory, one.contract) for one in sections if one is not section]
        try:
            if archive:
                workspace = self._unpacked(workspace, section)
            submission = take(section, workspace, self.models.snapshots)
        except Rejection as rejection:
            return Verdict(section.section, section.slug, {}, {}).rejected(rejection)
        return grade(submission, section, probe, self.environment, others)

    def _unpacked(self, workspace: Path, section: Section) -> Path:
        (handed_in,) = (workspace / section.directory).iterdir()
        to = workspace / "unpacked"
        to.mkdir()
        try:
            unpack(handed_in, to, [section.directory])
        except ExamError as error:
            raise Rejection("not_a_model", str(error)) from error
        return to


@pytest.fixture(scope="module")
def judge(
    models: Models,
    sections: dict[int, Section],
    data: dict[int, SectionData],
    grader: Environment,
    tmp_path_factory: pytest.TempPathFactory,
) -> Grader:
    return Grader(models, sections, data, grader, tmp_path_factory.mktemp("attacks"))


@dataclass
class Grades:
    """What is being graded: attacks by id, honest models by name, and those graded alone."""

    attacks: dict[str, Future[Outcome]]
    honest: dict[str, list[Future[Verdict]]]
    alone: dict[str, Verdict]


@pytest.fixture(scope="module")
def grades(request: pytest.FixtureRequest, judge: Grader) -> Iterator[Grades]:
    """All chosen attacks, with honest models between them; prints the table at the end."""
    here = [item for item in request.session.items if item.path == request.path]
    calls = [item.callspec.params for item in here if hasattr(item, "callspec")]
    chosen = {call["attack"].id: call["attack"] for call in calls if "attack" in call}
    beside = {call["honest"] for call in calls if "honest" in call}
    alone = {name: judge.honest(name) for name in HONEST if name in beside}
    found = Grades({}, {name: [] for name in alone}, alone)
    started = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        turn = _endless(list(alone))
        for number, attack in enumerate(chosen.values()):
            if alone and number % BETWEEN == 0:
                name = next(turn)
                found.honest[name].append(pool.submit(judge.honest, name))
            found.attacks[attack.id] = pool.submit(judge.attack, attack)
        for name in alone:
            found.honest[name].append(pool.submit(judge.honest, name))
        yield found
    _tell(request, found, time.monotonic() - started)


def _endless(names: list[str]) -> Iterator[str]:
    while names:
        yield from names


def _tell(request: pytest.FixtureRequest, grades: Grades, seconds: float) -> None:
    done = [one.result() for one in grades.attacks.values() if not one.exception()]
    if not done:
        return
    beside = [one.result().seconds_total for name in grades.honest for one in grades.honest[name]]
    honest = Honest([one.seconds_total for one in grades.alone.values()], beside)
    kept: str | None = request.config.getoption("--attack-table")
    if kept:
        Path(kept).write_text(page(done, honest, seconds))
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        told = ["\n", page(done, honest, seconds), *summary(done, honest, seconds), ""]
        sys.stdout.write("\n".join(told))


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.id)
def test_attack(
    attack: Attack, grades: Grades, sections: dict[int, Section], data: dict[int, SectionData]
) -> None:
    outcome = grades.attacks[attack.id].result()
    verdict = outcome.verdict
    assert outcome.as_wanted, (verdict.status, verdict.reason, verdict.message, verdict.printed)
    assert attack.says in verdict.message
    assert attack.prints in verdict.printed, verdict.printed
    assert outcome.over < OVERHEAD
    probe = data[attack.section].sets["probe"]
    check_sentence(verdict, probe.inputs[0].path.read_bytes())
    assert (verdict.measured is None) == (attack.reason is not None)
    if attack.honest and grades.alone:
        assert verdict.predictions_sha256 == grades.alone["good_keras"].predictions_sha256
    assert b"CONNECTED" not in verdict.printed
    assert probe.labels is not None
    assert probe.labels.path.read_bytes()[:64] not in verdict.printed


@pytest.mark.parametrize("honest", HONEST)
def test_whatever_runs_beside_it_an_honest_model_scores_as_ever(
    honest: str, grades: Grades
) -> None:
    alone = grades.alone[honest]
    assert alone.status == "scored" and alone.score, alone.message
    assert grades.honest[honest]
    for beside in (one.result() for one in grades.honest[honest]):
        assert beside.status == "scored", beside.message
        assert beside.predictions_sha256 == alone.predictions_sha256
        assert beside.measured == alone.measured and beside.score == alone.score


def test_no_container_is_left(docker_engine: Engine, grader: Environment, grades: Grades) -> None:
    wait(grades.attacks.values())
    for found in grades.honest.values():
        wait(found)
    assert docker_engine.find(grader.labels) == []
