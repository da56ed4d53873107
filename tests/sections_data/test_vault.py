"""A section's data on its way from sources and a seed into a vault: the real builder program."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exam_cli.config.section import Source
from exam_cli.engine.fake import FakeEngine
from exam_cli.engine.port import ContainerSpec
from exam_cli.errors import OurFault
from exam_cli.paths import resource
from exam_cli.sections.catalog import shipped_section
from exam_cli.sections.vault import SectionData, section_data

SEED = bytes(range(32))

DATASET = """
import numpy as np

def build(sources, seed):
    found = sources["words"]
    many = found if isinstance(found, dict) else {"one": found}
    labels = np.frombuffer(seed, dtype=np.uint8)[:2].astype(np.int32)
    hidden = {"inputs": {"x": np.array(sorted(many), dtype=object)}, "labels": labels[: len(many)]}
    train = {"all.txt": b"".join(many.values()), "train/b/1.txt": b"1", "train/a/22.txt": b"22"}
    sample = {"inputs": hidden["inputs"]}
    return {"train": train, "sample": sample, "probe": hidden, "final": hidden}
"""


@pytest.fixture
def builder(tmp_path: Path) -> FakeEngine:
    """Runs the builder with this Python, beside the modules that the image has beside it."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for path in [*resource("images", "programs").glob("*.py"), resource("exam_cli", "wire.py")]:
        shutil.copy(path, programs)

    def program(spec: ContainerSpec) -> list[str]:
        return [sys.executable, str(programs / Path(spec.command[-1]).name)]

    return FakeEngine(program=program)


@pytest.fixture
def package() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in ("data/b.txt", "data/a.txt", "code.py"):
            archive.writestr(name, name)
    return content.getvalue()


Build = Callable[..., SectionData]


@pytest.fixture
def build(
    tmp_path: Path, builder: FakeEngine, package: bytes, monkeypatch: pytest.MonkeyPatch
) -> Build:
    """Return a maker of data in a vault of a name, from a source that takes what it is told."""
    monkeypatch.setenv("EXAM_CACHE", str(tmp_path / "cache"))
    digest = hashlib.sha256(package).hexdigest()
    (tmp_path / "cache" / "sources").mkdir(parents=True)
    (tmp_path / "cache" / "sources" / digest).write_bytes(package)
    (tmp_path / "dataset.py").write_text(DATASET)

    def make(vault: str = "vault", shared: bool = False, **taken: Any) -> SectionData:
        source = Source(
            name="words", registry="pypi", package="words", version="1", sha256=digest,
            licence="MIT", credit="nobody", **taken,
        )  # fmt: skip
        section = replace(shipped_section(1), folder=tmp_path, sources=(source,))
        return section_data(
            section, SEED, tmp_path / vault, builder, "test:base", "x86_64", shared=shared
        )

    return make


def test_one_member_and_files_and_directories(build: Build) -> None:
    data = build(member="data/a.txt")
    assert data.train["all.txt"].read_bytes() == b"data/a.txt"
    assert list(data.trees) == ["train"]
    assert data.sets["probe"].labels is not None and data.sets["sample"].labels is None
    assert data.sets["probe"].rows == 1


def test_many_members_by_pattern_are_sorted(build: Build) -> None:
    data = build(members=("data/*.txt", "code.*"))
    assert data.train["all.txt"].read_bytes() == b"code.pydata/a.txtdata/b.txt"


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        ({"member": "data/c.txt"}, "source words has no member data/c.txt"),
        ({"members": ("data/*", "nothing/*")}, "source words has no member that matches nothing/*"),
    ],
)
def test_a_missing_member_names_the_source(build: Build, taken: Any, said: str) -> None:
    with pytest.raises(OurFault) as fault:
        build(**taken)
    assert said in str(fault.value)


def test_what_is_built_is_kept(build: Build, builder: FakeEngine) -> None:
    first = build(member="data/a.txt")
    assert build(member="data/a.txt") == first and len(builder.created) == 1


def test_sessions_of_one_seed_share_what_was_built(
    build: Build, builder: FakeEngine, tmp_path: Path
) -> None:
    one, two = (build(vault, shared=True, member="data/a.txt") for vault in ("one", "two"))
    assert len(builder.created) == 1
    assert one.sets["final"].sha256 == two.sets["final"].sha256
    for path in (one.train["all.txt"], two.train["all.txt"]):
        assert path.is_relative_to(tmp_path / path.parts[-3])
    manifest = json.loads((one.train["all.txt"].parent / "manifest.json").read_text())
    assert {part["kind"] for part in manifest["parts"]} == {"file", "tree", "input", "labels"}
    (tmp_path / "dataset.py").write_text(DATASET.replace('"1"', '"one"'))
    build("three", shared=True, member="data/a.txt")
    assert len(builder.created) == 2, "another dataset.py builds other data"


def test_the_same_seed_gives_the_same_bytes(build: Build) -> None:
    one, two = build("one", member="code.py"), build("two", member="code.py")
    assert one.trees["train"].read_bytes() == two.trees["train"].read_bytes()
    assert one.sets == {
        name: replace(found, inputs=one.sets[name].inputs, labels=one.sets[name].labels)
        for name, found in two.sets.items()
    }
