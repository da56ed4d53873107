"""`exam verify`: equal, or the right sentence for every way not to be."""

from __future__ import annotations

import base64
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exam_cli.config.edition import load_edition
from exam_cli.engine.fake import FakeEngine
from exam_cli.engine.fake_images import held
from exam_cli.errors import EngineUnreachable, ExamError, OurFault
from exam_cli.images.build import references
from exam_cli.progress import SILENT
from exam_cli.receipts import dsse, keys
from exam_cli.receipts.check import Forged, UnknownKey, checked
from exam_cli.receipts.keys import PublicKey, SigningKey
from exam_cli.receipts.strict_json import MOST_BYTES, NotAReceipt, read
from exam_cli.session import chain
from exam_cli.session.ledger import Ledger
from exam_cli.session.ledger_errors import LedgerError
from exam_cli.sitting.submit import result, submit
from exam_cli.sitting.verify import Verification, verify, verify_session
from tests.cli.conftest import Exam, exam  # noqa: F401
from tests.receipts.conftest import OTHER, Sit, Sitting


def no_engine() -> FakeEngine:
    raise EngineUnreachable("No container engine answers.")


def look(sitting: Sitting, path: Path | None, pinned: Path | None = None) -> Verification:
    """Verify a receipt and grade again."""
    assert path is not None
    return verify(path, pinned, True, sitting.connect, SILENT)


def wrong(found: Verification) -> dict[str, str]:
    """Return what was found to be wrong, by topic."""
    return {one.topic: one.text for one in found.findings if one.good is False}


@pytest.fixture
def receipt(sitting: Sitting) -> Path:
    path = sitting.grade().receipt
    assert path is not None
    return path


# --- equal


def test_a_grade_made_again_is_equal(sitting: Sitting, receipt: Path) -> None:
    found = look(sitting, receipt)
    assert found.good and found.equal is True
    assert [one.topic for one in found.findings] == ["signature", "ledger", "row", "section 1"]
    assert len(sitting.rows()) == 1, "a verification is no attempt"


def test_a_rejection_made_again_is_equal(sitting: Sitting) -> None:
    from tests.receipts.conftest import BAD

    found = look(sitting, sitting.grade(predictor=BAD).receipt)
    assert found.equal is True and "rejected (crashed)" in found.findings[-1].text


def test_a_submission_is_graded_again_section_by_section(sitting: Sitting) -> None:
    sitting.grade()
    submit(sitting.session, sitting.connect, SILENT)
    found = look(sitting, next(one for one in sitting.receipts() if "submission" in one.name))
    assert found.kind == "submission" and found.equal is True and found.good


def test_a_withheld_metric_is_compared_all_the_same(sit: Sit) -> None:
    sitting = sit(feedback="scores")
    receipt = sitting.grade().receipt
    assert look(sitting, receipt).equal is True
    sitting.answers(OTHER)
    text = wrong(look(sitting, receipt))["section 1"]
    assert "predictions: other than then; metric: other than then" in text
    assert "100" not in text and "300" not in text


@pytest.mark.parametrize("rules", [{"supervised": True}, {"attempts": 3}])
def test_a_verification_is_no_attempt_that_nobody_counts(sit: Sit, rules: dict[str, Any]) -> None:
    sitting = sit(**rules)
    receipt = sitting.grade().receipt
    with pytest.raises(ExamError, match="goes on"):
        look(sitting, receipt)
    assert receipt is not None and verify(receipt, None, False, no_engine, SILENT).good
    submit(sitting.session, sitting.connect, SILENT)
    assert look(sitting, receipt).equal is True


def test_a_failure_of_ours_has_no_grade_to_compare(sitting: Sitting) -> None:
    sitting.engine.reachable = False
    receipt = sitting.grade().receipt
    sitting.engine.reachable = True
    found = look(sitting, receipt)
    assert found.good and found.equal is None


