"""The whole collection."""

from __future__ import annotations

from tests.attacks.collection import Attack
from tests.attacks.models import HOSTILE_MODELS

try:
    from tests.attacks.submissions import SUBMISSIONS
except ModuleNotFoundError:
    SUBMISSIONS = ()

ATTACKS: tuple[Attack, ...] = (*HOSTILE_MODELS, *SUBMISSIONS)
