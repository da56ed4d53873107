"""Where measurements happen: one directory, its sessions and containers, and nothing left of them.

Everything lies in the cache directory under `bench`: what is worth keeping from one run to the next
(trained models, nbgrader's environment), and `work`, which is cleared before and after.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import timing
from exam_cli.config.edition import Edition, load_edition
from exam_cli.engine.docker import DockerEngine
from exam_cli.engine.docker_client import client
from exam_cli.engine.port import Engine
from exam_cli.files import locked
from exam_cli.images.build import Images, ensure_images
from exam_cli.paths import cache_dir
from exam_cli.progress import SILENT
from exam_cli.session.session import all_sessions
from exam_cli.sitting.down import down, purge

EXAM = str(Path(sys.executable).with_name("exam"))
EDITION = "tf2.21"
PYTHON = "/opt/exam/bin/python"
PROGRAMS = Path(__file__).resolve().parent / "programs"
_LABEL = "exam.bench"


@dataclass(frozen=True)
class Stage:
    """What every measurement needs."""

    engine: Engine
    edition: Edition
    images: Images
    docker: str
    kept: Path
    work: Path
    rounds: int
    build: bool

    def say(self, sentence: str) -> None:
        """Tell whoever waits what is going on."""
        print(sentence, file=sys.stderr, flush=True)

    def exam(self, *arguments: str | Path) -> timing.Done:
        """Run the command line, without anybody's own settings."""
        return timing.run([EXAM, *arguments])

    def exam_json(self, *arguments: str | Path) -> Any:
        """Run the command line and return the object that it prints."""
        return json.loads(self.exam(*arguments, "--json").out)

    def docker_run(
        self, image: str, *command: str, data: Path | None = None, options: Sequence[str] = ()
    ) -> list[str]:
        """Return the line that runs a plain container as one types it: no walls but the usual.

        `data` is mounted read-only at /data, our programs at /programs.
        """
        mounts = [f"{PROGRAMS}:/programs:ro", *([f"{data}:/data:ro"] if data else [])]
        return [
            *(self.docker, "run", "--rm", "--label", _LABEL),
            *(part for mount in mounts for part in ("-v", mount)),
            *(*options, image, *command),
        ]

    def naive(self, data: Path, name: str) -> list[str]:
        """Return the line that loads, predicts and compares in a fresh container."""
        return self.docker_run(
            self.images.grader, PYTHON, "/programs/naive.py", f"/data/{name}", data=data
        )


@contextmanager
def stage(rounds: int, *, build: bool = False) -> Iterator[Stage]:
    """Yield a stage on which nobody else measures.

    Args:
        rounds: how often the quick things are measured; the slow ones less often.
        build: whether images are built, too, which takes many minutes.

    Raises `ExamError` and its kin.
    """
    kept = cache_dir() / "bench"
    kept.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with locked(kept / "lock", 1.0):
        engine = DockerEngine()
        edition = load_edition(EDITION)
        docker, _ = client()
        work = kept / "work"
        os.environ["EXAM_HOME"] = str(work / "home")
        _clear(work, engine)
        work.mkdir()
        try:
            images = ensure_images(engine, edition, SILENT)
            yield Stage(engine, edition, images, docker, kept, work, rounds, build)
        finally:
            _clear(work, engine)


def _clear(work: Path, engine: Engine) -> None:
    """Remove all containers, volumes and files of a run, one that was killed included."""
    for session in all_sessions():  # of EXAM_HOME, which is ours
        down(session, engine)  # it waits for whoever fills the pool, so that nobody does afterwards
        purge(session, engine)
    for state in engine.find({_LABEL: ""}):
        engine.remove(state.id)
    shutil.rmtree(work, ignore_errors=True)
