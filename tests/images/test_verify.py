"""What is not as recorded, or not as a new build, is named: the layer, the file, the setting."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import tarfile
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from exam_cli.config.edition import DEFAULT_EDITION, LAYERS, Edition, Role, load_edition
from exam_cli.config.load import load
from exam_cli.engine.fake import FakeEngine
from exam_cli.engine.fake_images import Held, held
from exam_cli.errors import ExamError, OurFault
from exam_cli.images.build import references
from exam_cli.images.layers import saved_layers
from exam_cli.images.rebuild import compare
from exam_cli.images.recorded import record, with_digests
from exam_cli.images.verify import Finding, inspect
from exam_cli.progress import SILENT

EPOCH = 1767225600
FILES = {"etc/one": (b"one", 0o644), "etc/two": (b"two", 0o755)}
ENV = ["PATH=/bin", "LANG=C.UTF-8"]


def layer(name: str, **changed: tuple[bytes, int] | None) -> bytes:
    """Return a layer of three files; those that are `changed` to None are not in it."""
    files = {f"etc/{name}": (name.encode(), 0o644), **FILES}
    files |= {f"etc/{one}": content for one, content in changed.items()}  # type: ignore[dict-item]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, said in files.items():
            if said is None:
                continue
            info = tarfile.TarInfo(path)
            info.size, info.mode, info.mtime = len(said[0]), said[1], EPOCH
            tar.addfile(info, io.BytesIO(said[0]))
    return out.getvalue()


def images(changed: dict[str, bytes] | None = None, env: list[str] = ENV) -> dict[Role, Held]:
    """Return both images, some of their layers changed."""
    return {
        role: held([(changed or {}).get(name, layer(name)) for name in names], Env=env)
        for role, names in LAYERS.items()
    }


@dataclass(frozen=True, kw_only=True)
class Elsewhere(Edition):
    """The edition, but for where its file and the locks of Debian's packages are."""

    where: Path

    @property
    def directory(self) -> Path:
        return self.where


@dataclass
class Room:
    """An engine with an edition's images, and that edition's own file."""

    edition: Elsewhere
    engine: FakeEngine = field(default_factory=FakeEngine)

    def keep(self, found: dict[Role, Held]) -> None:
        names = references(self.edition, "x86_64")
        for role, image in found.items():
            self.engine.store.keep(image, getattr(names, role))

    def inspect(self) -> Finding:
        return inspect(self.engine, self.edition, SILENT)

    def compared(self, again: dict[Role, Held]) -> Finding:
        for role, image in again.items():
            self.engine.store.keep(image, f"again:{role}")
        found = {role: self.engine.image(f"again:{role}") for role in again}
        return compare(self.engine, self.inspect(), {r: i for r, i in found.items() if i})

    def record(self) -> None:
        path = record(self.engine, self.edition, self.inspect())
        self.edition = replace(self.edition, digests=_read(path.read_text()).digests)


