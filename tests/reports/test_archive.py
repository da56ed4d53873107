"""The archive that is handed in: a class's grading must be able to take it."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from exam_cli.cohort.archive import unpack
from exam_cli.cohort.candidates import call_the_roll
from exam_cli.grading.intake import take
from exam_cli.reports.archive import file_name, ledger_export, pack
from exam_cli.sections.catalog import shipped_section
from exam_cli.session import chain
from exam_cli.session.ledger import Ledger
from tests.grading.conftest import keras_bytes

SECTION = shipped_section(1)


def test_a_class_takes_the_model_out_of_it_and_nothing_else(tmp_path: Path) -> None:
    place = tmp_path / "workspace" / SECTION.directory
    place.mkdir(parents=True)
    (place / "model.keras").write_bytes(keras_bytes())
    submission = take(SECTION, tmp_path / "workspace", tmp_path / "snapshots")
    (tmp_path / "class").mkdir()
    path = tmp_path / "class" / file_name("Ada", "0123456789ab")
    files = {"record/ledger.jsonl": b"{}\n", "result/report.html": place / "model.keras"}
    pack(path, {SECTION.directory: submission}, files)
    first = path.read_bytes()
    pack(path, {SECTION.directory: submission}, files)
    assert path.read_bytes() == first
    assert [one.name for one in path.parent.iterdir()] == [path.name]  # no draft is left

    (candidate,) = call_the_roll(path.parent).candidates
    assert candidate.trouble is None and candidate.name == "ada-0123456789ab"
    unpack(candidate.path, tmp_path / "out", [SECTION.directory])
    again = take(SECTION, tmp_path / "out", tmp_path / "again")
    assert again.record.sha256 == submission.record.sha256
    found = [one for one in (tmp_path / "out").rglob("*") if one.is_file()]
    assert found == [tmp_path / "out" / SECTION.directory / "model.keras"]


def test_a_saved_directory_comes_back_as_the_same_model(
    tmp_path: Path, saved_model: object
) -> None:
    place = tmp_path / "workspace" / SECTION.directory
    place.mkdir(parents=True)
    saved_model(place / "model")  # type: ignore[operator]
    submission = take(SECTION, tmp_path / "workspace", tmp_path / "snapshots")
    pack(tmp_path / "a.zip", {SECTION.directory: submission}, {})
    unpack(tmp_path / "a.zip", tmp_path / "out", [SECTION.directory])
    again = take(SECTION, tmp_path / "out", tmp_path / "again")
    assert again.record.sha256 == submission.record.sha256


@given(st.text(max_size=120))
def test_a_name_of_any_kind_makes_a_name_of_a_file(name: str) -> None:
    found = file_name(name, "0123456789ab")
    assert found.endswith("0123456789ab.zip") and len(found.encode()) < 120
    assert found == Path(found).name and not found.startswith((".", "-")) and found.isprintable()


def test_the_ledger_is_exported_as_it_was_written(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.append("started", {})
        ledger.append_attempt(1, {"verdict": "scored", "metric": {"value": 0.123}})
        events = ledger.events()
    rows = [json.loads(line) for line in ledger_export(events, whole=True).splitlines()]
    stored = [(*row[:3], chain.canonical(row[3]), *row[4:]) for row in rows]
    assert chain.problems(stored, 2) == []
    rows[1][3]["metric"]["value"] = 0.9
    stored = [(*row[:3], chain.canonical(row[3]), *row[4:]) for row in rows]
    assert chain.problems(stored, 2) == ["Row 2 was changed after it was written."]
    told = ledger_export(events, whole=False)
    assert b"0.123" not in told and events[1].hash.encode() in told
