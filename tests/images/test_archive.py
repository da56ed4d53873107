"""An edition in one file: what went in comes out, and of anything else nothing does."""

from __future__ import annotations

import gzip
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exam_cli.config.edition import DEFAULT_EDITION, Digests, Recorded, load_edition
from exam_cli.config.exam import load_exam
from exam_cli.config.section import Source
from exam_cli.engine.fake import ABOUT, FakeEngine
from exam_cli.engine.fake_images import held
from exam_cli.errors import DiskFull, ExamError, OurFault
from exam_cli.files import locked
from exam_cli.images.archive import manifest as m
from exam_cli.images.archive.blocks import header
from exam_cli.images.archive.packing import TooLarge, unpacked
from exam_cli.images.archive.reading import BadArchive, opened
from exam_cli.images.build import references
from exam_cli.paths import resource
from exam_cli.progress import SILENT
from exam_cli.sections.catalog import every_section
from exam_cli.sitting import moving
from exam_cli.sitting.moving import Loaded, load
from tests.images.archives import IMAGES, SHARED, Forgery, forged, made, sha256, stocked

EDITION = load_edition(DEFAULT_EDITION)
NAMES = references(EDITION, "x86_64")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return made(tmp_path_factory.mktemp("archive") / "room.tar", EDITION).path.read_bytes()


