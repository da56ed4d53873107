"""Receipts on the real engine: verified equal, then each thing changed; and nothing is ever lost.

The tests of this file are one sitting, in order.
"""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exam_cli.engine.port import ContainerSpec, Engine, ImageInfo
from exam_cli.images.build import Images
from exam_cli.progress import SILENT
from exam_cli.sitting.verify import verify
from tests.engine.road import Done, Road, candidate
from tests.engine.test_cli_road import place_baseline

pytestmark = pytest.mark.engine

EXAM_FILE = """
exam: receipts
title: "Receipts, tried"
pass_mark: 0
sections: [{section: 1}, {section: 2}]
"""


@pytest.fixture(scope="module")
def sat(
    docker_engine: Engine, edition_images: Images, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Road]:
    """A candidate with two graded models of section 1 and one of section 2."""
    directory, home = tmp_path_factory.mktemp("sitting"), tmp_path_factory.mktemp("home")
    (directory / "exam.yaml").write_text(EXAM_FILE)
    with candidate(docker_engine, directory, home, "--exam", "exam.yaml") as road:
        place_baseline(road, 1)
        place_baseline(road, 2)
        for section in ("1", "2"):
            done = road.exam("grade", section)
            assert done.status == 0 and "Receipt: " in done.out, done
        (road.workspace / "2-classification" / "model.keras").write_bytes(b"PK no model")
        assert road.exam("grade", "2").status == 1
        yield road


def receipts(road: Road) -> list[Path]:
    return sorted((road.record() / "receipts").glob("*.json"))


def receipt(road: Road, name: str) -> Path:
    (found,) = (path for path in receipts(road) if name in path.name)
    return found


def wrong(done: Done) -> dict[str, str]:
    return {one["topic"]: one["text"] for one in done.json["findings"] if one["good"] is False}


def test_a_receipt_names_the_image_s_digest(
    sat: Road, docker_engine: Engine, edition_images: Images
) -> None:
    here = docker_engine.image(edition_images.grader)
    envelope = json.loads(receipt(sat, "section-1-attempt-1").read_text())
    said = json.loads(base64.b64decode(envelope["payload"]))["predicate"]["environment"]
    assert here is not None and said["digest"] == here.digest
    assert said["layers"] == list(here.layers)
    assert edition_images.grader.endswith(f"-{said['lock_sha256'][:12]}")


_INVENTED = "sha256:" + "1" * 64


