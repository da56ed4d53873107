"""What the tests on the real engine share beside the models: a candidate at a terminal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from exam_cli.engine.port import Engine
from exam_cli.images.build import Images
from tests.engine.road import Road, candidate


@pytest.fixture(scope="module")
def road(
    docker_engine: Engine, edition_images: Images, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Road]:
    """A candidate who has just typed `exam up`."""
    places = tmp_path_factory.mktemp("sitting"), tmp_path_factory.mktemp("home")
    with candidate(docker_engine, *places) as road:
        yield road
