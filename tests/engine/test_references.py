"""What every section and form promises: the given start is scored, the reference gets a 5."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from exam_cli.config.exam import load_exam
from exam_cli.config.section import Section
from exam_cli.engine.port import Engine
from exam_cli.images.build import Images
from exam_cli.sections.catalog import sections_of
from tests.engine.road import Road, candidate

pytestmark = [pytest.mark.engine, pytest.mark.slow]

EXAMS = ("practice", "retake")
SECTIONS = [(exam, one) for exam in EXAMS for one in sections_of(load_exam(exam))]
IDS = [one.folder.name for _, one in SECTIONS]
EXECUTE = """
import nbclient, nbformat
notebook = nbformat.read("starter.ipynb", 4)
nbclient.NotebookClient(notebook).execute()
nbformat.write(notebook, "executed.ipynb")
"""
LIST = """
import importlib.metadata, subprocess
print(*(one.name for one in importlib.metadata.distributions()), sep="\\n")
subprocess.run(["dpkg-query", "-W", "-f", "${Package}\\\\n"], check=True)
"""


@pytest.fixture(scope="module")
def roads(
    docker_engine: Engine, edition_images: Images, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Road]]:
    """A candidate for each exam."""
    first = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("home-1")
    second = tmp_path_factory.mktemp("second"), tmp_path_factory.mktemp("home-2")
    with (
        candidate(docker_engine, *first, "--exam", EXAMS[0]) as one,
        candidate(docker_engine, *second, "--exam", EXAMS[1]) as other,
    ):
        yield dict(zip(EXAMS, (one, other), strict=True))


def trained(road: Road, section: Section, script: str) -> Path:
    """Put a script of the section's folder into the workspace and train with it there."""
    place = road.workspace / section.directory
    (place / "model.keras").unlink(missing_ok=True)
    shutil.copy(section.folder / script, place)
    done = road.exam("run", f"{section.directory}/{script}", timeout=600)
    assert done.status == 0, done.err
    return place / "model.keras"


def graded(road: Road, section: Section) -> int:
    answer = road.exam("grade", str(section.section), "--json").json
    assert answer["verdict"] == "scored", answer
    score: int = answer["score"]
    return score


@pytest.mark.parametrize(("exam", "section"), SECTIONS, ids=IDS)
def test_the_starter_notebook_runs_as_it_is(
    exam: str, section: Section, roads: dict[str, Road]
) -> None:
    road = roads[exam]
    place = road.workspace / section.directory
    (place / "execute.py").write_text(EXECUTE)
    done = road.exam("run", f"{section.directory}/execute.py", timeout=300)
    assert done.status == 0, done.err
    outputs = [
        output
        for cell in json.loads((place / "executed.ipynb").read_text())["cells"]
        for output in cell.get("outputs", [])
    ]
    assert outputs and all(output["output_type"] != "error" for output in outputs)
    assert graded(road, section) in range(1, 5), "worth something, and room to get better"


@pytest.mark.parametrize(("exam", "section"), SECTIONS, ids=IDS)
def test_the_baseline_is_next_to_nothing(
    exam: str, section: Section, roads: dict[str, Road]
) -> None:
    trained(roads[exam], section, "baseline.py")
    assert graded(roads[exam], section) in (0, 1)


@pytest.mark.parametrize(("exam", "section"), SECTIONS, ids=IDS)
def test_the_reference_is_a_five(exam: str, section: Section, roads: dict[str, Road]) -> None:
    trained(roads[exam], section, "reference.py")
    assert graded(roads[exam], section) == 5


@pytest.mark.parametrize("exam", EXAMS)
def test_five_references_pass_the_exam(exam: str, roads: dict[str, Road]) -> None:
    done = roads[exam].exam("submit", "--yes", "--json").json
    assert (done["total"], done["passed"]) == (100, True)
    assert {one["grade"]["set"]["name"] for one in done["sections"]} == {"final"}
    assert roads[exam].exam("submit", "--json").json == done, "the exam has ended"
    assert roads[exam].exam("grade", "1").status == 1


def test_nothing_in_the_workspace_lets_one_look_the_hidden_rows_up(roads: dict[str, Road]) -> None:
    sources = {source.package for _, one in SECTIONS for source in one.sources}
    road = roads[EXAMS[0]]
    (road.workspace / "list.py").write_text(LIST)
    there = {line.lower() for line in road.exam("run", "list.py").out.split()}
    assert {"keras", "git"} <= there
    assert there.isdisjoint({name.lower() for name in sources})
