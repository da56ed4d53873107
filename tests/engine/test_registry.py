"""Images to a registry and from it: Debian's docker-registry, and engines of the tests' own.

Everything is in one network that has nothing but a loopback. The images are small: they hold what
`exam images pull` looks for, and a number that makes them this run's own.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import json
import shutil
import subprocess
import tarfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from exam_cli.config.edition import (
    DEFAULT_EDITION,
    Architecture,
    Base,
    Digests,
    Edition,
    Recorded,
    load_edition,
    programs,
)
from exam_cli.engine.docker import DockerEngine
from exam_cli.engine.fake_images import Held, held
from exam_cli.errors import ExamError, UsageError
from exam_cli.images.base import ensure_base
from exam_cli.images.build import Images, architecture_of, references
from exam_cli.images.registry import Remote, pull, push
from exam_cli.progress import SILENT
from tests.conftest import unavailable
from tests.engine.private import PrivateEngine, by_role, skip_unless_possible
from tests.engine.road import EXAM, Road

pytestmark = [pytest.mark.engine, pytest.mark.slow]

OPEN, CLOSED, NOBODY = 5111, 5112, 5113
LOGIN = "auth: {{htpasswd: {{realm: test, path: {}}}}}\n"
# Of "somebody" with "pass", by bcrypt.
KNOWN = "somebody:$2b$04$abcdefghijklmnopqrstuufznL8bkzdtHwLhca4To/v9Lo9bA7fR6\n"
SERVE = """\
version: 0.1
log: {{accesslog: {{disabled: true}}, level: error}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: '127.0.0.1:{port}'}}
"""


@dataclass
class Net:
    """Two registries and an engine in a network of their own."""

    engine: PrivateEngine
    storage: Path

    def blob(self, digest: str) -> Path:
        """Where the open registry keeps a blob."""
        kind, _, value = digest.partition(":")
        return self.storage / f"docker/registry/v2/blobs/{kind}/{value[:2]}/{value}/data"


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    skip_unless_possible()
    server = shutil.which("docker-registry")
    if server is None:
        unavailable("no registry: run `sh tests/tools.sh`")
    place = tmp_path_factory.mktemp("net")
    engine = PrivateEngine(place)
    running: list[subprocess.Popen[bytes]] = []
    try:
        engine.start()
        (place / "known").write_text(KNOWN)
        for port, more in ((OPEN, ""), (CLOSED, LOGIN.format(place / "known"))):
            settings = place / f"{port}.yml"
            settings.write_text(SERVE.format(root=place / str(port), port=port) + more)
            line = engine.inside([server, "serve", str(settings)])
            running.append(subprocess.Popen(line, stderr=subprocess.DEVNULL))
        for port in (OPEN, CLOSED):
            await_port(engine, port)
        yield Net(engine, place / str(OPEN))
    finally:
        for process in running:
            process.terminate()
            process.wait()
        engine.clear()


def await_port(engine: PrivateEngine, port: int) -> None:
    """Wait until something listens there."""
    script = f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)"
    deadline = time.monotonic() + 30
    line = engine.inside(["python3", "-c", script])
    while subprocess.run(line, capture_output=True, check=False).returncode:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture
def engine(net: Net, monkeypatch: pytest.MonkeyPatch) -> Iterator[DockerEngine]:
    """The engine of that network, without images."""
    monkeypatch.setenv("DOCKER_HOST", net.engine.address)
    yield DockerEngine()
    for image in net.engine.client.images.list(all=True):
        net.engine.client.images.remove(image.id, force=True)


def layer(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def small_images(architecture: str = "amd64", **changed: bytes) -> dict[str, Held]:
    """Return a grader and a workspace that hold the programs, some of them changed."""
    below = layer({"unique": uuid.uuid4().bytes})
    files = {f"opt/exam/programs/{one.name}": one.read_bytes() for one in programs()}
    files |= {f"opt/exam/programs/{name}.py": content for name, content in changed.items()}
    return {
        "grader": held([below, layer(files)], architecture, Env=["PATH=/bin"], User="1:1"),
        "workspace": held([below, layer({"jupyter": b"x"}), layer(files)], architecture),
    }


def put_in(engine: DockerEngine, images: dict[str, Held], edition: Edition) -> Images:
    """Give an engine an edition's images."""
    from exam_cli.engine.fake_images import ImageStore

    names = references(edition, architecture_of(engine))
    store = ImageStore()
    for role, image in images.items():
        store.keep(image, getattr(names, role))
    engine.load(store.save([image.id for image in images.values()]))
    for role, image in images.items():
        engine.tag(image.id, getattr(names, role))
    return names


