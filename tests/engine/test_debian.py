"""Another archive of Debian's packages, such as it was once: signed, out of date, still taken."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from exam_cli.config.edition import DebianPackages, Edition
from exam_cli.engine.port import Engine
from exam_cli.errors import ExamError
from exam_cli.images.base import ensure_base
from exam_cli.images.build import architecture_of
from exam_cli.images.debian import fetch_debian, packages_of
from exam_cli.progress import SILENT
from tests.conftest import unavailable

pytestmark = [pytest.mark.engine, pytest.mark.slow]

THEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def deb(path: Path, name: str, version: str, needs: str = "") -> None:
    """Write a package with one file in it. Format: deb(5)."""
    root = path.parent / f".{name}"
    (root / "DEBIAN").mkdir(parents=True)
    control = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: nobody\n"
    control += f"Depends: {needs}\n" if needs else ""
    (root / "DEBIAN/control").write_text(control + "Description: for a test\n")
    (root / f"usr/share/{name}").mkdir(parents=True)
    (root / f"usr/share/{name}/version").write_text(version)
    subprocess.run(["dpkg-deb", "--build", str(root), str(path)], check=True, capture_output=True)
    shutil.rmtree(root)


@dataclass
class Archive:
    """An archive on this machine, signed with a key of its own (DebianRepository/Format)."""

    root: Path
    keys: Path
    suite: str
    architecture: str
    url: str = ""

    def gpg(self, *arguments: str) -> None:
        line = ["gpg", "--homedir", str(self.keys), "--batch", "--yes", *arguments]
        subprocess.run(line, check=True, capture_output=True)

    @property
    def keyring(self) -> Path:
        return self.keys / "public.gpg"

    def publish(self) -> None:
        """Write and sign the indexes of all packages that lie in the pool."""
        rows = []
        for path in sorted((self.root / "pool").glob("*.deb")):
            shown = ["dpkg-deb", "--field", str(path)]
            control = subprocess.run(shown, check=True, capture_output=True, text=True).stdout
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            rows.append(
                f"{control}Filename: pool/{path.name}\nSize: {path.stat().st_size}\n"
                f"SHA256: {digest}\n"
            )
        name = f"main/binary-{self.architecture}/Packages"
        dists = self.root / "dists" / self.suite
        (dists / name).parent.mkdir(parents=True, exist_ok=True)
        (dists / name).write_text("\n".join(rows))
        content = (dists / name).read_bytes()
        # Valid for a week, long ago, as every snapshot is.
        (dists / "Release").write_text(
            f"Origin: Debian\nLabel: Debian\nSuite: {self.suite}\nCodename: {self.suite}\n"
            f"Date: {format_datetime(THEN, usegmt=False).replace('+0000', 'UTC')}\n"
            f"Valid-Until: {format_datetime(THEN.replace(day=9)).replace('+0000', 'UTC')}\n"
            f"Architectures: {self.architecture}\nComponents: main\nSHA256:\n"
            f" {hashlib.sha256(content).hexdigest()} {len(content)} {name}\n"
        )
        release = dists / "Release"
        self.gpg("--clearsign", "--output", str(dists / "InRelease"), str(release))


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def archive(
    docker_engine: Engine,
    edition: Edition,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Archive]:
    """An archive with two packages, one of which needs the other; it is the one that is used."""
    for tool in ("gpg", "dpkg-deb"):
        if shutil.which(tool) is None:
            unavailable(f"no {tool}: this makes an archive of Debian packages of its own")
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[architecture_of(docker_engine)]
    keys = tmp_path_factory.mktemp("k")  # a short path: gpg's agent has a socket there
    keys.chmod(0o700)
    made = Archive(tmp_path / "archive", keys, edition.suite, architecture)
    (made.root / "pool").mkdir(parents=True)
    deb(made.root / "pool/exam-one_1_all.deb", "exam-one", "1", "exam-two")
    deb(made.root / "pool/exam-two_2_all.deb", "exam-two", "2")
    made.gpg("--passphrase", "", "--quick-generate-key", "test", "ed25519", "sign", "never")
    made.gpg("--export", "--output", str(made.keyring))
    made.publish()
    directory = str(made.root)
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *given: _Quiet(*given, directory=directory)
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made.url = f"http://127.0.0.1:{server.server_port}/"
    yield made
    server.shutdown()
    server.server_close()
    subprocess.run(["gpgconf", "--homedir", str(keys), "--kill", "all"], check=False)


@pytest.fixture
def wanting(
    docker_engine: Engine, edition: Edition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Edition, str]:
    """An edition that wants those packages, and its base; downloads go to a cache of their own."""
    base = ensure_base(docker_engine, edition, architecture_of(docker_engine), SILENT)
    monkeypatch.setenv("EXAM_CACHE", str(tmp_path / "cache"))
    packages = DebianPackages(python=("exam-two",), workspace=("exam-one",))
    return replace(edition, debian=packages), base


def fetched(engine: Engine, wanting: tuple[Edition, str]) -> tuple[list[str], list[str], str]:
    found = fetch_debian(engine, wanting[0], architecture_of(engine), wanting[1], SILENT)
    groups = ([path.name for path in group] for group in (found.python, found.workspace))
    return (*groups, found.archive)  # type: ignore[return-value]


def test_an_archive_as_it_was_is_taken_and_its_time_is_told(
    docker_engine: Engine,
    archive: Archive,
    wanting: tuple[Edition, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EXAM_DEBIAN_MIRROR", archive.url)
    monkeypatch.setenv("EXAM_DEBIAN_KEYRING", str(archive.keyring))
    packages = (["exam-two_2_all.deb"], ["exam-one_1_all.deb"], "20260102T030405Z")
    assert fetched(docker_engine, wanting) == packages
    # What was fetched is kept, and is not mixed up with what another archive has.
    (archive.root / "pool/exam-two_2_all.deb").unlink()
    assert fetched(docker_engine, wanting) == packages
    monkeypatch.setenv("EXAM_DEBIAN_MIRROR", archive.url + "elsewhere/")
    with pytest.raises(ExamError, match="EXAM_DEBIAN_MIRROR"):
        fetched(docker_engine, wanting)


def test_an_archive_that_strangers_signed_is_refused(
    docker_engine: Engine,
    archive: Archive,
    wanting: tuple[Edition, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EXAM_DEBIAN_MIRROR", archive.url)
    with pytest.raises(ExamError, match=r"not signed|NO_PUBKEY|EXAM_DEBIAN_MIRROR"):
        fetched(docker_engine, wanting)
    monkeypatch.setenv("EXAM_DEBIAN_KEYRING", str(archive.keyring))
    index = next(archive.root.glob("dists/*/InRelease"))
    index.write_text(index.read_text().replace("Label: Debian", "Label: Devian"))
    with pytest.raises(ExamError, match="EXAM_DEBIAN_MIRROR"):
        fetched(docker_engine, wanting)


def test_a_package_that_was_replaced_is_refused(
    docker_engine: Engine,
    archive: Archive,
    wanting: tuple[Edition, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EXAM_DEBIAN_MIRROR", archive.url)
    monkeypatch.setenv("EXAM_DEBIAN_KEYRING", str(archive.keyring))
    package = archive.root / "pool/exam-two_2_all.deb"
    content = bytearray(package.read_bytes())
    content[-1] ^= 1
    package.write_bytes(content)
    with pytest.raises(ExamError, match="EXAM_DEBIAN_MIRROR"):
        fetched(docker_engine, wanting)
    assert not list((tmp_path / "cache/debian").glob("*"))  # nothing half made


def test_keys_that_are_not_there_are_told(
    docker_engine: Engine, wanting: tuple[Edition, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXAM_DEBIAN_KEYRING", "/no/such/keys.gpg")
    with pytest.raises(ExamError, match="there is no such file"):
        fetched(docker_engine, wanting)


def test_an_image_tells_its_packages(docker_engine: Engine, wanting: tuple[Edition, str]) -> None:
    found = packages_of(docker_engine, wanting[1])
    assert found["bash"] and found["apt"] and "exam-one" not in found
