"""A proof inside the JSON that it is of: `eddsa-jcs-2022`, and keys that are their own address.

Data Integrity EdDSA Cryptosuites v1.0 (https://www.w3.org/TR/vc-di-eddsa/), section 3.3: Ed25519
over SHA-256(proof options) and SHA-256(document), each as RFC 8785 writes JSON. Keys are `did:key`
(https://w3c-ccg.github.io/did-key-spec/), so that nothing has to be fetched to verify.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from exam_cli.receipts.keys import PublicKey, SigningKey
from exam_cli.receipts.strict_json import NotAReceipt

_SUITE = "eddsa-jcs-2022"
_ED25519 = b"\xed\x01"  # multicodec: an Ed25519 public key follows
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_LONGEST = 128  # characters of a key or a signature in Base58, with room to spare
_LARGEST = 2**53 - 1  # beyond it, RFC 8785 and Python write whole numbers differently


def did_key(key: PublicKey) -> str:
    """Return a public key as a DID: `did:key:z6Mk...`."""
    return f"did:key:{_multibase(_ED25519 + key.raw)}"


def key_of_did(did: object) -> PublicKey | None:
    """Return the Ed25519 key that a DID is, None for anything else."""
    if not isinstance(did, str) or not did.startswith("did:key:"):
        return None
    raw = _from_multibase(did.removeprefix("did:key:"))
    if raw is None or not raw.startswith(_ED25519) or len(raw) != len(_ED25519) + 32:
        return None
    return PublicKey(raw.removeprefix(_ED25519))


def method_of(key: PublicKey) -> str:
    """Return the address of a key inside its own DID document."""
    did = did_key(key)
    return f"{did}#{did.removeprefix('did:key:')}"


def proven(document: dict[str, Any], key: SigningKey, created: str, method: str) -> dict[str, Any]:
    """Return a document with a proof by `key`.

    Args:
        document: JSON without numbers that have a fraction.
        key: who proves.
        created: when, in UTC, as 2026-01-31T12:00:00Z.
        method: the address of the key's public half, such as `method_of` gives.
    """
    options: dict[str, Any] = {
        "type": "DataIntegrityProof",
        "cryptosuite": _SUITE,
        "created": created,
        "verificationMethod": method,
        "proofPurpose": "assertionMethod",
    }
    if "@context" in document:
        options["@context"] = document["@context"]
    value = _multibase(key.sign(_hashes(document, options)))
    return {**document, "proof": {**options, "proofValue": value}}


def is_proven(document: dict[str, Any], key: PublicKey) -> bool:
    """Say whether a document's one proof was made by `key` over what the document now says.

    Raises `NotAReceipt` when it has no such proof at all.
    """
    proof = document.get("proof")
    if not isinstance(proof, dict) or proof.get("cryptosuite") != _SUITE:
        raise NotAReceipt(f"The credential has no {_SUITE} proof.")
    options = {name: value for name, value in proof.items() if name != "proofValue"}
    bare = {name: value for name, value in document.items() if name != "proof"}
    meant = proof.get("type") == "DataIntegrityProof"
    meant = meant and proof.get("proofPurpose") == "assertionMethod"
    meant = meant and proof.get("@context") == bare.get("@context")
    signature = _from_multibase(proof.get("proofValue"))
    if not meant or signature is None:
        return False
    return key.verifies(signature, _hashes(bare, options))


def canonical(value: object) -> bytes:
    """Return JSON as RFC 8785 writes it.

    For text, whole numbers, true, false and null, Python's own JSON writes the same, except that
    it sorts keys by code point and not by UTF-16 unit: keys outside ASCII, and numbers with a
    fraction, are refused, for nothing that we sign has any. Raises `NotAReceipt`.
    """
    _refuse_others(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8")


def _refuse_others(value: object) -> None:
    if isinstance(value, dict):
        if not all(name.isascii() for name in value):
            raise NotAReceipt("The credential has keys that are not ASCII.")
        for one in value.values():
            _refuse_others(one)
    elif isinstance(value, list):
        for one in value:
            _refuse_others(one)
    elif isinstance(value, float) or (isinstance(value, int) and abs(value) > _LARGEST):
        raise NotAReceipt("The credential has a number that is not whole, or too large.")


def _hashes(document: dict[str, Any], options: dict[str, Any]) -> bytes:
    parts = (canonical(options), canonical(document))
    return b"".join(hashlib.sha256(part).digest() for part in parts)


def _multibase(raw: bytes) -> str:
    """Return bytes in Base58 as Bitcoin has it; the `z` says so."""
    number, text = int.from_bytes(raw, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return "z" + "1" * (len(raw) - len(raw.lstrip(b"\0"))) + text


def _from_multibase(text: object) -> bytes | None:
    """Return the bytes, None when it is not Base58, or far longer than anything of ours."""
    if not isinstance(text, str) or not text.startswith("z") or len(text) > _LONGEST:
        return None
    number = 0
    for letter in text[1:]:
        digit = _BASE58.find(letter)
        if digit < 0:
            return None
        number = number * 58 + digit
    zeros = len(text[1:]) - len(text[1:].lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")
