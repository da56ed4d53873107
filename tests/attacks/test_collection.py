"""The collection is whole: every known kind of attack is in it, in every format it applies to."""

from __future__ import annotations

import pytest

from exam_cli.grading.verdict import REJECTED
from tests.attacks.all import ATTACKS
from tests.attacks.collection import FILES, KNOWN


@pytest.mark.parametrize("known", KNOWN)
def test_every_known_kind_is_there_in_every_format(known: str) -> None:
    found = {attack.format for attack in ATTACKS if attack.known == known}
    assert found >= set(KNOWN[known])


def test_every_attack_is_of_a_known_kind_and_has_a_name_of_its_own() -> None:
    assert {attack.known for attack in ATTACKS} <= set(KNOWN)
    ids = [attack.id for attack in ATTACKS]
    assert sorted(set(ids)) == sorted(ids)
    assert len(ids) >= 60


def test_every_attack_says_what_must_come_of_it() -> None:
    for attack in ATTACKS:
        assert attack.reason is None or attack.reason in REJECTED, attack.id
        assert attack.make is not None or attack.format not in FILES, attack.id
