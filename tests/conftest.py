"""What all tests share: a home of their own; a real engine, and models to grade, where asked for.

Where no engine answers, the tests that need one are skipped and say so; with EXAM_REQUIRE_ENGINE=1
they fail instead, so that a run that is meant as proof cannot pass by leaving them out.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from playwright.sync_api import Browser, sync_playwright

from exam_cli.config.edition import DEFAULT_EDITION, Edition, load_edition
from exam_cli.config.section import Section
from exam_cli.engine.docker import DockerEngine
from exam_cli.engine.port import Engine
from exam_cli.errors import EngineUnreachable
from exam_cli.grading.environment import Environment
from exam_cli.images.build import Images, architecture_of, ensure_images
from exam_cli.progress import SILENT
from exam_cli.sections.catalog import shipped_section
from exam_cli.sections.vault import SectionData, section_data
from tests.engine.models import Models, make_models

SEED = bytes(range(32))

# A job in the background is started deaf to Ctrl-C, and so would be all that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the attacks' table be kept."""
    parser.addoption("--attack-table", metavar="FILE", help="write the attacks' table as Markdown")


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


@pytest.fixture(scope="session")
def sections() -> dict[int, Section]:
    """The two sections whose models are graded here: numbers in, and text in."""
    return {number: shipped_section(number) for number in (1, 4)}


@pytest.fixture(scope="session")
def data(
    docker_engine: Engine,
    edition_images: Images,
    sections: dict[int, Section],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[int, SectionData]:
    """The sections' data from one fixed seed."""
    vault = tmp_path_factory.mktemp("vault")
    architecture = architecture_of(docker_engine)
    return {
        number: section_data(
            section, SEED, vault, docker_engine, edition_images.workspace, architecture
        )
        for number, section in sections.items()
    }


@pytest.fixture(scope="session")
def models(
    docker_engine: Engine,
    edition_images: Images,
    sections: dict[int, Section],
    data: dict[int, SectionData],
    tmp_path_factory: pytest.TempPathFactory,
) -> Models:
    """Every model of tests/engine/make_models.py and tests/attacks/make.py."""
    to = tmp_path_factory.mktemp("models")
    return make_models(docker_engine, edition_images.workspace, sections, data, to)


@pytest.fixture(scope="module")
def grader(
    docker_engine: Engine,
    edition_images: Images,
    edition: Edition,
    request: pytest.FixtureRequest,
) -> Environment:
    """The place to grade in; its containers bear a label of the test module's own."""
    return Environment(
        engine=docker_engine,
        image=edition_images.grader,
        edition=edition.edition,
        variant="cpu",
        tensorflow=edition.tensorflow,
        keras=edition.keras,
        labels={"exam.session": f"test-{request.module.__name__}-{os.getpid()}"},
    )


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real browser without a window: Debian's Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        unavailable("no browser: run `sh tests/tools.sh`")
    with sync_playwright() as playwright:
        # Its own sandbox needs what a root user in a container does not have.
        found = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()
