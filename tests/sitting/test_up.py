"""What `exam up` refuses before it makes anything."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from exam_cli.config.edition import DEFAULT_EDITION
from exam_cli.config.exam import Exam
from exam_cli.engine.fake import FakeEngine
from exam_cli.errors import ExamError
from exam_cli.progress import SILENT
from exam_cli.session.session import all_sessions, start_session
from exam_cli.sitting.up import up


def refused(workspace: Path, exam: Exam | None = None) -> str:
    with pytest.raises(ExamError) as told:
        up(workspace, exam, DEFAULT_EDITION, 0, FakeEngine(), SILENT)
    return str(told.value)


def test_another_user_s_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    mine = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    sentence = refused(workspace)
    assert f"belongs to another user (uid {mine}, you are {mine + 1})" in sentence
    assert all_sessions() == [] and list(workspace.iterdir()) == []


def test_a_file_in_the_workspace_s_place(tmp_path: Path) -> None:
    (tmp_path / "workspace").write_text("mine")
    assert "is a file" in refused(tmp_path / "workspace")
    assert all_sessions() == []


def test_a_second_exam_in_the_same_workspace(tmp_path: Path) -> None:
    session = start_session(tmp_path / "workspace", Exam(exam="first"), DEFAULT_EDITION, "cpu")
    assert "already sits the exam first" in refused(session.workspace, Exam(exam="second"))
    assert [one.id for one in all_sessions()] == [session.id]