def recording(engine: DockerEngine, names: Images, architecture: Architecture) -> Edition:
    """Return the edition as if it had recorded the images that the engine has."""
    kept = {}
    for role, name in by_role(names).items():
        image = engine.image(name)
        assert image is not None
        kept[role] = Recorded(digest=image.digest, layers=tuple(image.layers))
    record = Digests(architecture=architecture, variant="cpu", base="made", **kept)
    return replace(EDITION, digests=(record,))


EDITION = replace(load_edition(DEFAULT_EDITION), digests=())
PLACE = f"127.0.0.1:{OPEN}/exams/autumn"


def sent(engine: DockerEngine, **changed: bytes) -> tuple[list[Remote], Images, Edition]:
    """Push small images and forget them; return their references, names, and who records them."""
    names = put_in(engine, small_images(**changed), EDITION)
    known = recording(engine, names, architecture_of(engine))
    done = push(engine, known, PLACE, SILENT)
    for name in by_role(names).values():
        engine.remove_image(name)
    return done, names, known


def tags(net: Net) -> set[str]:
    return {tag for image in net.engine.client.images.list(all=True) for tag in image.tags}


def test_what_was_sent_comes_back_by_digest(engine: DockerEngine, net: Net) -> None:
    done, names, known = sent(engine)
    assert tags(net) == set() and net.engine.client.images.list(all=True) == []
    for one in done:
        assert one.reference.startswith(f"{PLACE}/exam-{one.role}@sha256:")
    back = pull(engine, known, [one.reference for one in done], SILENT)
    assert back == done
    assert tags(net) == {names.grader, names.workspace}
    for one in done:
        image = engine.image(getattr(names, one.role))
        assert image is not None and image.digest == one.digest
    assert pull(engine, known, [one.reference for one in done], SILENT) == done  # again


def test_pushing_leaves_no_name_behind(engine: DockerEngine, net: Net) -> None:
    names = put_in(engine, small_images(), EDITION)
    push(engine, EDITION, PLACE, SILENT)
    assert tags(net) == {names.grader, names.workspace}
    engine.tag(names.grader, f"{PLACE}/{names.grader}")  # the user's own
    push(engine, EDITION, PLACE, SILENT)
    assert tags(net) == {names.grader, names.workspace, f"{PLACE}/{names.grader}"}


@pytest.mark.parametrize(
    "reference",
    [
        f"{PLACE}/exam-grader:latest",
        f"{PLACE}/exam-grader",
        f"{PLACE}/exam-grader@sha256:12",
        f"{PLACE}/exam-grader:tag@sha256:{'0' * 64}",
        f"https://{PLACE}/exam-grader@sha256:{'0' * 64}",
        "",
    ],
)
def test_a_tag_is_no_identity(reference: str, engine: DockerEngine) -> None:
    with pytest.raises(UsageError, match="cannot be pulled"):
        pull(engine, EDITION, [reference], SILENT)


@pytest.mark.parametrize("place", ["", "https://host/x", "host/x:tag", "host/UPPER", "a b", "x@y"])
def test_what_is_no_place_is_told_before_anything_is_built(
    place: str, engine: DockerEngine
) -> None:
    with pytest.raises(UsageError, match="no place in a registry"):
        push(engine, EDITION, place, SILENT)


