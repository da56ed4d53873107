"""DSSE, the envelope that a receipt is signed in.

Version 1.0.2 of https://github.com/secure-systems-lab/dsse (protocol.md, envelope.md). What is
signed is the payload's bytes together with their type, so neither can be taken for another.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

from exam_cli.receipts.keys import PublicKey, SigningKey
from exam_cli.receipts.strict_json import NotAReceipt, parse

PAYLOAD_TYPE = "application/vnd.in-toto+json"
_MOST_SIGNATURES = 16


@dataclass(frozen=True)
class Signature:
    """One signature, and the name of the key that is said to have made it: a hint, no proof."""

    keyid: str
    sig: bytes


@dataclass(frozen=True)
class Envelope:
    """A payload of some type, and who signed it."""

    payload: bytes
    payload_type: str
    signatures: tuple[Signature, ...]

    def signed_by(self, key: PublicKey) -> Signature | None:
        """Return the signature that this key made, whatever its `keyid` says; None without one."""
        message = pae(self.payload_type, self.payload)
        return next((one for one in self.signatures if key.verifies(one.sig, message)), None)


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return what is signed: the pre-authentication encoding of a payload and its type.

    PAE(type, body) = "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body, lengths in bytes.
    """
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def signed(payload: bytes, key: SigningKey) -> bytes:
    """Return the envelope around an in-toto statement, as the text of a file."""
    envelope = {
        "payload": base64.b64encode(payload).decode("ascii"),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [
            {
                "keyid": key.public.keyid,
                "sig": base64.b64encode(key.sign(pae(PAYLOAD_TYPE, payload))).decode("ascii"),
            }
        ],
    }
    return json.dumps(envelope, indent=1).encode("ascii") + b"\n"


def opened(raw: bytes, what: str = "The receipt") -> Envelope:
    """Return the envelope in a file's bytes; nothing of it is verified yet.

    Fields that are not DSSE's are ignored, as it asks for. Raises `NotAReceipt`.
    """
    content = parse(raw, what)
    payload_type, signatures = content.get("payloadType"), content.get("signatures")
    if not isinstance(payload_type, str) or not isinstance(signatures, list) or not signatures:
        raise NotAReceipt(f"{what} is no DSSE envelope: it needs payload, payloadType, signatures.")
    if len(signatures) > _MOST_SIGNATURES:
        raise NotAReceipt(f"{what} has over {_MOST_SIGNATURES} signatures.")
    found = []
    for one in signatures:
        keyid = (one.get("keyid") or "") if isinstance(one, dict) else None
        if not isinstance(keyid, str):
            raise NotAReceipt(f"{what} has a signature that is none.")
        found.append(Signature(keyid, _decoded(one.get("sig"), "signature", what)))
    return Envelope(_decoded(content.get("payload"), "payload", what), payload_type, tuple(found))


def _decoded(text: object, name: str, what: str) -> bytes:
    """Return the bytes of Base64, standard or URL-safe (DSSE allows both), padded, in full."""
    try:
        if not isinstance(text, str):
            raise ValueError
        plain = text.replace("-", "+").replace("_", "/").encode("ascii")
        raw = base64.b64decode(plain, validate=True)
        if base64.b64encode(raw) != plain:  # spare bits: the same bytes said in another way
            raise ValueError
    except (ValueError, binascii.Error):
        raise NotAReceipt(f"The {name} of {what[0].lower()}{what[1:]} is no Base64.") from None
    return raw
