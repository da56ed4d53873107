"""Every grade has a receipt; a lost one comes back as it was; it tells no more than it may."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from exam_cli.progress import SILENT
from exam_cli.receipts import dsse, issue, keys
from exam_cli.receipts.statement import GRADE, STATEMENT, SUBMISSION
from exam_cli.sitting.submit import submit
from tests.receipts.conftest import BAD, OTHER, Sit, Sitting


def told(path: Path) -> dict[str, Any]:
    """Return the statement in a receipt."""
    content: dict[str, Any] = json.loads(dsse.opened(path.read_bytes()).payload)
    return content


def test_a_grade_has_a_receipt(sitting: Sitting) -> None:
    graded = sitting.grade()
    assert graded.receipt is not None and graded.notes == ()
    content = told(graded.receipt)
    model = sitting.session.workspace / "1-regression" / "model.keras"
    sha256 = hashlib.sha256(model.read_bytes()).hexdigest()
    assert content["_type"] == STATEMENT and content["predicateType"] == GRADE
    assert content["subject"] == [
        {"name": "1-regression/model.keras", "digest": {"sha256": sha256}}
    ]
    said = content["predicate"]
    row = sitting.rows()[-1]
    assert said["ledger"] == {
        "seq": row.seq, "time": row.time, "kind": "grade", "previous": row.previous,
        "hash": row.hash,
    }  # fmt: skip
    assert (said["session"], said["exam"], said["attempt"]) == (sitting.session.id, "test", 1)
    assert (said["verdict"], said["reason"]) == ("scored", None)
    assert said["metric"]["value"] == 100.0 and said["score"] == graded.verdict.score
    assert said["predictions_sha256"] == graded.verdict.predictions_sha256
    assert said["withheld"] == [] and said["set"]["name"] == "probe"
    assert said["environment"]["lock_sha256"] and said["hardware"]["architecture"] == "x86_64"
    assert said["section"]["form"] == "a" and said["started"] <= said["ended"]


def test_rejected_and_failed_grades_have_one_where_there_is_a_model(sitting: Sitting) -> None:
    sitting.grade(predictor=BAD)
    sitting.engine.reachable = False
    failed = sitting.grade("second")
    sitting.engine.reachable = True
    (sitting.session.workspace / "1-regression" / "model.keras").unlink()
    sitting.answers(BAD)
    rejected = [told(path)["predicate"] for path in sitting.receipts()]
    assert [one["verdict"] for one in rejected] == ["rejected", "failed"]
    assert rejected[0]["reason"] == "crashed" and rejected[0]["score"] == 0
    assert rejected[1]["reason"] == "engine_unreachable" and rejected[1]["attempt"] is None
    assert rejected[1]["environment"]["layers"] is None
    assert failed.receipt is not None and "failed" in failed.receipt.name


def test_a_lost_receipt_comes_back_byte_for_byte(sitting: Sitting) -> None:
    sitting.grade()
    sitting.grade("second")
    before = {path.name: path.read_bytes() for path in sitting.receipts()}
    for path in sitting.receipts():
        path.unlink()
    sitting.grade("third")
    after = {path.name: path.read_bytes() for path in sitting.receipts()}
    assert len(after) == 3 and before.items() <= after.items()
    assert issue.issue(sitting.session) == []


def test_killed_between_row_and_receipt(sitting: Sitting, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        monkeypatch.setattr(issue, "write_file", die)
        sitting.grade()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert sitting.receipts() == [] and len(sitting.rows()) == 1
    for state in sitting.engine.find({"exam.role": ""}):
        sitting.engine.remove(state.id)
    assert issue.tried(sitting.session) == []
    assert told(sitting.receipts()[0])["predicate"]["ledger"]["hash"] == sitting.rows()[0].hash


def test_a_grade_counts_although_its_receipt_cannot_be_written(sitting: Sitting) -> None:
    keys.key_path().parent.mkdir(parents=True)
    keys.key_path().write_text("no key")
    graded = sitting.grade()
    assert graded.attempt == 1 and graded.receipt is None
    (note,) = graded.notes
    assert "counts" in note and "signing key" in note and "damaged" in note
    keys.key_path().unlink()
    assert sitting.grade("second").receipt is not None and len(sitting.receipts()) == 2


def test_nothing_is_signed_on_the_word_of_a_changed_ledger(sitting: Sitting) -> None:
    sitting.grade()
    sitting.receipts()[0].unlink()
    sitting.tamper("UPDATE events SET payload = replace(payload, '\"score\":', '\"score\": ')")
    graded = sitting.grade("second")
    assert sitting.receipts() == [] and "Row 1 was changed" in graded.notes[0]


@pytest.mark.parametrize("feedback", ["scores", "summary"])
def test_a_receipt_tells_no_more_than_the_exam_allows(sit: Sit, feedback: str) -> None:
    sitting = sit(feedback=feedback, seed="kept very secret")
    graded = sitting.grade(predictor=OTHER.replace("400", "700"))
    assert graded.verdict.score != 5, "or there is no next score to tell of"
    assert graded.receipt is not None and graded.verdict.measured is not None
    said = told(graded.receipt)["predicate"]
    text = graded.receipt.read_bytes() + dsse.opened(graded.receipt.read_bytes()).payload
    assert "predictions_sha256" not in said
    assert str(graded.verdict.predictions_sha256).encode() not in text
    assert said["withheld"] == ["metric", "predictions_sha256"]
    if feedback == "scores":
        assert said["metric"] is None and b'"value"' not in text
    else:
        assert said["metric"]["value"] == 600.0 and said["metric"]["next_band"] is None
    assert b"kept very secret" not in text and sitting.session.seed.hex().encode() not in text
    seal = sitting.rows()[-1].payload["seal"]
    assert len(seal["salt"]) == 32 and seal["salt"].encode() not in text


def test_in_a_supervised_exam_predictions_stay_unknown(sit: Sit) -> None:
    graded = sit(supervised=True).grade()
    assert graded.receipt is not None
    said = told(graded.receipt)["predicate"]
    assert said["withheld"] == ["predictions_sha256"] and said["metric"]["value"] == 100.0


def test_the_same_model_leaves_another_hash_each_time(sit: Sit) -> None:
    """Or whoever may not know the metric could find it by trying them all."""
    sitting = sit(feedback="scores")
    sitting.grade()
    sitting.grade()
    one, other = (row.payload["seal"]["salt"] for row in sitting.rows())
    assert one != other


def test_a_submission_has_one(sitting: Sitting) -> None:
    sitting.grade()
    submit(sitting.session, sitting.connect, SILENT)
    content = told(next(path for path in sitting.receipts() if "submission" in path.name))
    assert content["predicateType"] == SUBMISSION
    (section,) = content["predicate"]["sections"]
    assert section["grade"]["set"]["name"] == "final" and section["attempt"] == 1
    assert content["predicate"]["passed"] is (content["predicate"]["total"] >= 90)


def test_the_rules_hash_is_that_of_the_exam_wherever_it_is_sat(sit: Sit) -> None:
    one, two = sit("a", seed="a secret of the class"), sit("b", seed="another secret one")
    other = sit("c", pass_mark=50)
    hashes = [
        told(path)["predicate"]["rules_sha256"]
        for sitting in (one, two, other)
        if (path := sitting.grade().receipt) is not None
    ]
    assert hashes[0] == hashes[1] != hashes[2]


# --- the key


def _keyid(_: int) -> str:
    return keys.signing_key().public.keyid


def test_processes_at_the_same_time_get_the_same_key(exam_home: Path) -> None:
    with ProcessPoolExecutor(8) as pool:
        assert len(set(pool.map(_keyid, range(32)))) == 1
    path = keys.key_path()
    assert path.stat().st_mode & 0o777 == 0o600 and path.is_relative_to(exam_home)
    assert [one.name for one in path.parent.iterdir()] == ["signing.pem"]


def test_a_key_that_others_can_read_is_closed_to_them() -> None:
    before = keys.signing_key().public
    keys.key_path().chmod(0o644)
    assert keys.signing_key().public == before
    assert keys.key_path().stat().st_mode & 0o777 == 0o600


def test_the_public_key_is_a_file_that_others_can_read(tmp_path: Path) -> None:
    public = keys.signing_key().public
    file = tmp_path / "examiner.pem"
    file.write_text(public.pem)
    assert keys.public_key(file) == public and keys.public_key(file).keyid == public.keyid
    private = load_pem_private_key(keys.key_path().read_bytes(), None)
    assert b"PRIVATE" not in file.read_bytes() and private is not None


@pytest.mark.parametrize("content", ["", "no key", "-----BEGIN PUBLIC KEY-----\nAAAA\n"])
def test_what_is_no_key(tmp_path: Path, content: str) -> None:
    file = tmp_path / "key.pem"
    file.write_text(content)
    with pytest.raises(keys.BadKey, match="no public Ed25519 key"):
        keys.public_key(file)


def test_a_private_key_is_not_taken_for_a_public_one() -> None:
    keys.signing_key()
    with pytest.raises(keys.BadKey, match="for nobody to see"):
        keys.public_key(keys.key_path())


# --- the envelope


def test_pae_is_that_of_the_specification() -> None:
    """The vector of DSSE's protocol.md."""
    assert dsse.pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_lengths_are_of_bytes() -> None:
    assert dsse.pae("é", "é".encode()).startswith(b"DSSEv1 2 ")


def test_what_is_signed_is_what_others_would_verify(sitting: Sitting) -> None:
    """By the formats alone, with nothing of this program but the public key."""
    receipt = sitting.grade().receipt
    assert receipt is not None
    envelope = json.loads(receipt.read_text())
    payload = base64.standard_b64decode(envelope["payload"])
    kind = envelope["payloadType"]
    message = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
    private: Any = load_pem_private_key(keys.key_path().read_bytes(), None)
    private.public_key().verify(base64.b64decode(envelope["signatures"][0]["sig"]), message)
