"""A candidate at a terminal: the installed `exam` command, a directory, a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exam_cli.engine.port import Engine
from exam_cli.session.ledger import Ledger

EXAM = (str(Path(sys.executable).with_name("exam")),)


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object that `--json` promises on standard output."""
        assert self.out.count("\n") == 1, (self.out, self.err)
        return json.loads(self.out)


@dataclass(frozen=True)
class Road:
    """Where a candidate sits: `directory` is what they have changed into, `home` is EXAM_HOME."""

    directory: Path
    home: Path
    command: tuple[str, ...] = EXAM
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def workspace(self) -> Path:
        """What `exam up` lays out by default."""
        return self.directory / "workspace"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `exam` and return its process."""
        return subprocess.Popen(
            [*self.command, *arguments],
            cwd=self.directory,
            env={**os.environ, "EXAM_HOME": str(self.home), **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def exam(self, *arguments: str, timeout: float = 300) -> Done:
        """Run `exam` to its end."""
        with self.start(*arguments) as process:
            try:
                out, err = process.communicate(timeout=timeout)
            finally:
                process.kill()
        return Done(process.returncode, out, err)

    def record(self) -> Path:
        """The one session's record."""
        (found,) = (self.home / "sessions").glob("[!.]*/session.json")
        return found.parent

    def session(self) -> str:
        """The one session's id."""
        return self.record().name

    def attempts(self, section: int) -> list[int]:
        """The numbers of a section's attempts as the ledger has them, oldest first."""
        with Ledger(self.record() / "ledger.sqlite") as ledger:
            return [event.payload["attempt"] for event in ledger.attempts(section)]

    def problems(self) -> list[str]:
        """What is wrong with the ledger's chain."""
        with Ledger(self.record() / "ledger.sqlite") as ledger:
            return ledger.problems()


@contextmanager
def candidate(engine: Engine, directory: Path, home: Path, *options: str) -> Iterator[Road]:
    """Yield a candidate who has just typed `exam up`; leave nothing of theirs on the engine."""
    road = Road(directory, home)
    try:
        up = road.exam("up", "--port", "0", "--json", *options)
        assert up.status == 0, up
        yield road
    finally:
        road.exam("down")  # and not only by hand: what renews the graders behind a grade heeds it
        for record in (road.home / "sessions").glob("[!.]*"):
            for state in engine.find({"exam.session": record.name}):
                engine.remove(state.id)
            engine.remove_volume(f"exam-{record.name}-home")


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; redirects are not followed."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def http(
    url: str,
    *,
    method: str = "GET",
    token: str | None = None,
    content: object = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Ask a server on this machine."""
    request = urllib.request.Request(url, method=method, headers=dict(headers or {}))
    if token is not None:
        request.add_header("Authorization", f"token {token}")
    if content is not None:
        request.data = json.dumps(content).encode()
        request.add_header("Content-Type", "application/json")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay())
    try:
        with opener.open(request, timeout=60) as answer:
            return Answer(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, dict(error.headers), error.read())