def _read(text: str) -> Edition:
    """Return an edition of this text."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        return load(Path(file.name), Edition, variant="cpu")


@pytest.fixture
def room(tmp_path: Path) -> Room:
    shipped = load_edition(DEFAULT_EDITION)
    for path in shipped.directory.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    bare = with_digests(shipped.directory.joinpath("edition.yaml").read_text(), [])
    (tmp_path / "edition.yaml").write_text(bare)
    made = Room(Elsewhere(**{**vars(shipped), "digests": (), "where": tmp_path}))
    made.keep(images())
    return made


def differing(found: Finding) -> dict[str, list[str]]:
    return {
        one.role: [layer.name for layer in one.layers if not layer.same] for one in found.images
    }


def test_what_was_recorded_is_found_again(room: Room) -> None:
    before = room.inspect()
    assert not before.same and not before.compared
    assert "No digests are recorded" in before.notes[0]
    room.record()
    after = room.inspect()
    assert after.same and after.notes == []
    assert after.as_json()["same"] and after.as_json()["images"][0]["layers"][0]["same"]


def test_recording_keeps_the_text_and_what_others_recorded(room: Room) -> None:
    path = room.edition.directory / "edition.yaml"
    bare = path.read_text()
    room.record()
    told = path.read_text()
    assert told.startswith(bare.split("digests:")[0].split("# What every")[0].rstrip())
    assert "# Debian base" in told and "# TensorFlow's wheels" in told
    again = _read(told)
    arm = replace(again.digests[0], architecture="aarch64")
    room.edition = replace(room.edition, digests=(arm, *again.digests))
    room.record()
    assert {one.architecture for one in _read(path.read_text()).digests} == {"aarch64", "x86_64"}
    assert path.read_text().count("digests:") == 1
    # A key below stays below, a comment above stays above.
    moved = path.read_text().replace("epoch: 1767225600\n", "").rstrip() + "\n\n# One\nepoch: 1\n"
    rewritten = with_digests(moved, list(again.digests))
    assert "# One\nepoch: 1\n" in rewritten and rewritten.count("digests:") == 1
    assert _read(rewritten).digests == again.digests


def test_another_layer_is_named(room: Room) -> None:
    room.record()
    room.keep(images({"Python": layer("Python", one=(b"1", 0o644))}))
    found = room.inspect()
    assert not found.same
    assert differing(found) == {"grader": ["Python"], "workspace": ["Python"]}


def test_another_setting_is_seen_and_after_a_rebuild_named(room: Room) -> None:
    room.record()
    room.keep(images(env=["PATH=/bin", "LANG=C", "MORE=1"]))
    found = room.inspect()
    assert not found.same and differing(found) == {"grader": [], "workspace": []}
    assert "--rebuild" in found.images[0].settings[0]
    rebuilt = room.compared(images())
    assert rebuilt.images[0].settings == [
        "Env LANG 'C' instead of 'C.UTF-8'",
        "Env MORE '1' instead of unset",
    ]
    assert not rebuilt.same


@pytest.mark.parametrize(
    ("changed", "path", "how"),
    [
        ({"one": (b"1", 0o644)}, "/etc/one", ("content",)),
        ({"one": (b"one", 0o600)}, "/etc/one", ("mode 0600 instead of 0644",)),
        ({"one": None}, "/etc/one", ("missing",)),
        ({"three": (b"3", 0o644)}, "/etc/three", ("extra",)),
    ],
)
def test_a_file_that_is_not_as_built_anew_is_named(
    room: Room, changed: dict[str, tuple[bytes, int] | None], path: str, how: tuple[str, ...]
) -> None:
    room.keep(images({"Jupyter": layer("Jupyter", **changed)}))
    found = room.compared(images())
    assert differing(found) == {"grader": [], "workspace": ["Jupyter"]}
    (jupyter,) = (one for one in found.images[1].layers if one.name == "Jupyter")
    assert [(one.path, one.how) for one in jupyter.differences] == [(path, how)]
    assert not found.same


def test_a_build_that_gives_the_same_is_proof_without_a_record(room: Room) -> None:
    found = room.compared(images())
    assert found.compared and found.same


def test_bytes_that_are_not_what_the_engine_says_are_found(room: Room) -> None:
    room.record()
    name = references(room.edition, "x86_64").workspace
    store = room.engine.store
    image = store.images[store.names[name]]
    layers = list(image.layers)
    layers[-2] = layer("Jupyter", one=(b"planted", 0o644))
    store.images[image.id] = Held(image.config, tuple(layers))
    found = room.inspect()
    assert differing(found) == {"grader": [], "workspace": ["Jupyter"]}
    (jupyter,) = (one for one in found.images[1].layers if not one.same)
    assert jupyter.recorded == jupyter.digest != jupyter.content
    with pytest.raises(ExamError, match="Nothing was recorded: the layer Jupyter"):
        record(room.engine, room.edition, found)


def test_an_image_that_is_not_here_is_told_with_what_makes_it(room: Room) -> None:
    room.engine.remove_image(references(room.edition, "x86_64").workspace)
    with pytest.raises(ExamError, match=r"workspace image of tf2\.21.*exam images build"):
        room.inspect()


def test_on_another_base_a_sentence_says_so(room: Room) -> None:
    room.record()
    pulled = f"debian@{room.edition.base.digest}"
    room.engine.store.keep(held([layer("published")]), pulled)
    room.keep(images({"Debian base": layer("published")}))
    found = room.inspect()
    assert found.base == "pulled" and not found.same
    assert "stand on the published base" in found.notes[0]


def test_an_engine_may_save_images_in_any_order(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.record()
    save = room.engine.store.save
    monkeypatch.setattr(room.engine.store, "save", lambda names: save(list(reversed(names))))
    assert room.inspect().same


def oci(layers: list[bytes]) -> bytes:
    """Return what a newer engine saves: layers by digest, packed."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        names = []
        digests = [f"sha256:{hashlib.sha256(one).hexdigest()}" for one in layers]
        _add(tar, "blobs/sha256/x", json.dumps({"rootfs": {"diff_ids": digests}}).encode())
        for content in layers:
            names.append(f"blobs/sha256/{hashlib.sha256(content).hexdigest()}")
            _add(tar, names[-1], gzip.compress(content))
        _add(
            tar,
            "manifest.json",
            json.dumps([{"Config": "blobs/sha256/x", "Layers": names}]).encode(),
        )
    return out.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize("size", [1, 700, 1 << 20])
def test_packed_layers_are_read_in_pieces_of_any_size(size: int) -> None:
    content = [layer("one"), layer("two", one=None)]
    saved = oci(content)
    pieces = [saved[start : start + size] for start in range(0, len(saved), size)]
    (found,) = saved_layers(pieces, files=True).values()
    digests = [f"sha256:{hashlib.sha256(one).hexdigest()}" for one in content]
    assert [one.digest for one in found] == digests
    assert set(found[1].files) == {"etc/two"}
    assert found[1].files["etc/two"].content == hashlib.sha256(b"two").hexdigest()
    (unread,) = saved_layers(pieces).values()
    assert [one.digest for one in unread] == digests


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_what_is_cut_off_is_our_fault(part: float) -> None:
    saved = oci([layer("one", large=(random.Random(0).randbytes(1 << 16), 0o644))])
    with pytest.raises(OurFault, match="cannot be read"):
        saved_layers([saved[: int(len(saved) * part)]])
