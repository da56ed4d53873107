"""Hostile and broken submissions that are files and not models: all of them, in one tuple."""

from __future__ import annotations

from tests.attacks.archives import ARCHIVES
from tests.attacks.collection import Attack
from tests.attacks.odd_files import ODD_FILES
from tests.attacks.zips import ZIPS

SUBMISSIONS: tuple[Attack, ...] = (*ODD_FILES, *ZIPS, *ARCHIVES)
