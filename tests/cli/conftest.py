"""Run the command line as `exam` does, in this process: its own entry, its own boundary."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from exam_cli.cli.main import main
from exam_cli.config.edition import DEFAULT_EDITION
from exam_cli.config.exam import load_exam
from exam_cli.session.session import Session, start_session


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object on standard output."""
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """The one line of the error, without what every error has."""
        assert self.err.startswith("exam: ") and self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        sentence = self.err.removeprefix("exam: ").strip()
        assert sentence.endswith((".", ")")), sentence
        return sentence


Exam = Callable[..., Outcome]


@pytest.fixture
def exam(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Exam:
    """Return a function that runs `exam` with arguments."""

    def run(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["exam", *arguments])
        capsys.readouterr()
        status = main()
        told = capsys.readouterr()
        return Outcome(status, told.out, told.err)

    return run


@pytest.fixture
def no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the program at a socket where nobody listens."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session whose workspace is the current directory's `workspace`."""
    monkeypatch.chdir(tmp_path)
    return start_session(tmp_path / "workspace", load_exam("practice"), DEFAULT_EDITION, "cpu")