@pytest.fixture(autouse=True)
def unrecorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has recorded what the small images of these tests give."""
    monkeypatch.setattr(
        moving, "load_edition", lambda *named: replace(load_edition(*named), digests=())
    )


@dataclass
class Laptop:
    """A machine that has nothing yet."""

    place: Path
    engine: FakeEngine

    @property
    def cache(self) -> Path:
        return self.place / "cache"

    def load(self, content: bytes, sha256: str | None = None) -> Loaded:
        path = self.place / "room.tar"
        path.write_bytes(content)
        return load(path, sha256, self.engine, SILENT)

    def has_nothing(self) -> bool:
        kept = [path for path in self.cache.rglob("*") if path.is_file()]
        return not self.engine.store.images and not self.engine.store.names and not kept


@pytest.fixture
def laptop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Laptop:
    monkeypatch.setenv("EXAM_CACHE", str(tmp_path / "cache"))
    return Laptop(tmp_path, FakeEngine())


def test_what_went_in_comes_out(laptop: Laptop, archive: bytes) -> None:
    done = laptop.load(archive)
    assert done.new and done.sources == 2
    store = laptop.engine.store
    assert {name: store.images[one] for name, one in store.names.items()} == {
        NAMES.grader: IMAGES["grader"],
        NAMES.workspace: IMAGES["workspace"],
    }
    kept = {path.name: path.read_bytes() for path in (laptop.cache / "sources").iterdir()}
    assert kept.keys() == {sha256(content) for content in kept.values()}
    assert b"pypi:one 1.0" * 1000 in kept.values()


def test_loading_again_changes_nothing(laptop: Laptop, archive: bytes) -> None:
    laptop.load(archive)
    before = dict(laptop.engine.store.names), set(laptop.engine.store.images)
    done = laptop.load(archive)
    assert not done.new and done.sources == 0
    assert (dict(laptop.engine.store.names), set(laptop.engine.store.images)) == before


def test_what_is_damaged_in_the_cache_is_mended(laptop: Laptop, archive: bytes) -> None:
    laptop.load(archive)
    one, _ = (laptop.cache / "sources").iterdir()
    one.write_bytes(b"damaged")
    assert laptop.load(archive).sources == 1
    assert sha256(one.read_bytes()) == one.name


def test_the_same_content_gives_the_same_bytes(tmp_path: Path, archive: bytes) -> None:
    assert made(tmp_path / "again.tar", EDITION).path.read_bytes() == archive
    assert [path.name for path in tmp_path.glob(".*")] == []  # and leaves no draft


def test_the_answer_tells_the_archives_own_hash(tmp_path: Path, archive: bytes) -> None:
    done = made(tmp_path / "again.tar", EDITION)
    assert (done.sha256, done.bytes) == (sha256(archive), len(archive))


def test_other_tools_read_it(tmp_path: Path, archive: bytes) -> None:
    (tmp_path / "room.tar").write_bytes(archive)
    subprocess.run(["tar", "xf", "room.tar"], cwd=tmp_path, check=True)
    subprocess.run(["sha256sum", "--quiet", "-c", m.HASH_NAME], cwd=tmp_path, check=True)
    listed = json.loads((tmp_path / m.NAME).read_text())
    lines = "".join(f"{one['sha256']}  {one['path']}\n" for one in listed["members"])
    subprocess.run(["sha256sum", "--quiet", "-c"], cwd=tmp_path, check=True, input=lines, text=True)
    # An OCI layout (image-layout.md): index, lists of layers, blobs by their hash.
    images = tmp_path / "images"
    index = json.loads((images / "index.json").read_text())
    for entry, role in zip(index["manifests"], IMAGES, strict=True):
        blob = images / "blobs" / entry["digest"].replace(":", "/")
        told = json.loads(blob.read_text())
        config = images / "blobs" / told["config"]["digest"].replace(":", "/")
        assert config.read_bytes() == IMAGES[role].config
        layers = [images / "blobs" / one["digest"].replace(":", "/") for one in told["layers"]]
        assert tuple(gzip.decompress(one.read_bytes()) for one in layers) == IMAGES[role].layers


def test_what_images_share_is_stored_once(archive: bytes) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        names = tar.getnames()
    layers = {layer for image in IMAGES.values() for layer in image.layers}
    # Layers, configurations, lists of layers.
    assert len([name for name in names if "/blobs/" in name]) == len(layers) + 2 + 2
    assert len(archive) < len(SHARED)


def test_what_a_killed_save_left_goes_with_the_next(tmp_path: Path) -> None:
    left = tmp_path / ".room.tar.part"
    left.mkdir()
    (left / "layer").write_bytes(bytes(1000))
    assert made(tmp_path / "room.tar", EDITION).path.exists()
    assert not left.exists()


def test_two_saves_of_one_archive_do_not_mix(tmp_path: Path) -> None:
    left = tmp_path / ".room.tar.part"
    left.mkdir()
    with locked(left / "lock"), pytest.raises(ExamError) as failure:
        made(tmp_path / "room.tar", EDITION)
    assert failure.value.reason == "busy" and left.exists()


def test_the_sources_of_an_exams_own_sections_travel_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "9-own"
    shutil.copytree(resource("sections", "1-regression"), own)
    text = (own / "section.yaml").read_text()
    (own / "section.yaml").write_text(
        re.sub(r"package: \S+", "package: a-package-of-its-own", text).replace(
            "36f4526235b3", "000000000000"
        )
    )
    (tmp_path / "exam.yaml").write_text(f"exam: own\nsections: [{{folder: {own}}}]\n")

    def fetched(source: Source, *_: object) -> Path:
        path = tmp_path / source.sha256
        path.write_bytes(source.package.encode())
        return path

    monkeypatch.setattr(moving, "fetch_source", fetched)
    exams = [load_exam(str(tmp_path / "exam.yaml"))]
    done = moving.save(tmp_path / "room.tar", EDITION, exams, stocked(EDITION), SILENT)
    shipped = {one.sha256 for section in every_section() for one in section.sources}
    packages = [one.package for one in done.manifest.sources]
    assert len(packages) == len(shipped) + 1
    assert any("a-package-of-its-own" in one for one in packages)
    assert {one.form for one in every_section()} == {"a", "b"}


def test_a_stream_is_as_good_as_a_file(
    laptop: Laptop, archive: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(archive)))
    assert load(None, sha256(archive), laptop.engine, SILENT).new
    assert len(laptop.engine.store.names) == 2
    assert [path for path in laptop.cache.glob(".*") if path.is_file()] == []


def test_the_hash_that_was_told_must_be_the_archives(laptop: Laptop, archive: bytes) -> None:
    with pytest.raises(BadArchive, match="not the one that you gave") as failure:
        laptop.load(archive, "0" * 64)
    assert failure.value.reason == "other_sha256" and laptop.has_nothing()
    assert laptop.load(archive, sha256(archive)).vouched == "sha256"


def test_a_file_that_is_no_archive(laptop: Laptop) -> None:
    other = io.BytesIO()
    with tarfile.open(fileobj=other, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("manifest.json"))
    for content in (b"", b"PK\3\4", other.getvalue(), bytes(10_240)):
        with pytest.raises(BadArchive, match="is no archive of images"):
            laptop.load(content)
    with pytest.raises(ExamError, match="There is no archive"):
        load(laptop.place / "nothing.tar", None, laptop.engine, SILENT)
    assert laptop.has_nothing()


def refused(laptop: Laptop, content: bytes, says: str) -> BadArchive:
    with pytest.raises(BadArchive, match=says) as failure:
        laptop.load(content)
    assert "nothing" in str(failure.value) and "loaded" in str(failure.value)
    assert "\n" not in str(failure.value)
    assert laptop.has_nothing()
    return failure.value


_FEW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@_FEW
@given(st.data())
def test_an_archive_that_was_cut_off(laptop: Laptop, archive: bytes, data: st.DataObject) -> None:
    refused(laptop, archive[: data.draw(st.integers(0, len(archive) - 1))], ".")


@_FEW
@given(st.data())
def test_any_byte_that_changed_is_noticed(
    laptop: Laptop, archive: bytes, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(archive) - 1))
    other = bytes([archive[place] ^ data.draw(st.integers(1, 255))])
    refused(laptop, archive[:place] + other + archive[place + 1 :], ".")


@_FEW
@given(st.binary(min_size=1, max_size=2000))
def test_nothing_may_follow(laptop: Laptop, archive: bytes, more: bytes) -> None:
    refused(laptop, archive + more, "behind its end")


def test_an_archive_that_was_cut_off_tells_where(laptop: Laptop, archive: bytes) -> None:
    refused(laptop, archive[: len(archive) // 2], f"ends early, after {len(archive) // 2} of")


def _members(change: Callable[[list[dict[str, object]]], object]) -> Callable[[Forgery], object]:
    return lambda forgery: change(forgery.manifest["members"])


def _bomb(forgery: Forgery) -> None:
    """A layer of 100 MB of zeros that claims to be as small as the one in its place."""
    (layer,) = (one for one in forgery.manifest["layers"] if one["unpacked"] == 8)
    packed = gzip.compress(bytes(100 << 20))
    layer.update(sha256=sha256(packed), bytes=len(packed))
    forgery.put(f"images/blobs/sha256/{sha256(packed)}", packed)


def _other_layer(forgery: Forgery) -> None:
    (layer,) = (one for one in forgery.manifest["layers"] if one["unpacked"] == 8)
    packed = gzip.compress(b"PROGRAMS")
    layer.update(sha256=sha256(packed), bytes=len(packed))
    forgery.put(f"images/blobs/sha256/{sha256(packed)}", packed)


def _link(forgery: Forgery) -> None:
    path = forgery.manifest["members"][-1]["path"]
    info = tarfile.TarInfo(path)
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
    forgery.headers[path] = info.tobuf(tarfile.GNU_FORMAT)


def _device(forgery: Forgery) -> None:
    path = forgery.manifest["members"][-1]["path"]
    info = tarfile.TarInfo(path)
    info.type, info.devmajor, info.devminor = tarfile.BLKTYPE, 8, 0
    forgery.headers[path] = info.tobuf(tarfile.GNU_FORMAT)


HOSTILE: dict[str, tuple[Callable[[Forgery], object], str]] = {
    "a path that leads out": (lambda f: f.put("sources/../../evil", b"x"), "faulty manifest"),
    "an absolute path": (lambda f: f.put("/etc/cron.d/evil", b"x"), "faulty manifest"),
    "a path of no kind": (lambda f: f.put("evil/x", b"x"), "faulty manifest"),
    "a path without a name": (lambda f: f.put("sources//x", b"x"), "faulty manifest"),
    "a path with a dot": (lambda f: f.put("./evil", b"x"), "faulty manifest"),
    "a link": (_link, "another header"),
    "a device": (_device, "another header"),
    "a member twice": (_members(lambda all_: all_.append(all_[-1])), "a file twice"),
    "a source that is missing": (
        lambda f: f.manifest["sources"].append({"package": "x", "sha256": "0" * 64}),
        "lacks a source",
    ),
    "a layer that is missing": (
        lambda f: f.manifest["members"].remove(f.member(f.manifest["layers"][0]["sha256"])),
        "lacks a part of an image",
    ),
    "a layer that unpacks to more": (_bomb, "unpacks to more"),
    "a layer of something else": (_other_layer, "does not unpack to the layer"),
    "an image of something else": (
        lambda f: f.put_config("grader", held([b"evil"], User="0:0").config),
        "not the one that its manifest names",
    ),
    "an image that lacks a layer": (
        lambda f: (
            f.put_config("grader", held([b"evil"]).config),
            f.manifest["images"][0].update(digest=_digest_of(held([b"evil"]).config)),
        ),
        "a layer of its grader image is missing",
    ),
    "a configuration that is none": (lambda f: f.put_config("grader", b"[]"), "no configuration"),
    "two graders": (
        lambda f: f.manifest["images"][1].update(role="grader"),
        "one grader and one workspace",
    ),
    "a size below nothing": (_members(lambda all_: all_[-1].update(bytes=-512)), "at least 0"),
    "a name of no edition": (lambda f: f.manifest.update(edition="../evil"), "faulty manifest"),
    "a key that nobody knows": (lambda f: f.manifest.update(more=1), "means nothing here"),
    "escapes for a terminal": (
        lambda f: f.manifest.update({"\x1b]0;evil\x07": 1}),
        r"\?\]0;evil\?",
    ),
}


def _digest_of(config: bytes) -> str:
    from exam_cli.engine.image_config import described

    return described(config).digest


@pytest.mark.parametrize("what", HOSTILE)
def test_a_strangers_archive(what: str, laptop: Laptop, archive: bytes) -> None:
    change, says = HOSTILE[what]
    refused(laptop, forged(archive, change), says)


def test_a_manifest_that_has_no_end(laptop: Laptop, archive: bytes) -> None:
    content = bytearray(archive)
    place = content.index(header(m.NAME, 0)[:100])
    content[place : place + 512] = header(m.NAME, 1 << 30)
    refused(laptop, bytes(content), "its beginning is damaged")


def test_the_names_inside_are_not_believed(laptop: Laptop, archive: bytes) -> None:
    def rename(forgery: Forgery) -> None:
        listed = json.loads(forgery.contents["images/manifest.json"])
        for one in listed:
            one["RepoTags"] = ["debian:latest", NAMES.grader]
        forgery.put("images/manifest.json", json.dumps(listed).encode())

    laptop.load(forged(archive, rename))
    assert laptop.engine.store.find("debian:latest") is None
    found = laptop.engine.store.find(NAMES.grader)
    assert found is not None and found.id == IMAGES["grader"].id


def test_an_archive_of_another_architecture(laptop: Laptop, archive: bytes) -> None:
    content = forged(archive, lambda f: f.manifest.update(architecture="aarch64"))
    error = refused(laptop, content, "is for aarch64 and the engine here runs on x86_64")
    assert error.reason == "other_architecture"


def test_an_archive_of_another_program(laptop: Laptop, archive: bytes) -> None:
    def change(forgery: Forgery) -> None:
        forgery.manifest.update(fingerprint="0" * 64, program="0.0.9")
        forgery.put("edition/programs/predictor.py", b"print('other')")

    error = refused(laptop, forged(archive, change), "of another program")
    assert error.reason == "other_edition"
    assert "exam 0.0.9" in str(error) and "programs/predictor.py differ" in str(error)


def test_an_edition_that_this_program_lacks(laptop: Laptop, archive: bytes) -> None:
    content = forged(archive, lambda f: f.manifest.update(edition="tf9.9", program="2.0"))
    assert "install exam 2.0" in str(refused(laptop, content, "has none of that name"))


def test_a_newer_format(laptop: Laptop, archive: bytes) -> None:
    content = forged(archive, lambda f: f.manifest.update(version=2, program="7.0", more={}))
    refused(laptop, content, "newer version of this program .*7.0")


@pytest.mark.parametrize("version", [True, "1", 1.5, None, -1])
def test_a_format_that_is_none(laptop: Laptop, archive: bytes, version: object) -> None:
    refused(laptop, forged(archive, lambda f: f.manifest.update(version=version)), "faulty")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([*m.Manifest.__dataclass_fields__]), _JSON)
def test_any_value_is_a_manifest_or_a_sentence(name: str, value: object) -> None:
    told = {**_TOLD, name: value}
    try:
        found = m.decoded(json.dumps(told).encode())
    except m.NoManifest as error:
        assert str(error).isprintable()
    else:
        assert m.decoded(m.encoded(found)) == found


_TOLD = {
    "format": m.FORMAT,
    "version": 1,
    "program": "1.0",
    "edition": "tf2.21",
    "variant": "cpu",
    "architecture": "x86_64",
    "fingerprint": "0" * 64,
    "images": [
        {"role": role, "digest": "sha256:" + "1" * 64, "config": "2" * 64, "config_bytes": 9}
        for role in ("grader", "workspace")
    ],
    "layers": [{"diff_id": "sha256:" + "3" * 64, "sha256": "4" * 64, "bytes": 5, "unpacked": 7}],
    "sources": [],
    "members": [
        {"path": f"{m.BLOBS}/{'2' * 64}", "sha256": "2" * 64, "bytes": 9},
        {"path": f"{m.BLOBS}/{'4' * 64}", "sha256": "4" * 64, "bytes": 5},
    ],
}


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_manifest_or_a_sentence(content: bytes) -> None:
    with pytest.raises(m.NoManifest):
        m.decoded(content)


def test_a_manifest_as_it_should_be_is_one() -> None:
    assert m.decoded(json.dumps(_TOLD).encode()).edition == "tf2.21"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=5000), st.integers(0, 6000), st.integers(1, 64))
def test_unpacking_gives_all_or_says_why(content: bytes, most: int, piece: int) -> None:
    packed = gzip.compress(content)
    pieces = [packed[i : i + piece] for i in range(0, len(packed), piece)]
    if most < len(content):
        with pytest.raises(TooLarge):
            list(unpacked(pieces, most))
    else:
        assert b"".join(unpacked(pieces, most)) == content
    for wrong in ([*pieces, b"x"], pieces[:-1], [b"x", *pieces]):
        with pytest.raises(ValueError, match=r"follows|early|header|data|check"):
            list(unpacked(wrong, 6000))


def test_too_little_room_is_told_before_anything_is_written(
    laptop: Laptop, archive: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    laptop.engine.about = ABOUT  # an engine of this machine, at /

    def huge(forgery: Forgery) -> None:
        forgery.manifest["layers"][0]["unpacked"] = 1 << 45

    with pytest.raises(DiskFull, match="GB are free there"):
        laptop.load(forged(archive, huge))
    assert laptop.has_nothing()


class Elsewhere(FakeEngine):
    """An engine that makes something else of what it is given."""

    def load(self, tar: Iterable[bytes]) -> list[str]:
        b"".join(tar)
        other = held([b"something else"])
        self.store.keep(other)
        return [other.id]


def test_an_engine_that_makes_other_images_of_it(laptop: Laptop, archive: bytes) -> None:
    laptop.engine = Elsewhere()
    with pytest.raises(OurFault, match="they were removed again"):
        laptop.load(archive)
    assert laptop.has_nothing()


class Full(FakeEngine):
    """An engine whose disk is full when it has the first of two images."""

    def load(self, tar: Iterable[bytes]) -> list[str]:
        other = FakeEngine()
        first, _ = other.load(tar)
        self.store.keep(other.store.images[first])
        raise DiskFull("The engine's disk is full: free some space and try again.")


def test_an_engine_whose_disk_is_full(laptop: Laptop, archive: bytes) -> None:
    laptop.engine = Full()
    with pytest.raises(DiskFull):
        laptop.load(archive)
    assert laptop.has_nothing()


def test_a_file_that_changes_after_it_was_checked(laptop: Laptop, archive: bytes) -> None:
    path = laptop.place / "room.tar"
    path.write_bytes(archive)
    with path.open("rb") as stream:
        found = opened(stream.fileno(), path.name)
        member = max(found.manifest.members, key=lambda one: one.bytes)
        start = found.starts[member.path]
        path.write_bytes(archive[:start] + b"other" + archive[start + 5 :])
        with pytest.raises(BadArchive, match="another sha256"):
            list(found.pieces(member))


def test_an_image_that_was_here_under_the_name_gives_way(laptop: Laptop, archive: bytes) -> None:
    laptop.engine = stocked(EDITION, {"grader": held([b"old"]), "workspace": IMAGES["workspace"]})
    assert laptop.load(archive).new
    found = laptop.engine.store.find(NAMES.grader)
    assert found is not None and found.id == IMAGES["grader"].id


def recording(monkeypatch: pytest.MonkeyPatch, digests: dict[str, str]) -> None:
    """Have the edition record these digests."""
    recorded = {
        role: Recorded(digest=digest, layers=("sha256:" + "0" * 64,))
        for role, digest in digests.items()
    }
    record = Digests(architecture="x86_64", variant="cpu", base="made", **recorded)
    known = replace(EDITION, digests=(record,))
    monkeypatch.setattr(moving, "load_edition", lambda name, variant: known)


def test_images_that_the_edition_records_need_nobodys_word(
    laptop: Laptop, archive: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert laptop.load(archive).vouched == "nobody"
    recording(monkeypatch, {role: _digest_of(one.config) for role, one in IMAGES.items()})
    assert laptop.load(archive).vouched == "recorded"


def test_other_images_than_the_edition_records_need_the_archives_hash(
    laptop: Laptop, archive: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = {role: _digest_of(one.config) for role, one in IMAGES.items()}
    recording(monkeypatch, {**digests, "grader": "sha256:" + "1" * 64})
    error = refused(laptop, archive, "other images than those that the edition")
    assert error.reason == "not_recorded"
    assert laptop.load(archive, sha256(archive)).vouched == "sha256"


def test_images_that_are_not_here_are_not_saved(tmp_path: Path) -> None:
    engine = stocked(EDITION, {"grader": IMAGES["grader"]})
    with pytest.raises(OurFault, match="workspace image is not on the engine"):
        made(tmp_path / "room.tar", EDITION, engine)
    assert not (tmp_path / "room.tar").exists()


def test_an_archive_that_was_there_stays_when_the_new_one_fails(
    tmp_path: Path, archive: bytes
) -> None:
    class Broken(FakeEngine):
        def save(self, references: object) -> Iterable[bytes]:  # type: ignore[override]
            yield from [b"".join(super().save(references))[:5000]]  # type: ignore[arg-type]

    engine = Broken(store=stocked(EDITION).store)
    path = tmp_path / "room.tar"
    path.write_bytes(archive)
    with pytest.raises(OurFault, match="broke off"):
        made(path, EDITION, engine)
    assert path.read_bytes() == archive
    assert sorted(one.name for one in tmp_path.iterdir()) == ["room.tar", "sources"]
