"""A class graded on the real engine: rows for all, nothing twice, nothing left."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exam_cli.engine.port import Engine
from exam_cli.images.build import Images
from tests.engine.models import Models
from tests.engine.road import EXAM, Road

pytestmark = pytest.mark.engine

EXAM_FILE = """
exam: class
seed: "nobody outside this test knows it"
pass_mark: 20
sections: [{section: 1}, {section: 4}]
"""
# Who hands in which models; `good_*` are one small honest model in several formats.
CLASS = {
    "ann": ("good_keras", "good_text_keras"),
    "bob": ("good_keras", None),
    "cat": ("good_savedmodel", "good_tokens_h5"),
    "dan": ("exit_quietly-keras", None),
    "=eve": (None, None),
}

Hand = Callable[[], Path]


@pytest.fixture(scope="module")
def class_road(
    docker_engine: Engine, edition_images: Images, tmp_path_factory: pytest.TempPathFactory
) -> Road:
    directory = tmp_path_factory.mktemp("class")
    (directory / "exam.yaml").write_text(EXAM_FILE)
    return Road(directory, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def handed_in(class_road: Road, models: Models) -> Path:
    """The directory with everybody's work; one of them sent an archive, one a broken one."""
    place = class_road.directory / "work"
    for name, chosen in CLASS.items():
        (place / name).mkdir(parents=True)
        for model in chosen:
            if model is not None:
                shutil.copytree(models.directory / model, place / name, dirs_exist_ok=True)
    with tarfile.open(place / "fay.tar.gz", "w:gz") as archive:
        archive.add(models.directory / "good_h5", arcname="fay")
    (place / "gus.zip").write_bytes(b"PK, but no archive")
    (place / "notes.txt").write_text("a stray")
    return place


def line(road: Road, place: Path, *options: str) -> tuple[str, ...]:
    exam = str(road.directory / "exam.yaml")
    out = str(road.directory / "results")
    return ("cohort", "grade", str(place), "--out", out, "--exam", exam, "--json", *options)


def containers(engine: Engine) -> list[str]:
    found = engine.find({"exam.session": ""})
    return [one.id for one in found if one.labels["exam.session"].startswith("cohort-")]


def test_killed_and_interrupted_it_goes_on(
    class_road: Road, handed_in: Path, docker_engine: Engine
) -> None:
    book = class_road.directory / "results" / "grades.jsonl"

    def gone_wrong(how: signal.Signals) -> list[str]:
        before = book.read_text().count("\n") if book.exists() else 0
        process = class_road.start(*line(class_road, handed_in))
        deadline = time.monotonic() + 120
        while not book.exists() or book.read_text().count("\n") <= before:
            assert time.monotonic() < deadline and process.poll() is None, process.communicate()
            time.sleep(0.05)
        process.send_signal(how)
        process.communicate(timeout=30)
        return book.read_text().splitlines(keepends=True)

    first = gone_wrong(signal.SIGKILL)
    second = gone_wrong(signal.SIGINT)
    assert containers(docker_engine) == [], "an interrupt leaves nothing"
    assert second[: len(first)] == first and len(second) > len(first)

    done = class_road.exam(*line(class_road, handed_in), timeout=600)
    assert done.status == 0, done.err
    entries = [json.loads(one) for one in book.read_text().splitlines()]
    keys = [(one["candidate"], one["section"]) for one in entries]
    assert len(keys) == len(set(keys)), "nothing was graded twice"
    assert containers(docker_engine) == []


@pytest.fixture(scope="module")
def told(class_road: Road, handed_in: Path) -> dict[str, Any]:
    done = class_road.exam(*line(class_road, handed_in), timeout=600)
    assert done.status == 0, done.err
    return {one["candidate"]: one for one in done.json["candidates"]}


def test_everybody_has_a_row(told: dict[str, Any], class_road: Road) -> None:
    assert sorted(told) == sorted([*CLASS, "fay", "gus"])
    verdicts = {
        name: [one["sections"][n]["verdict"] for n in ("1", "4")] for name, one in told.items()
    }
    assert verdicts["ann"] == ["scored", "scored"] == verdicts["cat"]
    assert verdicts["bob"] == ["scored", "rejected"] == verdicts["fay"]
    assert told["bob"]["sections"]["4"]["reason"] == "no_model"
    assert told["dan"]["sections"]["1"]["reason"] == "crashed"
    assert told["=eve"]["total"] == 0 and told["gus"]["total"] == 0
    assert "archive" in told["gus"]["sections"]["1"]["message"]


def test_the_same_work_is_marked(told: dict[str, Any]) -> None:
    assert told["ann"]["same_model"] == {"1": ["bob"]}
    metrics = {told[name]["sections"]["1"]["metric"]["value"] for name in ("ann", "bob", "cat")}
    assert len(metrics) == 1, "one model in several formats has one metric"


def test_files_for_people_and_for_spreadsheets(told: dict[str, Any], class_road: Road) -> None:
    out = class_road.directory / "results"
    rows = list(csv.reader((out / "results.csv").read_text().splitlines()))
    assert len(rows) == 1 + len(told) and "'=eve" in {row[0] for row in rows}
    html = (out / "report.html").read_text()
    assert all(name in html for name in CLASS)
    assert json.loads((out / "results.json").read_text())["strays"] == ["notes.txt"]


def test_each_graded_model_has_a_receipt(told: dict[str, Any], class_road: Road) -> None:
    place = class_road.directory / "results" / "receipts"
    found = {path.relative_to(place).as_posix() for path in place.rglob("*.json")}
    assert found == {
        "ann/1-regression.json", "ann/4-nlp.json", "bob/1-regression.json", "cat/1-regression.json",
        "cat/4-nlp.json", "dan/1-regression.json", "fay/1-regression.json",
    }  # fmt: skip
    for name in ("ann/1-regression.json", "dan/1-regression.json"):
        done = class_road.exam("verify", str(place / name), "--json")
        assert done.status == 0 and done.json["kind"] == "class", done
        assert [one["good"] for one in done.json["findings"]] == [True, True, None]


def test_without_room_for_a_worker_it_says_so_first(class_road: Road, handed_in: Path) -> None:
    done = class_road.exam(*line(class_road, handed_in, "--workers", "200"))
    assert done.status == 1 and "take fewer --workers" in done.err


def test_the_command_is_there() -> None:
    assert subprocess.run([*EXAM, "cohort", "grade", "--help"], check=False).returncode == 0
