"""What the tests on the real engine share: two sections with real data, and models to grade."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from exam_cli.config.edition import Edition
from exam_cli.config.section import Section
from exam_cli.engine.port import Engine
from exam_cli.grading.environment import Environment
from exam_cli.images.build import Images, architecture_of
from exam_cli.sections.catalog import shipped_section
from exam_cli.sections.vault import SectionData, section_data
from tests.engine.models import Models, make_models
from tests.engine.road import Road, candidate

SEED = bytes(range(32))


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
    """Every model of `make_models.py`."""
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


@pytest.fixture(scope="module")
def road(
    docker_engine: Engine, edition_images: Images, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Road]:
    """A candidate who has just typed `exam up`."""
    places = tmp_path_factory.mktemp("sitting"), tmp_path_factory.mktemp("home")
    with candidate(docker_engine, *places) as road:
        yield road
