"""The Open Badge: by its specification, by the suite's own vector, and against every forgery."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from exam_cli.errors import ExamError
from exam_cli.progress import SILENT
from exam_cli.receipts import keys
from exam_cli.receipts.badge import CONTEXTS, Recipient, issue_badge
from exam_cli.receipts.check import Forged, UnknownKey, checked
from exam_cli.receipts.data_integrity import (
    _from_multibase,
    _multibase,
    canonical,
    did_key,
    is_proven,
    key_of_did,
    method_of,
    proven,
)
from exam_cli.receipts.issue import issue
from exam_cli.receipts.keys import SigningKey
from exam_cli.receipts.strict_json import NotAReceipt
from exam_cli.sitting.submit import submit
from exam_cli.sitting.verify import verify
from tests.receipts.conftest import OTHER, Sitting
from tests.receipts.test_verify import no_engine, stranger, wrong

# TestVectors/eddsa-jcs-2022/signedJCS.json and TestVectors/keyPair.json of w3c/vc-di-eddsa.
VECTOR_KEY = "z3u2en7t5LR2WtQH5PfFqMqwVHBeXouLzo6haApm8XHqvjxq"
VECTOR_PUBLIC = "z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"
VECTOR_VALUE = (
    "z63t83Y53KfzJ5ZosfKTnqfMcKB2dmTrfjSaQjeNNjAD5srBowQfmWqeRb8rRjmeEuCBEsddF9LsVogtuTsijJKh4"
)
VECTOR = {
    "@context": [
        "https://www.w3.org/ns/credentials/v2",
        "https://www.w3.org/ns/credentials/examples/v2",
    ],
    "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
    "type": ["VerifiableCredential", "AlumniCredential"],
    "name": "Alumni Credential",
    "description": "A minimum viable example of an Alumni Credential.",
    "issuer": "https://vc.example/issuers/5678",
    "validFrom": "2023-01-01T00:00:00Z",
    "credentialSubject": {"id": "did:example:abcdefgh", "alumniOf": "The School of Examples"},
}


def vector_key() -> SigningKey:
    raw = _from_multibase(VECTOR_KEY)
    assert raw is not None
    return SigningKey(Ed25519PrivateKey.from_private_bytes(raw[2:]))


def test_the_vector_of_the_suite() -> None:
    key = vector_key()
    assert did_key(key.public) == f"did:key:{VECTOR_PUBLIC}"
    method = f"https://vc.example/issuers/5678#{VECTOR_PUBLIC}"
    signed = proven(VECTOR, key, "2023-02-24T23:36:38Z", method)
    assert signed["proof"]["proofValue"] == VECTOR_VALUE
    assert is_proven(signed, key.public)
    assert not is_proven({**signed, "name": "Another"}, key.public)


@given(st.binary(max_size=70))
def test_base58_there_and_back(raw: bytes) -> None:
    assert _from_multibase(_multibase(raw)) == raw


@given(st.text(max_size=60))
def test_any_text_is_a_key_or_none(text: str) -> None:
    assert key_of_did(f"did:key:{text}") is None or text.startswith("z6Mk")


def test_json_as_rfc_8785_has_it() -> None:
    value = {"b": ['\u20ac\n\x0f"\\/', True, None, -7], "a": {"€".encode().hex(): ""}}
    assert canonical(value) == (
        '{"a":{"e282ac":""},"b":["\u20ac\\n\\u000f\\"\\\\/",true,null,-7]}'.encode()
    )
    for bad in ({"a": 1.5}, {"a": [2**53]}, {"é": 1}):
        with pytest.raises(NotAReceipt):
            canonical(bad)


# --- issued


@pytest.fixture
def passed(sitting: Sitting) -> Path:
    sitting.grade()
    recipient = Recipient("Ada Lovelace", "ada@example.com")
    done = submit(sitting.session, sitting.connect, SILENT, recipient=recipient)
    assert done.content["passed"]
    return next(path for path in sitting.receipts() if "badge" in path.name)


def content_of(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_all_that_open_badges_requires(passed: Path) -> None:
    """The required fields of 3.0's JSON schema (AchievementCredential and what it refers to)."""
    badge = content_of(passed)
    required = {"@context", "id", "type", "name", "issuer", "validFrom", "credentialSubject"}
    assert required <= set(badge)
    assert badge["@context"][0] == "https://www.w3.org/ns/credentials/v2"
    assert re.fullmatch(r"https://purl\.imsglobal\.org/spec/ob/v3p0/context-3\.0\.\d\.json",
                        badge["@context"][1])  # fmt: skip
    assert {"VerifiableCredential", "OpenBadgeCredential"} <= set(badge["type"])
    assert badge["id"].startswith("urn:uuid:")
    for name in ("validFrom", "awardedDate"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", badge[name])
    issuer = badge["issuer"]
    assert {"id", "type"} <= set(issuer) and issuer["type"] == ["Profile"]
    subject = badge["credentialSubject"]
    assert subject["type"] == ["AchievementSubject"]
    assert ("id" in subject) != ("identifier" in subject)
    achievement = subject["achievement"]
    assert {"id", "type", "criteria", "description", "name"} <= set(achievement)
    assert achievement["type"] == ["Achievement"] and achievement["criteria"]["narrative"]
    (description,) = achievement["resultDescription"]
    assert {"id", "type", "name", "resultType"} <= set(description)
    assert description["resultType"] == "RawScore" and description["requiredValue"] == "90"
    (result,) = subject["result"]
    assert result["type"] == ["Result"] and result["resultDescription"] == description["id"]
    assert result["value"] == "100"
    for identity in subject["identifier"]:
        assert {"type", "hashed", "identityHash", "identityType"} <= set(identity)
        assert set(identity) <= {"type", "hashed", "identityHash", "identityType", "salt"}
        assert identity["type"] == "IdentityObject"
    proof = badge["proof"]
    assert proof["type"] == "DataIntegrityProof" and proof["cryptosuite"] == "eddsa-jcs-2022"
    assert proof["proofPurpose"] == "assertionMethod"
    assert proof["verificationMethod"] == f"{issuer['id']}#{issuer['id'].split(':')[-1]}"


def test_whose_it_is(passed: Path) -> None:
    name, email = content_of(passed)["credentialSubject"]["identifier"]
    assert (name["identityHash"], name["hashed"]) == ("Ada Lovelace", False)
    hashed = hashlib.sha256(f"ada@example.com{email['salt']}".encode()).hexdigest()
    assert (email["identityHash"], email["hashed"]) == (f"sha256${hashed}", True)
    assert email["identityType"] == "emailAddress" and "ada@" not in passed.read_text()


def test_nobody_s_badge_is_the_session_s(sitting: Sitting) -> None:
    sitting.grade()
    submit(sitting.session, sitting.connect, SILENT)
    badge = content_of(next(path for path in sitting.receipts() if "badge" in path.name))
    (identity,) = badge["credentialSubject"]["identifier"]
    assert identity["identityHash"] == sitting.session.id


def test_there_is_none_for_less_than_a_pass(sitting: Sitting) -> None:
    sitting.grade(predictor=OTHER.replace("400", "900"))
    done = submit(sitting.session, sitting.connect, SILENT)
    assert not done.content["passed"]
    assert [path.name for path in sitting.receipts() if "badge" in path.name] == []


def test_a_lost_badge_comes_back_byte_for_byte(sitting: Sitting, passed: Path) -> None:
    before = passed.read_bytes()
    passed.unlink()
    assert issue(sitting.session) == [passed] and passed.read_bytes() == before


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201, "\x1b[2J"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ExamError, match="no name"):
        Recipient(name)


