"""Who signed a receipt or a badge, and what it says; nothing of it is believed before."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from exam_cli.errors import ExamError
from exam_cli.receipts import dsse
from exam_cli.receipts.badge import TYPES
from exam_cli.receipts.data_integrity import is_proven, key_of_did, method_of
from exam_cli.receipts.keys import PublicKey
from exam_cli.receipts.statement import CLASS, GRADE, STATEMENT, SUBMISSION
from exam_cli.receipts.strict_json import NotAReceipt, parse

_KINDS = {GRADE: "grade", SUBMISSION: "submission", CLASS: "class"}
_SESSION = re.compile(r"[0-9a-f]{12}")
_SHOWN = 16  # digits of a key's name


class Forged(ExamError):
    """A receipt that is not what was signed."""

    reason = "forged"


class UnknownKey(ExamError):
    """A receipt signed by somebody of whom nothing is known here."""

    reason = "unknown_key"


@dataclass(frozen=True)
class Signed:
    """What a key that is known has signed.

    `kind` is grade, submission, class (a grade of somebody in a class) or badge; `content` is the
    statement, or the credential itself.
    """

    kind: str
    content: dict[str, Any]
    key: PublicKey

    @property
    def session(self) -> str:
        """The session that a receipt is from."""
        return str(self.content["predicate"]["session"])


def checked(raw: bytes, keys: Sequence[PublicKey]) -> Signed:
    """Return what a file holds once one of `keys` is seen to have signed it.

    Raises `NotAReceipt` for a file that is none, `Forged` when it, or its signature, was changed,
    and `UnknownKey` when none of the keys has anything to do with it.
    """
    content = parse(raw, "The receipt")
    if "@context" in content:
        return _badge(content, keys)
    envelope = dsse.opened(raw)
    if envelope.payload_type != dsse.PAYLOAD_TYPE:
        raise Forged(
            f"The payload's type is {envelope.payload_type[:60]!r} and not {dsse.PAYLOAD_TYPE}: it "
            "was changed, or this is no receipt."
        )
    for key in keys:
        found = envelope.signed_by(key)
        if found is None:
            continue
        if found.keyid not in ("", key.keyid):
            raise Forged(
                f"The receipt was signed by key {key.keyid[:_SHOWN]} and names another, "
                f"{found.keyid[:_SHOWN]!r}: it was changed after it was signed."
            )
        return _receipt(parse(envelope.payload, "The receipt's payload"), key)
    named = {one.keyid for one in envelope.signatures}
    raise _stranger(next((key for key in keys if key.keyid in named), None), sorted(named), keys)


def _stranger(named: PublicKey | None, names: list[str], keys: Sequence[PublicKey]) -> ExamError:
    """Return what to say of a signature that no known key has made."""
    if named is not None:
        return Forged(
            f"The signature is not that of key {named.keyid[:_SHOWN]} over this receipt: the "
            "receipt or its signature was changed after it was signed."
        )
    shown = ", ".join(name[:_SHOWN] for name in names if name) or "a key that it does not name"
    known = ", ".join(key.keyid[:_SHOWN] for key in keys) or "none"
    return UnknownKey(
        f"The receipt was signed by {shown}, and the keys that are known here are: {known}. Ask "
        "whoever graded for the public key (`exam verify --public-key`) and name it with --key."
    )


def _receipt(content: dict[str, Any], key: PublicKey) -> Signed:
    kind = _KINDS.get(str(content.get("predicateType")))
    predicate = content.get("predicate")
    if content.get("_type") != STATEMENT or kind is None or not isinstance(predicate, dict):
        raise NotAReceipt("What was signed is no receipt of a grade or a submission.")
    if kind == "class":
        return Signed(kind, content, key)
    ledger = predicate.get("ledger")
    row = ledger.get("seq") if isinstance(ledger, dict) else None
    session = predicate.get("session")
    if not isinstance(session, str) or not _SESSION.fullmatch(session) or type(row) is not int:
        raise NotAReceipt("The receipt names no session and no row of its ledger.")
    return Signed(kind, content, key)


def _badge(content: dict[str, Any], keys: Sequence[PublicKey]) -> Signed:
    issuer = content.get("issuer")
    stated = key_of_did(issuer.get("id") if isinstance(issuer, dict) else issuer)
    if content.get("type") != TYPES or stated is None:
        raise NotAReceipt("The credential is no Open Badge by an Ed25519 did:key.")
    for key in keys:
        if is_proven(content, key):
            proof = content["proof"]
            if stated != key or proof.get("verificationMethod") != method_of(key):
                raise Forged("The badge names another issuer than the one that signed it.")
            return Signed("badge", content, key)
    named = stated if stated in keys else None
    raise _stranger(named, [stated.keyid], keys)
