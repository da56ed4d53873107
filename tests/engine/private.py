"""An engine of the test's own, which may be killed, filled up, and has no way out."""

from __future__ import annotations

import os

import docker
import pytest

from bench.other_engine import OtherEngine
from bench.timing import Failed
from exam_cli.images.build import Images


class PrivateEngine(OtherEngine):
    """A second engine; where there can be none, the test is skipped."""

    def start(self) -> None:
        """Start it and wait until it answers."""
        try:
            super().start()
        except Failed as error:
            pytest.skip(str(error))

    @property
    def client(self) -> docker.DockerClient:
        """The engine, as its library sees it."""
        return docker.DockerClient(self.address, timeout=300)

    def load(self, image: str) -> None:
        """Copy an image from the machine's own engine."""
        saved = docker.from_env(timeout=300).images.get(image).save(named=image)
        self.client.images.load(saved)


def by_role(images: Images) -> dict[str, str]:
    """Return the names of an edition's two images."""
    return {"grader": images.grader, "workspace": images.workspace}


def skip_unless_possible() -> None:
    """Skip where no second engine can be."""
    if os.getuid() != 0 or os.environ.get("DOCKER_HOST"):
        pytest.skip("a second engine needs root, and a first one on this machine")