@pytest.mark.parametrize("email", ["", "ada", "a@b@c", "a b@c", "a@b\n"])
def test_what_is_no_address(email: str) -> None:
    with pytest.raises(ExamError, match="no e-mail"):
        Recipient(email=email)


# --- verified


def test_it_is_verified_here_and_anywhere(
    sitting: Sitting, passed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = verify(passed, None, False, no_engine, SILENT)
    assert found.good and found.kind == "badge"
    assert "says the same" in found.findings[-1].text
    found = verify(passed, None, True, sitting.connect, SILENT)
    assert found.good and found.equal is True
    pinned = tmp_path / "issuer.pem"
    pinned.write_text(keys.signing_key().public.pem)
    monkeypatch.setenv("EXAM_HOME", str(tmp_path / "elsewhere"))
    found = verify(passed, pinned, True, no_engine, SILENT)
    assert found.good and "not on this machine" in found.findings[-1].text


def edited(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = content_of(path)
    change(content)
    path.write_text(json.dumps(content))


def more_points(badge: dict[str, Any]) -> None:
    badge["credentialSubject"]["result"][0]["value"] = "101"


def other_name(badge: dict[str, Any]) -> None:
    badge["credentialSubject"]["identifier"][0]["identityHash"] = "Eve"


def other_purpose(badge: dict[str, Any]) -> None:
    badge["proof"]["proofPurpose"] = "authentication"


def other_date(badge: dict[str, Any]) -> None:
    badge["proof"]["created"] = "2020-01-01T00:00:00Z"


def other_context(badge: dict[str, Any]) -> None:
    badge["proof"]["@context"] = [*CONTEXTS, "urn:x"]


def no_signature(badge: dict[str, Any]) -> None:
    badge["proof"]["proofValue"] = "z"


@pytest.mark.parametrize(
    "change", [more_points, other_name, other_purpose, other_date, other_context, no_signature]
)
def test_what_was_changed_is_forged(passed: Path, change: Callable[[dict[str, Any]], None]) -> None:
    edited(passed, change)
    with pytest.raises(Forged, match="changed after it was signed"):
        verify(passed, None, False, no_engine, SILENT)


def test_another_issuer(sitting: Sitting, passed: Path) -> None:
    key, row = stranger(), sitting.rows()[-1]
    badge = issue_badge(row, sitting.session.id, sitting.session.rules, key)
    passed.write_text(json.dumps(badge))
    with pytest.raises(UnknownKey, match=key.public.keyid[:16]):
        verify(passed, None, False, no_engine, SILENT)


def test_our_proof_under_another_s_name(sitting: Sitting, passed: Path) -> None:
    ours = keys.signing_key()
    badge = content_of(passed)
    del badge["proof"]
    badge["issuer"]["id"] = did_key(stranger().public)
    signed = proven(badge, ours, badge["validFrom"], method_of(ours.public))
    with pytest.raises(Forged, match="another issuer"):
        checked(json.dumps(signed).encode(), [ours.public])


def test_a_badge_for_more_than_the_ledger_says(sitting: Sitting, passed: Path) -> None:
    """Signed by our very key: its owner may write what they like, but not into the ledger."""
    row = sitting.rows()[-1]
    better = replace(row, payload={**row.payload, "total": 101})
    badge = issue_badge(better, sitting.session.id, sitting.session.rules, keys.signing_key())
    passed.write_text(json.dumps(badge))
    found = wrong(verify(passed, None, False, no_engine, SILENT))
    assert '"101" in the receipt and "100" there' in found["row"]


def test_on_a_machine_that_knows_no_key(passed: Path) -> None:
    with pytest.raises(UnknownKey, match="none"):
        checked(passed.read_bytes(), [])
