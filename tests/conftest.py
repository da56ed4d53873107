"""What all tests share: a home of their own, and a real engine where one is asked for.

Where no engine answers, the tests that need one are skipped and say so; with EXAM_REQUIRE_ENGINE=1
they fail instead, so that a run that is meant as proof cannot pass by leaving them out.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import NoReturn

import pytest

from exam_cli.config.edition import DEFAULT_EDITION, Edition, load_edition
from exam_cli.engine.docker import DockerEngine
from exam_cli.engine.port import Engine
from exam_cli.errors import EngineUnreachable
from exam_cli.images.build import Images, ensure_images
from exam_cli.progress import SILENT

# A job in the background is started deaf to Ctrl-C, and so would be all that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def exam_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep every test away from the real records. Downloads (EXAM_CACHE) stay where they are."""
    home = tmp_path / "home"
    monkeypatch.setenv("EXAM_HOME", str(home))
    monkeypatch.delenv("EXAM_WORKSPACE", raising=False)
    return home


def unavailable(why: str) -> NoReturn:
    """Skip the test, or fail it where a real engine is required."""
    if os.environ.get("EXAM_REQUIRE_ENGINE") == "1":
        pytest.fail(f"{why} (EXAM_REQUIRE_ENGINE=1)")
    pytest.skip(why)


@pytest.fixture(scope="session")
def docker_engine() -> Engine:
    """The real engine."""
    try:
        engine = DockerEngine()
        engine.info()
    except EngineUnreachable as error:
        unavailable(f"no container engine: {error}")
    return engine


@pytest.fixture(scope="session")
def edition() -> Edition:
    """The default edition."""
    return load_edition(DEFAULT_EDITION)


@pytest.fixture(scope="session")
def edition_images(docker_engine: Engine, edition: Edition) -> Images:
    """The default edition's images on the real engine, built if they are not there."""
    return ensure_images(docker_engine, edition, SILENT)
