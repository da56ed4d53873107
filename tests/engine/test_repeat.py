"""Images are built twice and compared; whatever is planted in one is found, by layer and file."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from exam_cli.config.edition import Edition, Role
from exam_cli.engine.docker_client import client
from exam_cli.engine.port import Engine, ImageInfo
from exam_cli.images.base import ensure_base
from exam_cli.images.build import Images, architecture_of, references
from exam_cli.images.rebuild import compare, compare_with_rebuilt
from exam_cli.images.verify import Finding, inspect
from exam_cli.progress import SILENT
from tests.conftest import unavailable

pytestmark = [pytest.mark.engine, pytest.mark.slow]

_FILES = """\
ARG BASE
FROM ${BASE} AS grader
COPY one two /etc/
ENV LANG=C.UTF-8
FROM grader AS workspace
COPY three /etc/
"""


@pytest.fixture
def umask() -> Iterator[None]:
    """Files that are written now are for their owner alone, as in some homes."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_the_other_builder_gives_the_same_from_clean_caches(
    docker_engine: Engine,
    edition_images: Images,
    edition: Edition,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The images that are here are BuildKit's, where there is one; these are the classic one's."""
    before, left = names(docker_engine), docker_engine.build_leftovers()
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    found = inspect(docker_engine, edition, SILENT)
    rebuilt = compare_with_rebuilt(docker_engine, edition, found, SILENT)
    for image in rebuilt.images:
        assert image.rebuilt == image.digest, (image.layers, image.settings)
        assert all(layer.rebuilt == layer.digest == layer.content for layer in image.layers)
    # Debian's archive goes on, and then a record is for who goes back to the archive as it was.
    moved = any("moved on" in note for note in found.notes)
    if edition.recorded(architecture_of(docker_engine), found.base) and not moved:
        assert found.same, "run `exam images verify --record` after a change of the images"
    assert names(docker_engine) == before
    assert not docker_engine.build_leftovers() - left or busy()


def names(engine: Engine) -> set[str]:
    """Return the names of images that a rebuild could leave behind."""
    return {tag for image in engine.images("exam-rebuild") for tag in image.tags}


def busy() -> bool:
    """Say whether somebody else builds on this engine, too."""
    return subprocess.run(["pgrep", "-f", "docker build"], check=False).returncode == 0


@pytest.fixture
def small(docker_engine: Engine, edition: Edition, tmp_path: Path) -> Iterator[Small]:
    made = Small(docker_engine, edition, tmp_path / "context")
    yield made
    for name in made.made:
        docker_engine.remove_image(name)


class Small:
    """Two small images that stand for an edition's, and others like them."""

    def __init__(self, engine: Engine, edition: Edition, context: Path) -> None:
        architecture = architecture_of(engine)
        self.engine, self.context = engine, context
        self.base = ensure_base(engine, edition, architecture, SILENT)
        # Images of its own: another time of all files is another name.
        self.edition = replace(edition, epoch=edition.epoch + os.getpid(), digests=())
        self.names = references(self.edition, architecture)
        self.made: list[str] = []
        context.mkdir()
        for name in ("one", "two", "three"):
            # New ones each time, for what is planted below the engine lives on in its caches.
            (context / name).write_text(f"{name} {secrets.token_hex(8)}")
            os.utime(context / name, (edition.epoch, edition.epoch))
            (context / name).chmod(0o644)
        (context / "Dockerfile").write_text(_FILES)
        self.build({"grader": self.names.grader, "workspace": self.names.workspace})

    def build(self, tags: dict[Role, str]) -> dict[Role, ImageInfo]:
        found: dict[Role, ImageInfo] = {}
        for role, tag in tags.items():
            self.made.append(tag)
            for _ in self.engine.build(self.context, role, tag, {"BASE": self.base}):
                pass
            image = self.engine.image(tag)
            assert image is not None
            found[role] = image
        return found

    def compared(self) -> Finding:
        """Return how the images differ from such of the context as it is now."""
        found = inspect(self.engine, self.edition, SILENT)
        own = f"exam-test:{os.getpid()}"
        tags: dict[Role, str] = {"grader": f"{own}-grader", "workspace": f"{own}-workspace"}
        return compare(self.engine, found, self.build(tags))


def test_a_planted_file_is_found_by_layer_and_name(small: Small) -> None:
    (small.context / "two").write_text("planted")
    (small.context / "three").chmod(0o755)
    grader, workspace = small.compared().images
    assert [layer.same for layer in grader.layers] == [True, False]
    told = {one.path: one.how for layer in workspace.layers for one in layer.differences}
    assert told["/etc/two"][0] == "content" and "/etc/one" not in told
    assert told["/etc/three"][0] == "mode 0644 instead of 0755"
    assert not grader.same and not workspace.same


def test_a_planted_setting_is_found_by_name(small: Small) -> None:
    dockerfile = small.context / "Dockerfile"
    dockerfile.write_text(_FILES.replace("LANG=C.UTF-8", "LANG=C"))
    for image in small.compared().images:
        assert image.settings == ["Env LANG 'C.UTF-8' instead of 'C'"]
        assert all(layer.same for layer in image.layers) and not image.same


def test_a_file_changed_below_the_engine_is_found(small: Small) -> None:
    assert all(one.same for one in inspect(small.engine, small.edition, SILENT).images)
    line = [client()[0], "image", "inspect", small.names.workspace]
    done = subprocess.run(line, check=True, capture_output=True, text=True)
    driver = json.loads(done.stdout)[0].get("GraphDriver") or {}
    planted = Path((driver.get("Data") or {}).get("UpperDir", "/nowhere")) / "etc/three"
    if not planted.is_file():
        unavailable("the engine's layers are not to be seen from here")
    planted.write_text("X" * planted.stat().st_size)  # as long as before: no size tells
    found = inspect(small.engine, small.edition, SILENT)
    assert not found.images[1].same and found.notes
    assert found.images[0].same
