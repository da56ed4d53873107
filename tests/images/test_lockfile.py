"""Locks are read as they are written, and what they pin is what is asked for."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_cli.config.edition import Architecture, Edition
from exam_cli.errors import OurFault
from exam_cli.fetch.lockfile import Pin, normal_name, read_lock, sha256_of
from exam_cli.images.lock import _blocks, _subtract

names = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,12}[A-Za-z0-9])?", fullmatch=True)
versions = st.from_regex(
    r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}(rc[0-9]|\.post[0-9]|\+cpu)?", fullmatch=True
)
hashes = st.binary(min_size=4, max_size=4).map(lambda seed: hashlib.sha256(seed).hexdigest())


@st.composite
def pins(draw: st.DrawFn) -> list[tuple[str, Pin]]:
    """Pins with distinct names, each with its name as somebody wrote it."""
    written = draw(st.lists(names, max_size=8, unique_by=normal_name))
    return [
        (
            name,
            Pin(
                normal_name(name),
                draw(versions),
                draw(st.frozensets(hashes, min_size=1, max_size=4)),
            ),
        )
        for name in written
    ]


def as_uv_writes_it(found: list[tuple[str, Pin]]) -> str:
    """Several lines a pin, each hash on its own."""
    blocks = [
        " \\\n    ".join(
            [f"{name}=={pin.version}", *(f"--hash=sha256:{one}" for one in sorted(pin.hashes))]
        )
        for name, pin in found
    ]
    return "".join(f"{block}\n" for block in blocks)


@given(pins())
def test_a_lock_is_read_in_order(
    tmp_path_factory: pytest.TempPathFactory, found: list[tuple[str, Pin]]
) -> None:
    lock = tmp_path_factory.getbasetemp() / "some.lock"
    lock.write_text(as_uv_writes_it(found))
    assert read_lock(lock) == [pin for _, pin in found]
    lock.write_text("# a comment\n\n" + "".join(f"{pin.requirement()}\n" for _, pin in found))
    assert read_lock(lock) == [pin for _, pin in found]


@given(pins(), st.data())
def test_the_upper_layer_leaves_out_what_the_lower_has(
    tmp_path_factory: pytest.TempPathFactory, found: list[tuple[str, Pin]], data: st.DataObject
) -> None:
    below = [one for one in found if data.draw(st.booleans())]
    upper, lower = (tmp_path_factory.getbasetemp() / name for name in ("upper.lock", "lower.lock"))
    upper.write_text(as_uv_writes_it(found))
    # The same package may be spelled in other ways.
    lower.write_text(as_uv_writes_it([(name.upper(), pin) for name, pin in below]))
    _subtract(upper, lower)
    kept = [one for one in found if one not in below]
    assert read_lock(upper) == [pin for _, pin in kept]
    assert upper.read_text() == as_uv_writes_it(kept)
    assert [name for name, _ in _blocks(upper)] == [pin.name for _, pin in kept]


@given(names)
def test_names_have_one_form(name: str) -> None:
    form = normal_name(name)
    assert form == normal_name(form) == form.lower()
    assert normal_name(name.upper().replace("-", "_").replace(".", "__")) == form


@given(st.binary(max_size=300))
def test_sha256_of_a_file(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "file"
    path.write_bytes(content)
    assert sha256_of(path) == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("architecture", get_args(Architecture))
@pytest.mark.parametrize("layer", ["tools", "tensorflow", "workspace"])
def test_our_own_locks_pin_everything_by_hash(
    edition: Edition, layer: str, architecture: Architecture
) -> None:
    lock = edition.lock(layer, architecture)
    found = read_lock(lock)
    # No line of the lock may have been passed over.
    assert len(found) == sum("==" in line for line in lock.read_text().splitlines())
    assert found and all(pin.hashes for pin in found)
    assert len({pin.name for pin in found}) == len(found)
    assert set(lock.read_text().split()) >= {f"{pin.name}=={pin.version}" for pin in found}


@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_the_layers_do_not_overlap(edition: Edition, architecture: Architecture) -> None:
    lower, upper = (
        {pin.name for pin in read_lock(edition.lock(layer, architecture))}
        for layer in ("tensorflow", "workspace")
    )
    assert not lower & upper


@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_the_lock_has_the_versions_that_the_edition_tells(
    edition: Edition, architecture: Architecture
) -> None:
    found = {pin.name: pin.version for pin in read_lock(edition.lock("tensorflow", architecture))}
    assert found["keras"] == edition.keras
    tensorflow = next(found[name] for name in ("tensorflow", "tensorflow-cpu") if name in found)
    assert tensorflow.split("+")[0] == edition.tensorflow


def test_a_lock_of_debian_packages_is_sorted_and_whole(edition: Edition) -> None:
    lines = edition.lock("debian", "x86_64").read_text().splitlines()
    assert lines == sorted(lines)
    for line in lines:
        name, version, digest = line.split(" ")
        assert name and version and len(digest) == 64


def test_an_empty_lock(tmp_path: Path) -> None:
    lock = tmp_path / "empty.lock"
    lock.write_text("\n# nothing\n")
    assert read_lock(lock) == []


@pytest.mark.parametrize(
    "line",
    [
        "numpy",
        "numpy>=1.26 --hash=sha256:" + "0" * 64,
        "numpy==1.26.0",
        "numpy==1.26.0 --hash=md5:" + "0" * 32,
        "numpy==1.26.0 --hash=sha256:" + "0" * 63,
        "numpy[extra]==1.26.0 --hash=sha256:" + "0" * 64,
        "numpy @ file:///tmp/numpy.whl",
        "--find-links elsewhere",
    ],
)
def test_a_line_that_pins_nothing_is_not_passed_over(tmp_path: Path, line: str) -> None:
    lock = tmp_path / "some.lock"
    lock.write_text(f"keras==3.0 --hash=sha256:{'0' * 64}\n{line}\n")
    with pytest.raises(OurFault, match=r"some\.lock has a line without a version and a hash"):
        read_lock(lock)
