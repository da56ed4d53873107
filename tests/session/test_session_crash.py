"""A session is begun once: by many at the same time, and in spite of a kill at any line."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest

from exam_cli.config.exam import Exam
from exam_cli.errors import ExamError
from exam_cli.files import locked
from exam_cli.session.ledger import Ledger
from exam_cli.session.session import (
    Session,
    WorkspaceMoved,
    adopt,
    all_sessions,
    find_session,
    forget,
    start_session,
)
from tests.session.kill import killed_at_line


def start(workspace: Path) -> Session:
    return start_session(workspace, Exam(exam="practice"), "2.15", "cpu")


def test_many_at_once_get_one_session(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "workspace")
    places = [tmp_path / "workspace", tmp_path / "link"] * 4
    (tmp_path / "workspace").mkdir()
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        sessions = list(pool.map(start, places))
    assert all_sessions() == sessions[:1]
    assert set(sessions) == set(sessions[:1])


def test_killed_at_every_line_of_starting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for line in range(1000):
        home = tmp_path / f"home {line}"
        workspace = tmp_path / f"workspace {line}"
        monkeypatch.setenv("EXAM_HOME", str(home))
        killed = killed_at_line(line, partial(start, workspace))

        before = all_sessions()  # none, or a whole one: a reader never meets half a record
        session = start(workspace)
        assert before in ([], [session])
        assert all_sessions() == [session]
        assert find_session(workspace) == session
        assert len(session.seed) == 32
        with Ledger(session.ledger_path) as ledger:
            assert ledger.events() == []
        assert {path.name for path in session.directory.parent.iterdir()} == {".lock", session.id}
        if not killed:
            assert line > 100
            return
    pytest.fail("it never got through")


def test_killed_at_every_line_of_adopting(tmp_path: Path) -> None:
    session = start(tmp_path / "0")
    for line in range(1000):
        old, new = tmp_path / f"{line}", tmp_path / f"{line + 1}"
        old.rename(new)
        killed = killed_at_line(line, partial(adopt, session, new))
        try:
            found = find_session(new)
        except WorkspaceMoved as moved:
            found = adopt(moved.session, moved.workspace)
        assert found.workspace == new
        assert all_sessions() == [found]
        assert found.seed == session.seed
        if not killed:
            assert line > 20
            return
    pytest.fail("it never got through")


def test_killed_at_every_line_of_forgetting(tmp_path: Path) -> None:
    for line in range(1000):
        session = start(tmp_path)
        killed = killed_at_line(line, partial(forget, session))
        again = start(tmp_path)  # the same one, or a new one; nothing in between
        assert all_sessions() == [again]
        assert (again == session) == session.directory.exists()
        if not killed:
            assert again != session
            return
    pytest.fail("it never got through")


def test_a_lock_that_is_held_is_an_error_in_time(tmp_path: Path) -> None:
    with locked(tmp_path / "lock"):
        with (
            pytest.raises(ExamError, match="Another `exam` command") as caught,
            locked(tmp_path / "lock", timeout=0.05),
        ):
            pytest.fail("two held it at once")
        assert caught.value.reason == "busy"
    with locked(tmp_path / "lock", timeout=0):
        pass
