"""A room without a network: an archive goes in, and a whole exam is sat there.

The engine, the command and all containers share a network that has a loopback and leads nowhere;
home and cache are empty. The tests are one sitting, in order.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from exam_cli.config.edition import Edition
from exam_cli.engine.docker import DockerEngine
from exam_cli.engine.fake_images import held
from exam_cli.engine.port import Engine
from exam_cli.errors import DiskFull
from exam_cli.images.archive import manifest as m
from exam_cli.images.archive.installing import install_images
from exam_cli.images.archive.packing import pack
from exam_cli.images.archive.reading import opened
from exam_cli.images.build import Images, architecture_of, references
from exam_cli.paths import resource
from exam_cli.progress import SILENT
from tests.engine.private import PrivateEngine, by_role, skip_unless_possible
from tests.engine.road import EXAM, Done, Road

pytestmark = [pytest.mark.engine, pytest.mark.slow]

EXAM_FILE = "exam: room\nduration: null\npass_mark: 10\n"


@dataclass(frozen=True)
class Room:
    """An archive, and a laptop that has an engine and nothing else."""

    archive: Path
    told: dict[str, Any]
    engine: PrivateEngine
    road: Road


@pytest.fixture(scope="module")
def saved(
    docker_engine: Engine, edition_images: Images, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, Done]]:
    """An archive of the default edition, made by the command."""
    place = tmp_path_factory.mktemp("archive")
    road = Road(place, place / "home")
    done = road.exam("images", "save", "room.tar", "--json")
    assert done.status == 0, done
    yield place / "room.tar", done
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def room(saved: tuple[Path, Done], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    skip_unless_possible()
    engine = PrivateEngine(tmp_path_factory.mktemp("engine"), bridge=True)
    place, home = tmp_path_factory.mktemp("laptop"), tmp_path_factory.mktemp("home")
    try:
        engine.start()
        bare = {"HOME": str(home), "EXAM_CACHE": str(home / "cache")}
        environment = {"DOCKER_HOST": engine.address, **bare}
        road = Road(place, home / "exam", engine.inside(EXAM), environment)
        yield Room(saved[0], saved[1].json, engine, road)
    finally:
        engine.clear()


def test_the_archive_is_small_and_tells_what_it_is(
    saved: tuple[Path, Done], edition: Edition, docker_engine: Engine
) -> None:
    path, done = saved
    with path.open("rb") as stream:
        assert hashlib.file_digest(stream, "sha256").hexdigest() == done.json["sha256"]
    assert path.stat().st_size == done.json["bytes"] < 1.2e9
    names = references(edition, architecture_of(docker_engine))
    for role, name in by_role(names).items():
        image = docker_engine.image(name)
        assert image is not None and done.json["images"][role] == image.digest


def test_there_is_no_way_out(room: Room) -> None:
    script = "import socket; socket.create_connection(('192.0.2.1', 80), 5)"
    line = room.engine.inside(["python3", "-c", script])
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert "Network is unreachable" in done.stderr


def test_a_load_that_is_killed_leaves_nothing_that_is_used(room: Room) -> None:
    client = room.engine.client
    with room.road.start("images", "load", str(room.archive)) as process:
        temporary = Path(room.engine.address.removeprefix("unix://")).parent / "data" / "tmp"
        deadline = time.monotonic() + 120
        while not any(temporary.glob("docker-import-*/blobs/sha256/*")):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert client.images.list(all=True) == []
    assert not (Path(room.road.environment["EXAM_CACHE"]) / "sources").exists()


def test_an_archive_of_somebody_else_is_refused(room: Room) -> None:
    done = room.road.exam("images", "load", str(room.archive), "--sha256", "0" * 64)
    assert done.status == 1 and "not the one that you gave" in done.err
    assert room.engine.client.images.list(all=True) == []


def test_it_is_loaded_and_again(room: Room) -> None:
    line = ("images", "load", str(room.archive), "--sha256", room.told["sha256"], "--json")
    done = room.road.exam(*line)
    assert done.status == 0, done
    assert done.json["new_images"] and done.json["new_sources"] == room.told["sources"]
    assert done.json["images"] == room.told["images"]
    names = {tag for image in room.engine.client.images.list() for tag in image.tags}
    assert {name.split(":")[0] for name in names} == {"exam-grader", "exam-workspace"}
    assert len(names) == len(room.engine.client.images.list(all=True)) == 2
    again = room.road.exam(*line)
    assert again.status == 0 and not again.json["new_images"] and not again.json["new_sources"]


def test_a_whole_exam_is_sat(room: Room) -> None:
    road = room.road
    (road.directory / "exam.yaml").write_text(EXAM_FILE)
    try:
        up = road.exam("up", "--exam", "exam.yaml", "--port", "0", "--json")
        assert up.status == 0, up
        script = road.workspace / "1-regression" / "reference.py"
        shutil.copy(resource("sections", "1-regression", "reference.py"), script)
        assert road.exam("run", str(script)).status == 0
        grade = road.exam("grade", "1", "--json")
        assert grade.status == 0 and grade.json["score"] == 5, grade
        assert grade.json["environment"]["image"] in {
            image.id for image in room.engine.client.images.list()
        }
        submitted = road.exam("submit", "--yes", "--json")
        assert submitted.status == 0, submitted
        made = {
            path.name.split("-")[0].split(".")[0] for path in (road.workspace / "result").iterdir()
        }
        assert {"report", "certificate", "result", "submission"} <= made, made
        # With the image's own fonts, not those that every viewer has.
        assert b"STIXGeneral" in (road.workspace / "result" / "certificate.pdf").read_bytes()
        assert road.exam("report").status == 0
        assert road.exam("verify").status == 0
        (receipt, *_) = sorted((road.record() / "receipts").glob("*.json"))
        verified = road.exam("verify", str(receipt))
        assert verified.status == 0, verified
        assert road.exam("handbook").status == 0
        assert road.exam("export", "1").status == 0
    finally:
        road.exam("down", "--purge", "--yes")


def test_too_little_room_is_told_and_leaves_nothing(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = PrivateEngine(tmp_path)
    (tmp_path / "data").mkdir()
    line = ["mount", "-t", "tmpfs", "-o", "size=800m", "tmpfs", str(tmp_path / "data")]
    if subprocess.run(line, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        engine.start()
        environment = {**room.road.environment, "DOCKER_HOST": engine.address}
        road = Road(tmp_path, tmp_path / "home", EXAM, environment)
        done = road.exam("images", "load", str(room.archive), "--json")
        assert done.status == 3 and done.json["reason"] == "disk_full", done
        # The same when the disk is filled by others meanwhile.
        monkeypatch.setenv("DOCKER_HOST", engine.address)
        names = Images("exam-grader:x", "exam-workspace:x")
        with room.archive.open("rb") as stream, pytest.raises(DiskFull):
            archive = opened(stream.fileno(), "room.tar")
            install_images(archive, DockerEngine(), names, SILENT)
        assert engine.client.images.list(all=True) == []
        assert shutil.disk_usage(tmp_path / "data").used < 100 << 20
    finally:
        engine.kill()
        subprocess.run(["umount", str(tmp_path / "data")], check=True)


def test_docker_itself_loads_the_folder_of_images(docker_engine: Engine, tmp_path: Path) -> None:
    name = f"exam-test-{os.getpid()}:folder"
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("hello"))
    image = held([inner.getvalue()], Env=["A=1"])
    blob = io.BytesIO()
    with ThreadPoolExecutor(1) as workers:
        packed = pack([image.layers[0]], blob, workers)
    diff_id = f"sha256:{packed.raw_sha256}"
    layer = m.Layer(
        diff_id=diff_id, sha256=packed.sha256, bytes=packed.bytes, unpacked=packed.raw_bytes
    )
    files = m.layout({name: (image.config, (diff_id,))}, {diff_id: layer})
    files[f"blobs/sha256/{layer.sha256}"] = blob.getvalue()
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    content = subprocess.run(["tar", "c", "-C", tmp_path, "."], capture_output=True, check=True)
    try:
        docker_engine.load([content.stdout])
        found = docker_engine.image(name)
        assert found is not None and found.id == image.id and found.config["Env"] == ["A=1"]
    finally:
        docker_engine.remove_image(name)