class Changed:
    """The real engine after somebody has put another image under the grader's name."""

    def __init__(self, engine: Engine, name: str, then: str) -> None:
        self._engine, self._name, self._then = engine, name, then

    def image(self, reference: str) -> ImageInfo | None:
        """Return the image with one more layer; what it was before is gone."""
        found = self._engine.image(reference)
        if found is None or reference == self._then:
            return None
        if reference == self._name:
            return replace(found, id=_INVENTED, layers=[*found.layers, "sha256:more"])
        return found

    def create(self, spec: ContainerSpec) -> str:
        """Create a container of the same content, whose id is another in truth."""
        image = self._then if spec.image == _INVENTED else spec.image
        return self._engine.create(replace(spec, image=image))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def test_another_image_of_the_name_is_not_called_equal(
    sat: Road, docker_engine: Engine, edition_images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the very same content that grades, so the grade comes out the same."""
    here = docker_engine.image(edition_images.grader)
    assert here is not None
    monkeypatch.setenv("EXAM_HOME", str(sat.home))
    engine: Any = Changed(docker_engine, edition_images.grader, here.id)
    found = verify(receipt(sat, "section-1-attempt-1"), None, True, lambda: engine, SILENT)
    (text,) = [one.text for one in found.findings if one.good is False]
    assert found.equal is False and "the grade came out the same" in text
    assert here.digest in text and "4 layers then, 5 now" in text


def test_every_grade_is_made_again_and_equal(sat: Road) -> None:
    names = [path.name for path in receipts(sat)]
    assert names == [
        "0002-section-1-attempt-1.json",
        "0003-section-2-attempt-1.json",
        "0004-section-2-attempt-2.json",
    ]
    for path in receipts(sat):
        done = sat.exam("verify", str(path), "--json")
        assert done.status == 0 and done.json["equal"] is True, done
    statement = json.loads(base64.b64decode(json.loads(receipts(sat)[0].read_text())["payload"]))
    said = statement["predicate"]
    assert said["environment"]["image"].startswith("sha256:")
    assert len(said["environment"]["layers"]) > 1
    assert said["hardware"]["cores"] > 0 and said["hardware"]["cpu"]
    assert sat.attempts(1) == [1], "a verification is no attempt"
    whole = sat.exam("verify", "--json")
    assert whole.status == 0 and len(whole.json["findings"]) == 4, whole


def test_elsewhere_with_the_examiner_s_public_key(sat: Road, tmp_path: Path) -> None:
    (tmp_path / "examiner.pem").write_text(sat.exam("verify", "--public-key").out)
    shutil.copy(receipts(sat)[0], tmp_path / "mine.json")
    nowhere = {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    other = Road(tmp_path, tmp_path / "home", environment=nowhere)
    done = other.exam("verify", "mine.json", "--key", "examiner.pem", "--no-grade", "--json")
    assert done.status == 0 and done.json["good"] is True, done
    unknown = other.exam("verify", "mine.json", "--no-grade", "--json")
    assert (unknown.status, unknown.json["reason"]) == (1, "unknown_key")


def test_a_forged_receipt(sat: Road, tmp_path: Path) -> None:
    envelope = json.loads(receipts(sat)[0].read_text())
    payload = base64.b64decode(envelope["payload"]).replace(b'"score":', b'"score": ')
    envelope["payload"] = base64.b64encode(payload).decode()
    (tmp_path / "forged.json").write_text(json.dumps(envelope))
    done = sat.exam("verify", str(tmp_path / "forged.json"), "--json")
    assert (done.status, done.json["reason"]) == (1, "forged")


def test_one_byte_of_the_kept_model(sat: Road) -> None:
    path = receipt(sat, "section-1-attempt-1")
    model = json.loads(base64.b64decode(json.loads(path.read_text())["payload"]))["subject"][0]
    snapshot = sat.record() / "snapshots" / f"{model['digest']['sha256']}.keras"
    good = snapshot.read_bytes()
    snapshot.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    done = sat.exam("verify", str(path), "--json")
    assert done.status == 1 and "is not what was graded" in wrong(done)["section 1"]
    snapshot.write_bytes(good)
    assert sat.exam("verify", str(path)).status == 0


def test_a_row_of_the_ledger(sat: Road) -> None:
    ledger = sat.record() / "ledger.sqlite"
    with closing(sqlite3.connect(ledger)) as connection:
        (payload,) = connection.execute("SELECT payload FROM events WHERE seq = 2").fetchone()
        connection.execute("DROP TRIGGER events_keep")
        better = payload.replace('"max_score":5', '"max_score":6')
        connection.execute("UPDATE events SET payload = ? WHERE seq = 2", (better,))
        connection.commit()
    done = sat.exam("verify", str(receipt(sat, "section-1-attempt-1")), "--json")
    assert done.status == 1 and "Row 2 was changed" in wrong(done)["ledger"]
    assert "max_score is 5 in the receipt and 6 there" in wrong(done)["row"]
    refused = sat.exam("submit", "--yes", "--json")
    assert (refused.status, refused.json["reason"]) == (1, "ledger_forged")
    assert "Row 2 was changed" in refused.err
    reported = sat.exam("report", "--json")
    assert reported.status == 1 and "Row 2 was changed" in reported.err
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("UPDATE events SET payload = ? WHERE seq = 2", (payload,))
        connection.commit()
    assert sat.problems() == []


def test_neither_workspace_nor_container_holds_what_was_graded(
    sat: Road, docker_engine: Engine
) -> None:
    model = sat.workspace / "1-regression" / "model.keras"
    good = model.read_bytes()
    for state in docker_engine.find({"exam.session": sat.session()}):
        docker_engine.remove(state.id)
    shutil.rmtree(sat.workspace)
    for path in receipts(sat):
        path.unlink()
    assert sat.exam("up", "--port", "0", "--json").status == 0
    assert not model.exists() and len(receipts(sat)) == 3
    assert sat.exam("restore", "1", "1").status == 0
    assert model.read_bytes() == good
    assert sat.exam("verify", "--json").status == 0


def test_grades_that_are_killed_have_receipts_all_the_same(sat: Road) -> None:
    for moment in (0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.8, 1.2, 2.0, 3.0):
        with sat.start("grade", "1") as process:
            time.sleep(moment)
            process.kill()
    assert sat.exam("grade", "1").status == 0
    grades = [path for path in receipts(sat) if "section-1-attempt" in path.name]
    assert len(grades) == len(sat.attempts(1)) and sat.problems() == []
    assert sat.exam("verify", "--json").status == 0


def test_a_submission_and_its_badge(sat: Road) -> None:
    done = sat.exam("submit", "--yes", "--json")
    assert done.status == 0 and done.json["passed"] is True, done
    told: dict[str, Any] = done.json
    assert "salt" not in json.dumps(told) and "predictions_sha256" not in json.dumps(told)
    for name in ("submission", "badge"):
        again = sat.exam("verify", str(receipt(sat, name)), "--json")
        assert again.status == 0 and again.json["equal"] is True, again
        sections = [one["topic"] for one in again.json["findings"][-2:]]
        assert sections == ["section 1", "section 2"]