def refused(engine: DockerEngine, net: Net, edition: Edition, wanted: list[str]) -> ExamError:
    with pytest.raises(ExamError) as failure:
        pull(engine, edition, wanted, SILENT)
    assert "\n" not in str(failure.value)
    assert net.engine.client.images.list(all=True) == []  # what was fetched is gone again
    return failure.value


def test_a_digest_that_is_not_there(engine: DockerEngine, net: Net) -> None:
    done, _, known = sent(engine)
    missing = f"{PLACE}/exam-workspace@sha256:{'0' * 64}"
    error = refused(engine, net, known, [done[0].reference, missing])
    assert error.reason == "not_there" and missing in str(error)
    nowhere = f"127.0.0.1:{OPEN}/nobody/exam-grader@sha256:{'0' * 64}"
    assert refused(engine, net, known, [nowhere]).reason == "not_there"


def test_a_registry_that_does_not_answer(engine: DockerEngine, net: Net) -> None:
    reference = f"127.0.0.1:{NOBODY}/exams/exam-grader@sha256:{'0' * 64}"
    error = refused(engine, net, EDITION, [reference])
    assert error.reason == "registry_unreachable" and f"127.0.0.1:{NOBODY}" in str(error)
    reference = f"registry.invalid/exams/exam-grader@sha256:{'0' * 64}"
    assert refused(engine, net, EDITION, [reference]).reason == "registry_unreachable"
    names = put_in(engine, small_images(), EDITION)
    with pytest.raises(ExamError) as failure:
        push(engine, EDITION, f"127.0.0.1:{NOBODY}/exams", SILENT)
    assert failure.value.reason == "registry_unreachable"
    assert tags(net) == {names.grader, names.workspace}


