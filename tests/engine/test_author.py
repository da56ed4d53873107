"""`exam author check` on the real engine: it measures what a grade does, resumes, cleans up."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exam_cli.authoring.crew import seed_data
from exam_cli.authoring.new import new_section
from exam_cli.authoring.rules import RULES
from exam_cli.config.section import Section
from exam_cli.engine.port import ContainerSpec, ContainerState, Engine, Limits, Mount
from exam_cli.grading.environment import Environment
from exam_cli.grading.grade import grade
from exam_cli.grading.intake import take
from exam_cli.images.build import Images
from exam_cli.sections.catalog import load_section
from exam_cli.workspace.container import INTERPRETER, caller
from tests.engine.road import Done, Road

pytestmark = pytest.mark.engine

SLOW = "import time\nprint('begun', flush=True)\ntime.sleep(600)\n"


@dataclasses.dataclass(frozen=True)
class Desk:
    """An author with a section of their own, and a cache that nobody else has."""

    folder: Path
    road: Road
    engine: Engine

    def check(self, *arguments: str) -> Done:
        return self.road.exam("author", "check", str(self.folder), "--seeds", "1", *arguments)

    def report(self, *arguments: str) -> dict:  # type: ignore[type-arg]
        return json.loads(self.check("--json", *arguments).out)

    def results(self) -> dict[Path, int]:
        """Kept results and when they were written."""
        found = Path(self.road.environment["EXAM_CACHE"], "ladder", "results").glob("*")
        return {path: path.stat().st_mtime_ns for path in found}

    def containers(self) -> list[ContainerState]:
        """Containers that train for a check of this cache."""
        place = Path(self.road.environment["EXAM_CACHE"], "ladder")
        return [
            state
            for state in self.engine.find({"exam.role": "ladder"})
            if state.labels.get("exam.check") == label_of(place)
        ]


def label_of(place: Path) -> str:
    return hashlib.sha256(str(place).encode()).hexdigest()[:12]


@pytest.fixture(scope="module")
def desk(
    docker_engine: Engine, edition_images: Images, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    directory = tmp_path_factory.mktemp("desk")
    folder = new_section("ferry", 6, "regression", directory)
    cache = {"EXAM_CACHE": str(directory.resolve() / "cache")}
    desk = Desk(folder, Road(directory, directory / "home", environment=cache), docker_engine)
    yield desk
    for state in desk.containers():
        docker_engine.remove(state.id)


@pytest.fixture(scope="module")
def whole(desk: Desk) -> dict:  # type: ignore[type-arg]
    """The report on a section as `exam author new` makes it, with its files written."""
    return desk.report("--write")


@pytest.mark.slow
def test_a_new_section_passes_its_check(whole: dict, desk: Desk) -> None:  # type: ignore[type-arg]
    assert {one["rule"]: one["problems"] for one in whole["rules"] if not one["holds"]} == {}
    assert set(RULES) < {one["rule"] for one in whole["rules"]}
    assert [one["rung"] for one in whole["models"]] == list(load_section(desk.folder).ladder)
    assert [one["score"]["probe"] for one in whole["models"]] == [0, 1, 2, 3, 4, 5]
    table = (desk.folder / "calibration.md").read_text()
    assert whole["image"] in table and "| reference | 0." in table
    picture = (desk.folder / "calibration.svg").read_bytes()
    assert b"reference" in picture and len(picture) < 150_000
    assert desk.containers() == []


@pytest.mark.slow
def test_other_bands_and_text_train_nothing(whole: dict, desk: Desk) -> None:  # type: ignore[type-arg]
    before = desk.results()
    picture = (desk.folder / "calibration.svg").read_bytes()
    for name, old, new in (
        ("section.yaml", "bands: [25, 10, 4, 2, 0.8]", "bands: [25, 10, 4, 2, 0.1]"),
        ("task.md", "at most 0.8 |", "at most 0.1 |"),
    ):
        path = desk.folder / name
        path.write_text(path.read_text().replace(old, new))
    try:
        done = desk.check("--plot", str(desk.folder / "other.svg"))
    finally:
        for name, old, new in (
            ("section.yaml", "2, 0.1]", "2, 0.8]"),
            ("task.md", "at most 0.1 |", "at most 0.8 |"),
        ):
            path = desk.folder / name
            path.write_text(path.read_text().replace(old, new))
    assert done.status == 1 and "not wholly in band 5 (at most 0.1)" in done.out
    assert "No rung scores 5" in done.out
    assert desk.results() == before
    assert (desk.folder / "other.svg").read_bytes() != picture
    assert desk.check("--plot", str(desk.folder / "other.svg")).status == 0
    assert (desk.folder / "other.svg").read_bytes() == picture, "the same bytes for the same points"


def test_a_check_measures_what_a_grade_does(
    desk: Desk, edition_images: Images, grader: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    (told,) = desk.report("--only", "linear")["models"]
    monkeypatch.setenv("EXAM_CACHE", desk.road.environment["EXAM_CACHE"])
    section = load_section(desk.folder)
    data = seed_data(section, 1, desk.engine, edition_images.workspace)
    place = desk.folder.parent / "workspace" / section.directory
    place.mkdir(parents=True)
    for name, path in data.train.items():
        shutil.copyfile(path, place / name)
    shutil.copy(desk.folder / "linear.py", place)
    train_apart(desk.engine, edition_images.workspace, section, place)
    snapshots = desk.folder.parent / "snapshots"
    snapshots.mkdir()
    submission = take(section, place.parent, snapshots)
    for which in ("probe", "final"):
        verdict = grade(submission, section, data.sets[which], grader)
        assert verdict.measured is not None, verdict
        assert verdict.measured.value == pytest.approx(told[which]["value"], rel=1e-4)
        assert verdict.score == told["score"][which]


def train_apart(engine: Engine, image: str, section: Section, place: Path) -> None:
    """Run linear.py as a candidate does."""
    spec = ContainerSpec(
        image=image,
        command=[INTERPRETER, "linear.py"],
        user=caller(),
        limits=Limits(memory_bytes=4 << 30, cpus=2, processes=512),
        labels={"exam.role": "test"},
        environment={"HOME": "/tmp"},
        working_dir="/place",
        read_only=False,
        mounts=[Mount("bind", str(place), "/place")],
    )
    container = engine.create(spec)
    try:
        engine.start(container)
        assert engine.wait(container, 120).exit_code == 0
    finally:
        engine.remove(container)
    assert (place / "model.keras").is_file(), section.directory


@pytest.fixture
def typical(desk: Desk) -> Iterator[Path]:
    """The script of a rung, put back afterwards."""
    path = desk.folder / "typical.py"
    text = path.read_text()
    yield path
    path.write_text(text)


def test_a_script_that_fails_is_told_and_its_log_kept(desk: Desk, typical: Path) -> None:
    typical.write_text("print('loading')\nimport numpy\nnumpy.loadtxt('nothing.csv')\n")
    done = desk.check("--only", "typical", "--only", "linear")
    assert done.status == 1
    assert "typical on seed 1 failed (train): line 3 of typical.py: FileNotFoundError" in done.out
    assert "linear" in done.out.splitlines()[3]
    log = Path(done.out.split("(log: ")[1].split(")")[0])
    assert "loading" in log.read_text() and "Traceback" in log.read_text()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("x = 1", "it ended well and wrote no model.keras"),
        (
            "import keras\n"
            "keras.Sequential([keras.Input((9,)), keras.layers.Dense(1)]).save('model.keras')",
            "the grader would refuse the model: wrong_input",
        ),
        ("import os\nos.kill(os.getpid(), 9)", "it was killed"),
    ],
)
def test_a_model_that_is_none_is_told(desk: Desk, typical: Path, script: str, words: str) -> None:
    typical.write_text(script)
    done = desk.check("--only", "typical")
    assert done.status == 1 and words in done.out


def waited(condition: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_check_that_ends_early_keeps_what_it_has(
    desk: Desk, typical: Path, how: signal.Signals
) -> None:
    typical.write_text(f"{SLOW}# {how.name}\n")
    with (desk.folder / "linear.py").open("a") as script:
        script.write(f"# {how.name}\n")  # another text: it has to be trained again
    before = set(desk.results())
    arguments = ("--seeds", "1", "--only", "linear", "--only", "typical")
    process = desk.road.start("author", "check", str(desk.folder), *arguments)
    try:
        assert waited(lambda: bool(set(desk.results()) - before), 120), "linear is done"
        started = time.monotonic()
        os.kill(process.pid, how)
        process.communicate(timeout=60)
    finally:
        process.kill()
    if how is signal.SIGTERM:
        assert process.returncode == 130 and time.monotonic() - started < 10
        assert desk.containers() == []
    else:
        assert len(desk.containers()) == 1, "nobody was left to remove it"
    kept = desk.results()
    assert desk.check("--only", "linear").status == 0
    assert desk.results() == kept, "what was trained is not trained again"
    assert desk.containers() == [], "the next check removes what a killed one left"