def test_the_signature_alone_needs_neither_engine_nor_session(
    sitting: Sitting, receipt: Path, tmp_path: Path
) -> None:
    pinned = tmp_path / "examiner.pem"
    pinned.write_text(keys.signing_key().public.pem)
    kept = tmp_path / "kept.json"
    shutil.copy(receipt, kept)
    shutil.rmtree(os.environ["EXAM_HOME"])
    found = verify(kept, pinned, False, no_engine, SILENT)
    assert found.good and found.equal is None and "not on this machine" in found.findings[1].text
    found = verify(kept, pinned, True, no_engine, SILENT)
    assert not found.good and "--no-grade" in wrong(found)["ledger"]


# --- what differs


def test_other_predictions(sitting: Sitting, receipt: Path) -> None:
    sitting.answers(OTHER)
    found = look(sitting, receipt)
    text = wrong(found)["section 1"]
    assert found.equal is False
    assert "predictions:" in text and "metric: mae 100 then, mae 300 now" in text
    assert "score:" not in text or "score: 5 then" in text


def image(sitting: Sitting) -> str:
    return references(load_edition(sitting.session.edition), "x86_64").grader


def test_a_grade_names_its_environment(sitting: Sitting) -> None:
    before = held([b"one", b"two"])
    sitting.engine.known.discard(image(sitting))
    sitting.engine.store.keep(before, image(sitting))
    graded = sitting.grade()
    here = sitting.engine.image(image(sitting))
    assert here is not None and graded.receipt is not None
    said = graded.verdict.as_json(1)["environment"]
    assert said["digest"] == here.digest
    assert said["lock_sha256"] == load_edition(sitting.session.edition).fingerprint("x86_64")
    statement = payload_of(json.loads(graded.receipt.read_text()))["predicate"]["environment"]
    assert statement.items() >= said.items() and statement["layers"] == list(here.layers)


def test_another_image_of_the_same_name(sitting: Sitting) -> None:
    """The grade comes out the same, and is not confirmed: nobody knows what else has changed."""
    sitting.engine.known.discard(image(sitting))
    sitting.engine.store.keep(held([b"one", b"two", b"three", b"four"]), image(sitting))
    receipt = sitting.grade().receipt
    then = sitting.engine.image(image(sitting))
    assert look(sitting, receipt).equal is True and then is not None
    sitting.engine.remove_image(image(sitting))
    sitting.engine.store.keep(held([b"one", b"two", b"3", b"four"]), image(sitting))
    now = sitting.engine.image(image(sitting))
    found = look(sitting, receipt)
    text = wrong(found)["section 1"]
    assert found.equal is False and not found.good and now is not None
    assert f"environment digest {then.digest[7:19]} then, {now.digest[7:19]} now" in text
    assert "layer 3 of 4 (TensorFlow's wheels)" in text and "layer 2" not in text
    assert "the grade came out the same" in text
    assert then.digest in text and "exam images load" in text


def test_the_very_image_under_another_name(sitting: Sitting) -> None:
    """While the engine has it, it is what grades again."""
    sitting.engine.known.discard(image(sitting))
    sitting.engine.store.keep(held([b"one", b"two"]), image(sitting))
    receipt = sitting.grade().receipt
    sitting.engine.tag(image(sitting), f"kept:{image(sitting).partition(':')[2]}")
    sitting.engine.store.keep(held([b"one", b"2"]), image(sitting))
    assert look(sitting, receipt).equal is True


def test_the_same_layers_started_otherwise(sitting: Sitting) -> None:
    sitting.engine.known.discard(image(sitting))
    sitting.engine.store.keep(held([b"one"], Env=["A=1"]), image(sitting))
    receipt = sitting.grade().receipt
    sitting.engine.remove_image(image(sitting))
    sitting.engine.store.keep(held([b"one"], Env=["A=2"]), image(sitting))
    text = wrong(look(sitting, receipt))["section 1"]
    assert "environment digest" in text and "layer" not in text


