"""A section that is taken elsewhere and comes back, and models graded as soon as they are saved."""

from __future__ import annotations

import json
import shutil
import signal
import zipfile

import pytest

from tests.engine.road import Road

pytestmark = pytest.mark.engine

# What a notebook server elsewhere does with "run all cells".
RUN_ALL = """
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read("1-regression/colab.ipynb", 4)
NotebookClient(notebook, timeout=300).execute()
print(notebook.cells[1].outputs[-1]["text"])
"""


def test_a_section_goes_elsewhere_and_its_model_comes_back(road: Road) -> None:
    done = road.exam("export", "1", "--json")
    archive = road.directory / "1-regression.zip"
    assert done.json == {"section": 1, "path": str(archive), "bytes": archive.stat().st_size}
    elsewhere = road.workspace / "elsewhere"
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(elsewhere)
    (elsewhere / "run_all.py").write_text(RUN_ALL)
    ran = road.exam("run", str(elsewhere / "run_all.py"))
    # The image has what the first cell asks for, so it installs nothing: there is no network.
    assert ran.status == 0 and ran.out.startswith("Ready: tensorflow "), ran
    model = elsewhere / "1-regression" / "model.keras"
    shutil.copy(model, road.workspace / "1-regression")
    assert road.exam("check", "1", "--json").json["verdict"] == "fits"
    assert road.exam("grade", "1", "--json").json["verdict"] == "scored"


def test_each_model_is_graded_when_it_is_saved(road: Road) -> None:
    model = road.workspace / "1-regression" / "model.keras"
    content = model.read_bytes()
    before = len(road.attempts(1))
    told = []
    with road.start("watch", "--json") as process:
        try:
            assert process.stdout is not None and process.stderr is not None
            assert process.stderr.readline().startswith("Watching 1-regression, ")
            for _ in range(2):
                model.write_bytes(content[:100])
                model.write_bytes(content)
                told.append(json.loads(process.stdout.readline()))
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=30) == 130
        finally:
            process.kill()  # or a test that has failed would wait for it
    assert [one["verdict"] for one in told] == ["scored", "scored"]
    assert [one["attempt"] for one in told] == [before + 1, before + 2]
    assert len(road.attempts(1)) == before + 2


def test_what_is_not_there_cannot_be_taken_along(road: Road) -> None:
    assert road.exam("export", "9").status == 2
    done = road.exam("export", "1", "-o", "nowhere/there/1.zip")
    assert done.status == 1 and "cannot be written" in done.err
