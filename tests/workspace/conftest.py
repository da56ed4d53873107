"""A session, a home of the candidate's own, and the way in to its container."""

from __future__ import annotations

from pathlib import Path

import pytest

from exam_cli.config.edition import DEFAULT_EDITION
from exam_cli.config.exam import load_exam
from exam_cli.session.session import Session, start_session
from exam_cli.workspace.door import Door, last_door
from exam_cli.workspace.keys import ensure_keys, note_port


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where ~ is."""
    place = tmp_path / "candidate"
    place.mkdir()
    monkeypatch.setenv("HOME", str(place))
    return place


@pytest.fixture
def session(tmp_path: Path, home: Path) -> Session:
    found = start_session(tmp_path / "work", load_exam("practice"), DEFAULT_EDITION, "cpu")
    ensure_keys(found)
    note_port(found, 12222)
    return found


@pytest.fixture
def door(session: Session) -> Door:
    return last_door(session)