@pytest.mark.parametrize(
    ("key", "words"),
    [("lock_sha256", "lock "), ("tensorflow", "TensorFlow "), ("variant", "variant ")],
)
def test_what_else_tells_an_environment(
    sitting: Sitting, receipt: Path, key: str, words: str
) -> None:
    sitting.tamper(
        "UPDATE events SET payload = json_set(payload, ?, ?)", f"$.environment.{key}", "other"
    )
    found = look(sitting, receipt)
    assert found.equal is False and f"{words}other then, " in wrong(found)["section 1"]


def test_a_grade_of_an_older_program_is_not_called_equal(sitting: Sitting, receipt: Path) -> None:
    sitting.tamper("UPDATE events SET payload = json_remove(payload, '$.environment.digest')")
    found = look(sitting, receipt)
    assert found.equal is None
    assert "names no environment" in found.findings[-1].text
    assert found.findings[-1].good is None


def test_a_changed_copy_of_the_model(sitting: Sitting, receipt: Path) -> None:
    (snapshot,) = sitting.session.snapshots.iterdir()
    snapshot.write_bytes(snapshot.read_bytes() + b"!")
    assert "is not what was graded" in wrong(look(sitting, receipt))["section 1"]


def test_a_missing_copy_of_the_model(sitting: Sitting, receipt: Path) -> None:
    (snapshot,) = sitting.session.snapshots.iterdir()
    snapshot.unlink()
    assert "is gone" in wrong(look(sitting, receipt))["section 1"]


def test_without_an_engine_it_is_our_fault(sitting: Sitting, receipt: Path) -> None:
    with pytest.raises(OurFault):
        verify(receipt, None, True, no_engine, SILENT)
    sitting.engine.known.clear()
    with pytest.raises(OurFault, match="image"):
        look(sitting, receipt)


# --- the ledger


def test_a_changed_row_is_named(sitting: Sitting, receipt: Path) -> None:
    sitting.tamper(
        "UPDATE events SET payload = replace(payload, '\"score\":5', '\"score\":4') WHERE seq = 1"
    )
    found = wrong(look(sitting, receipt))
    assert "Row 1 was changed" in found["ledger"]
    assert "score is 5 in the receipt and 4 there" in found["row"]


def test_a_row_that_cannot_be_read_is_named(sitting: Sitting, receipt: Path) -> None:
    sitting.tamper("UPDATE events SET payload = '{' WHERE seq = 1")
    with pytest.raises(LedgerError, match="row 1 cannot be read"):
        look(sitting, receipt)


def test_rows_taken_out_are_named(sitting: Sitting, receipt: Path) -> None:
    sitting.grade("second")
    sitting.tamper("DELETE FROM events WHERE seq = 1")
    found = wrong(look(sitting, receipt))
    assert found["ledger"] == "Row 1 is missing."
    assert "row 1 of session" in found["row"] and "not in the ledger" in found["row"]


def test_a_ledger_written_anew_is_noticed(sitting: Sitting, receipt: Path) -> None:
    """Its own chain holds; only what was signed tells."""
    (row,) = sitting.rows()
    payload = {**row.payload, "score": 0}
    digest = chain.seal(row.seq, row.time, row.kind, payload, row.previous)
    sitting.tamper("UPDATE events SET payload=?, hash=?", chain.canonical(payload), digest)
    found = wrong(look(sitting, receipt))
    assert "ledger" not in found
    assert "ledger.hash is" in found["row"] and "score is 5" in found["row"]


def test_a_row_of_another_kind(sitting: Sitting, receipt: Path) -> None:
    sitting.tamper("UPDATE events SET kind = 'started', payload = '{}'")
    assert "is no grade" in wrong(look(sitting, receipt))["row"]


def test_a_result_that_was_changed_is_not_shown(sitting: Sitting) -> None:
    sitting.grade()
    submit(sitting.session, sitting.connect, SILENT)
    sitting.tamper(
        "UPDATE events SET payload = replace(payload, '\"total\":', '\"total\":9') WHERE seq = 2"
    )
    with pytest.raises(LedgerError, match="Row 2 was changed"):
        result(sitting.session)