def test_a_registry_that_wants_a_login(
    engine: DockerEngine, net: Net, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"127.0.0.1:{CLOSED}/exams"
    error = refused(engine, net, EDITION, [f"{place}/exam-grader@sha256:{'0' * 64}"])
    assert error.reason == "registry_denied" and "docker login" in str(error)
    put_in(engine, small_images(), EDITION)
    with pytest.raises(ExamError, match="docker login"):
        push(engine, EDITION, place, SILENT)
    for password, welcome in (("wrong", False), ("pass", True)):
        login = base64.b64encode(f"somebody:{password}".encode()).decode()
        known = {"auths": {f"127.0.0.1:{CLOSED}": {"auth": login}}}
        (tmp_path / "config.json").write_text(json.dumps(known))
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        if welcome:
            done = push(DockerEngine(), EDITION, place, SILENT)
            assert pull(DockerEngine(), EDITION, [one.reference for one in done], SILENT) == done
        else:
            with pytest.raises(ExamError, match="docker login") as failure:
                push(DockerEngine(), EDITION, place, SILENT)
            assert failure.value.reason == "registry_denied"


def test_images_of_another_architecture(engine: DockerEngine, net: Net) -> None:
    names = put_in(engine, small_images("arm64"), EDITION)
    done = push(engine, EDITION, PLACE, SILENT)
    for name in by_role(names).values():
        engine.remove_image(name)
    error = refused(engine, net, EDITION, [one.reference for one in done])
    assert error.reason == "other_architecture" and "for aarch64" in str(error)


def test_images_that_the_edition_does_not_record(engine: DockerEngine, net: Net) -> None:
    done, _, known = sent(engine)
    others, names, _ = sent(engine)
    wanted = [one.reference for one in others]
    error = refused(engine, net, known, wanted)
    assert error.reason == "not_recorded"
    mixed = [done[0].reference, others[1].reference]
    assert refused(engine, net, known, mixed).reason == "not_recorded"
    assert pull(engine, known, wanted, SILENT, unrecorded=True) == others
    assert tags(net) == {names.grader, names.workspace}


def test_images_of_another_program(engine: DockerEngine, net: Net) -> None:
    done, _, _ = sent(engine, predictor=b"print('another')")
    error = refused(engine, net, EDITION, [one.reference for one in done])
    assert error.reason == "other_edition" and "predictor.py" in str(error)


def test_two_of_a_kind_and_unknown_kinds(engine: DockerEngine, net: Net) -> None:
    done, _, known = sent(engine)
    grader = done[0].reference
    assert "one of each" in str(refused(engine, net, known, [grader, grader]))
    other = grader.replace("exam-grader", "debian")
    assert "its last part must be" in str(refused(engine, net, known, [other, grader]))


def test_the_command(engine: DockerEngine, net: Net, tmp_path: Path) -> None:
    edition = load_edition(DEFAULT_EDITION)
    names = put_in(engine, small_images(), edition)
    environment = {"DOCKER_HOST": net.engine.address}
    road = Road(tmp_path, tmp_path / "home", net.engine.inside(EXAM), environment)
    pushed = road.exam("images", "push", PLACE, "--json")
    assert pushed.status == 0, pushed
    for name in by_role(names).values():
        engine.remove_image(name)
    wanted = [one["reference"] for one in pushed.json["images"].values()]
    pulled = road.exam("images", "pull", *wanted, "--unrecorded", "--json")
    assert pulled.status == 0 and pulled.json == pushed.json
    assert tags(net) == {names.grader, names.workspace}
    tagged = road.exam("images", "pull", f"{PLACE}/exam-grader:latest")
    assert tagged.status == 2 and "a tag may mean another image" in tagged.err


class Heard:
    """Keeps what was said aloud."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, sentence: str) -> None:
        self.said.append(sentence)

    def step(self, title: str, total: int | None = None) -> None:
        pass

    def advance(self, done: int) -> None:
        pass


@contextlib.contextmanager
def base_in_registry(engine: DockerEngine) -> Iterator[Edition]:
    """Yield an edition whose base lies in the registry, and not on the engine."""
    name = f"127.0.0.1:{OPEN}/debian:bookworm-slim"
    engine.import_image(io.BytesIO(layer({"etc/debian_version": uuid.uuid4().bytes})), name)
    digest = engine.push(name, lambda done, total: None)
    engine.remove_image(name)
    yield replace(EDITION, base=Base(image=name, digest=digest))


def test_the_base_is_pulled_by_its_digest(engine: DockerEngine, net: Net) -> None:
    with base_in_registry(engine) as edition:
        heard = Heard()
        reference = ensure_base(engine, edition, architecture_of(engine), heard)
        assert reference == f"127.0.0.1:{OPEN}/debian@{edition.base.digest}"
        assert heard.said == [f"Base: {edition.base.image}, pulled by digest."]
        assert engine.image(reference) is not None
        assert ensure_base(engine, edition, architecture_of(engine), heard) == reference


@pytest.mark.parametrize("what", ["manifest", "configuration", "layer"])
def test_a_registry_that_serves_other_bytes_is_refused(
    what: str, engine: DockerEngine, net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    monkeypatch.setattr("exam_cli.images.base.make_base", lambda *given: made.append(given))
    with base_in_registry(engine) as edition:
        digest = edition.base.digest
        told = json.loads(net.blob(digest).read_text())
        other = {
            "manifest": (digest, lambda old: json.dumps({**json.loads(old), "more": 1}).encode()),
            "configuration": (
                told["config"]["digest"],
                lambda old: old.replace(b'"config":{', b'"config":{"User":"0:0",', 1),
            ),
            "layer": (
                told["layers"][0]["digest"],
                lambda old: gzip.compress(layer({"etc/debian_version": b"other"})),
            ),
        }
        blob, change = net.blob(other[what][0]), other[what][1]
        changed = change(blob.read_bytes())
        assert changed != blob.read_bytes()
        blob.write_bytes(changed)
        heard = Heard()
        ensure_base(engine, edition, architecture_of(engine), heard)
        assert made and len(heard.said) == 1
        assert "The engine did not take" in heard.said[0] and digest in heard.said[0]
    assert net.engine.client.images.list(all=True) == []
