"""The whole collection."""

from __future__ import annotations

from tests.attacks.collection import Attack
from tests.attacks.models import HOSTILE_MODELS
from tests.attacks.submissions import SUBMISSIONS

ATTACKS: tuple[Attack, ...] = (*HOSTILE_MODELS, *SUBMISSIONS)