@pytest.mark.parametrize("column", ["time", "kind", "payload", "previous", "hash"])
@pytest.mark.parametrize("value", ["", b"\xff", 7, "{}", "[]", '{"model":1,"seal":2}', "submitted"])
def test_whatever_stands_in_a_row_it_is_named(receipt: Path, column: str, value: object) -> None:
    (ledger,) = Path(os.environ["EXAM_HOME"]).glob("sessions/*/ledger.sqlite")
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("DROP TRIGGER events_keep")
        connection.execute(f"UPDATE events SET {column} = ?", (value,))
        connection.commit()
    try:
        found = wrong(verify(receipt, None, False, no_engine, SILENT))
    except LedgerError as error:
        assert "row 1 cannot be read" in str(error)
    else:
        assert "Row 1 was changed" in found["ledger"] and "row 1" in found["row"]


def test_submit_refuses_a_changed_ledger_and_names_the_row(sitting: Sitting) -> None:
    sitting.grade()
    sitting.grade("second")
    sitting.tamper("UPDATE events SET time = '2020-01-01' WHERE seq = 2")
    with pytest.raises(LedgerError, match="Row 2 was changed") as refusal:
        submit(sitting.session, sitting.connect, SILENT)
    assert refusal.value.reason == "ledger_forged"
    with Ledger(sitting.session.ledger_path) as ledger:
        assert ledger.events("submitted") == []


# --- forged receipts


Change = Callable[[dict[str, Any]], None]


def payload_of(envelope: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))
    return content


def packed(content: dict[str, Any]) -> str:
    return base64.b64encode(json.dumps(content).encode()).decode()


def better_score(envelope: dict[str, Any]) -> None:
    content = payload_of(envelope)
    content["predicate"]["score"] = 5.0
    envelope["payload"] = packed(content)


def other_signature(envelope: dict[str, Any]) -> None:
    raw = bytearray(base64.b64decode(envelope["signatures"][0]["sig"]))
    raw[7] ^= 1
    envelope["signatures"][0]["sig"] = base64.b64encode(raw).decode()


def short_signature(envelope: dict[str, Any]) -> None:
    envelope["signatures"][0]["sig"] = "AAAA"


def other_type(envelope: dict[str, Any]) -> None:
    envelope["payloadType"] = "application/json"


def other_keyid(envelope: dict[str, Any]) -> None:
    envelope["signatures"][0]["keyid"] = "0" * 64


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (better_score, "changed after it was signed"),
        (other_signature, "changed after it was signed"),
        (short_signature, "changed after it was signed"),
        (other_type, "payload's type"),
        (other_keyid, "names another"),
    ],
)
def test_what_was_changed_is_forged(
    sitting: Sitting, receipt: Path, change: Change, sentence: str
) -> None:
    envelope = json.loads(receipt.read_text())
    change(envelope)
    receipt.write_text(json.dumps(envelope))
    with pytest.raises(Forged, match=sentence) as refusal:
        look(sitting, receipt)
    assert refusal.value.exit_status == 1


def stranger() -> SigningKey:
    return SigningKey(Ed25519PrivateKey.generate())


def test_another_key(sitting: Sitting, receipt: Path) -> None:
    payload = dsse.opened(receipt.read_bytes()).payload
    other = stranger()
    receipt.write_bytes(dsse.signed(payload, other))
    with pytest.raises(UnknownKey, match="--key") as refusal:
        look(sitting, receipt)
    assert other.public.keyid[:16] in str(refusal.value)


def test_another_key_that_takes_the_name_of_ours(sitting: Sitting, receipt: Path) -> None:
    envelope = json.loads(dsse.signed(dsse.opened(receipt.read_bytes()).payload, stranger()))
    envelope["signatures"][0]["keyid"] = keys.signing_key().public.keyid
    receipt.write_text(json.dumps(envelope))
    with pytest.raises(Forged, match="changed after it was signed"):
        look(sitting, receipt)


