"""An Open Badges 3.0 credential for a pass, which anybody can verify without a network.

The format is 1EdTech's Open Badges 3.0 (https://www.imsglobal.org/spec/ob/v3p0/): a Verifiable
Credential (VC 2.0) with an AchievementSubject. Of the two kinds of proof it allows, this has the
embedded one (Data Integrity, eddsa-jcs-2022): the other, VC-JWT, wants RS256 to be understood by
all, and an id of the recipient, who here has a name or a hashed address and no DID. The suite that
most wallets know, eddsa-rdfc-2022, needs a library that makes RDF canonical; jcs needs none and is
in the same specification. A wallet that knows only rdfc shows such a badge but cannot verify it.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from typing import Any

from exam_cli.config.exam import Exam
from exam_cli.errors import ExamError
from exam_cli.receipts.data_integrity import did_key, method_of, proven
from exam_cli.receipts.keys import SigningKey
from exam_cli.session.chain import Event

# Names in the format; nothing is fetched from there.
CONTEXTS = [
    "https://www.w3.org/ns/credentials/v2",
    "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json",
]
TYPES = ["VerifiableCredential", "OpenBadgeCredential"]
_OURS = uuid.UUID("6b1f3c52-3a0e-5d0b-9b58-0d2a7a1c4e03")  # names are made from it, by hashing
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Recipient:
    """Who passed: a name, an e-mail address, both, or neither."""

    name: str | None = None
    email: str | None = None

    def __post_init__(self) -> None:
        """Raise ExamError for what is no name or address."""
        if self.name is not None and not (
            self.name.strip() and self.name.isprintable() and len(self.name) <= _LONGEST_NAME
        ):
            raise ExamError(
                f"{self.name[:40]!r} is no name for a certificate: give printable text of at most "
                f"{_LONGEST_NAME} characters."
            )
        if self.email is not None and (
            self.email.count("@") != 1 or not self.email.isprintable() or " " in self.email
        ):
            raise ExamError(f"{self.email[:60]!r} is no e-mail address.")

    def as_json(self) -> dict[str, Any]:
        """Return what the ledger keeps: of the address, a salted hash as Open Badges has it."""
        told: dict[str, Any] = {"name": self.name, "email_sha256": None, "email_salt": None}
        if self.email is not None:
            salt = secrets.token_hex(8)
            hashed = hashlib.sha256((self.email + salt).encode()).hexdigest()
            told.update({"email_sha256": hashed, "email_salt": salt})
        return told


def badge_id(session: str, event: Event) -> str:
    """Return the name of the badge for a submission: always the same one."""
    return _urn(f"badge:{session}:{event.hash}")


def issue_badge(event: Event, session: str, rules: Exam, key: SigningKey) -> dict[str, Any]:
    """Return the credential for a pass; the same row always gives the same.

    Args:
        event: the row of a submission that passed; its `recipient`, if any, says whose it is.
        session: the id of the session.
        rules: the exam's.
        key: who issues it.
    """
    content = event.payload
    assert content["passed"], "there is no badge for less"
    when = event.time[:19] + "Z"  # seconds, UTC
    title = rules.title or rules.exam
    seal = content["seal"]["rules_sha256"]
    result = _urn(f"result:{seal}")
    document = {
        "@context": CONTEXTS,
        "id": badge_id(session, event),
        "type": TYPES,
        "name": title,
        "issuer": {
            "id": did_key(key.public),
            "type": ["Profile"],
            "name": f"Examiner {key.public.keyid[:12]}",
        },
        "validFrom": when,
        "awardedDate": when,
        "credentialSubject": {
            "type": ["AchievementSubject"],
            "identifier": _identities(content.get("recipient"), session),
            "activityEndDate": when,
            "achievement": {
                "id": _urn(f"achievement:{seal}"),
                "type": ["Achievement"],
                "achievementType": "Assessment",
                "name": title,
                "description": "A hands-on exam: machine-learning models, trained and saved by the "
                "candidate, scored on data that the candidate had never seen.",
                "criteria": {"narrative": _criteria(content, rules)},
                "resultDescription": [
                    {
                        "id": result,
                        "type": ["ResultDescription"],
                        "name": "Points of 100",
                        "resultType": "RawScore",
                        "valueMin": "0",
                        "valueMax": "100",
                        "requiredValue": f"{content['pass_mark']:g}",
                    }
                ],
            },
            "result": [
                {
                    "type": ["Result"],
                    "resultDescription": result,
                    "value": f"{content['total']:g}",
                }
            ],
        },
        "evidence": [
            {
                "type": ["Evidence"],
                "name": "Signed receipt of the submission",
                "narrative": f"Session {session}, row {event.seq} of its ledger, SHA-256 "
                f"{event.hash}.",
            }
        ],
    }
    return proven(document, key, when, method_of(key.public))


def _criteria(content: dict[str, Any], rules: Exam) -> str:
    sections = ", ".join(f"{one['title']} ({one['weight']:g})" for one in content["sections"])
    limit = f"within {rules.duration}" if rules.duration else "without a time limit"
    watched = "under supervision" if rules.supervised else "without supervision"
    return (
        f"At least {content['pass_mark']:g} of 100 points, {limit}, {watched}. One saved model a "
        "section is scored from 0 to 5 against hidden data; sections and their weights: "
        f"{sections}."
    )


def _identities(recipient: dict[str, Any] | None, session: str) -> list[dict[str, Any]]:
    """Return who it is for: a name in plain text, an address as a hash, or else the session."""
    told = recipient or {}
    found = []
    if told.get("name"):
        found.append(_identity("name", told["name"], hashed=False))
    if told.get("email_sha256"):
        hashed = _identity("emailAddress", f"sha256${told['email_sha256']}", hashed=True)
        found.append({**hashed, "salt": told["email_salt"]})
    return found or [_identity("systemId", session, hashed=False)]


def _identity(kind: str, value: str, *, hashed: bool) -> dict[str, Any]:
    return {
        "type": "IdentityObject",
        "hashed": hashed,
        "identityHash": value,
        "identityType": kind,
    }


def _urn(name: str) -> str:
    return uuid.uuid5(_OURS, name).urn