def test_only_the_pinned_key_is_believed(sitting: Sitting, receipt: Path, tmp_path: Path) -> None:
    pinned = tmp_path / "another.pem"
    pinned.write_text(stranger().public.pem)
    with pytest.raises(UnknownKey):
        look(sitting, receipt, pinned)
    pinned.write_text(keys.signing_key().public.pem)
    assert look(sitting, receipt, pinned).good


def test_a_machine_without_a_key_knows_none(receipt: Path, tmp_path: Path) -> None:
    raw = receipt.read_bytes()
    with pytest.raises(UnknownKey, match="known here are: none"):
        checked(raw, [])


def test_a_second_signature_neither_helps_nor_harms(sitting: Sitting, receipt: Path) -> None:
    envelope = json.loads(receipt.read_text())
    other = json.loads(dsse.signed(base64.b64decode(envelope["payload"]), stranger()))
    envelope["signatures"].insert(0, other["signatures"][0])
    receipt.write_text(json.dumps(envelope))
    assert look(sitting, receipt).good


@pytest.mark.parametrize(
    "spelling",
    [
        lambda text: text.replace("+", "-").replace("/", "_"),  # which DSSE allows
    ],
)
def test_base64_as_dsse_allows_it(
    sitting: Sitting, receipt: Path, spelling: Callable[[str], str]
) -> None:
    envelope = json.loads(receipt.read_text())
    envelope["payload"] = spelling(envelope["payload"])
    envelope["signatures"][0]["sig"] = spelling(envelope["signatures"][0]["sig"])
    receipt.write_text(json.dumps(envelope))
    assert look(sitting, receipt).good


@pytest.mark.parametrize(
    "spelling",
    [
        lambda text: text.rstrip("="),
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text[:-3] + chr(ord(text[-3]) + 1) + "==",  # a spare bit is set
        lambda text: text + "====",
        lambda text: text[:10] + "!" + text[10:],
        lambda _: "é",
        lambda _: None,
        lambda _: 7,
    ],
)
def test_base64_in_one_way_only(receipt: Path, spelling: Callable[[str], Any]) -> None:
    envelope = json.loads(receipt.read_text())
    assert envelope["signatures"][0]["sig"].endswith("==")
    envelope["signatures"][0]["sig"] = spelling(envelope["signatures"][0]["sig"])
    with pytest.raises(NotAReceipt, match="no Base64"):
        dsse.opened(json.dumps(envelope).encode())


def twice(text: str) -> str:
    return text.replace('"payloadType"', '"payload": "AAAA", "payloadType"')


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (twice, "says 'payload' twice"),
        (lambda text: text + "{}", "Extra data"),
        (lambda text: text[:-20], "no JSON"),
        (lambda _: "", "no JSON"),
        (lambda _: "[]", "no JSON object"),
        (lambda _: "null", "no JSON object"),
        (lambda _: '{"payload": NaN}', "NaN"),
        (lambda _: "[" * 100_000, "nested too deeply"),
        (lambda _: "9" * 5000, "no JSON"),
        (lambda _: '{"a": "\\ud800"}', "UTF-8"),
        (lambda _: "{}", "no DSSE envelope"),
        (lambda _: '{"payload": "", "payloadType": "", "signatures": []}', "no DSSE envelope"),
        (lambda _: '{"payload": "", "payloadType": "x", "signatures": [1]}', "a signature"),
        (lambda text: text.replace('"keyid": "', '"keyid": 1, "x": "'), "a signature"),
        (lambda text: " " * (MOST_BYTES + 1) + text, "over 1 MB"),
    ],
)
def test_what_is_no_receipt(
    sitting: Sitting, receipt: Path, change: Callable[[str], str], sentence: str
) -> None:
    receipt.write_text(change(receipt.read_text()))
    with pytest.raises(NotAReceipt, match=sentence):
        look(sitting, receipt)


def test_a_payload_that_says_a_thing_twice(sitting: Sitting, receipt: Path) -> None:
    payload = dsse.opened(receipt.read_bytes()).payload
    doubled = payload.replace(b'"predicate":', b'"predicate":{},"predicate":')
    receipt.write_bytes(dsse.signed(doubled, keys.signing_key()))
    with pytest.raises(NotAReceipt, match="twice"):
        look(sitting, receipt)


@pytest.mark.parametrize("content", [{}, {"_type": 1}, {"predicate": {"session": "../../etc"}}])
def test_what_was_signed_but_is_no_receipt(receipt: Path, content: dict[str, Any]) -> None:
    good = json.loads(dsse.opened(receipt.read_bytes()).payload)
    good.update(content)
    text = json.dumps(content if not content else good).encode()
    with pytest.raises(NotAReceipt):
        checked(dsse.signed(text, keys.signing_key()), [keys.signing_key().public])


def test_files_that_are_none(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(NotAReceipt, match="cannot be read"):
            read(path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotAReceipt):
        checked(read(tmp_path / "pipe"), [])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["payload", "payloadType", "signatures", "keyid", "sig", "@context", "type",
                 "issuer", "proof", "cryptosuite", "proofValue", "id"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip
KEY = PublicKey(bytes(range(32)))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_get_a_sentence(raw: bytes) -> None:
    with pytest.raises(ExamError) as refusal:
        checked(raw, [KEY])
    sentence = str(refusal.value)
    assert refusal.value.exit_status == 1 and sentence.endswith(".") and len(sentence) < 600


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.integers(min_value=0), value=st.integers(0, 255))
def test_no_byte_of_a_receipt_can_be_another(receipt: Path, place: int, value: int) -> None:
    """Or what was changed is said; but for blanks, and letters that mean the same in Base64."""
    good = receipt.read_bytes()
    raw = bytearray(good)
    raw[place % len(raw)] = value
    own = [keys.signing_key().public]
    try:
        found = checked(bytes(raw), own)
    except ExamError:
        return
    assert found.content == checked(good, own).content


# --- the whole session, and the command


def test_a_whole_session(sitting: Sitting, receipt: Path) -> None:
    sitting.grade("second")
    found = verify_session(sitting.session)
    assert found.good and [one.topic for one in found.findings] == [
        "ledger", "0001-section-1-attempt-1.json", "0002-section-1-attempt-2.json",
    ]  # fmt: skip
    envelope = json.loads(receipt.read_text())
    better_score(envelope)
    receipt.write_text(json.dumps(envelope))
    found = verify_session(sitting.session)
    assert list(wrong(found)) == ["0001-section-1-attempt-1.json"]


def test_the_command(sitting: Sitting, receipt: Path, exam: Exam) -> None:  # noqa: F811
    done = exam("verify", str(receipt), "--no-grade", "--json")
    assert done.status == 0 and done.json["good"] is True and done.json["kind"] == "grade"
    assert done.json["equal"] is None and done.json["receipt"] == str(receipt)
    shown = exam("verify", str(receipt), "--no-grade")
    assert shown.status == 0 and "signature  ok" in shown.out
    public = exam("verify", "--public-key")
    assert public.status == 0 and public.out == keys.signing_key().public.pem
    envelope = json.loads(receipt.read_text())
    better_score(envelope)
    receipt.write_text(json.dumps(envelope))
    forged = exam("verify", str(receipt), "--json")
    assert forged.status == 1 and forged.json["reason"] == "forged"
    assert "changed after it was signed" in forged.sentence


def test_the_command_when_something_differs(
    sitting: Sitting,
    receipt: Path,
    exam: Exam,  # noqa: F811
) -> None:
    sitting.tamper("UPDATE events SET time = '2020' WHERE seq = 1")
    done = exam("verify", str(receipt), "--no-grade")
    assert done.status == 1 and "WRONG" in done.out and "Row 1 was changed" in done.out
    whole = exam("verify", "--workspace", str(sitting.session.workspace), "--json")
    assert whole.status == 1 and whole.json["kind"] == "session"
