"""Which versions have a hole: ranges, release candidates, Debian's own mending, hidden numbers."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from exam_cli.config import advisories
from exam_cli.config.advisories import Advisory, State, is_debian
from exam_cli.config.load import load
from exam_cli.errors import ExamError

HOLE = Advisory(
    component="runc",
    id="CVE-2000-0001",
    affected=("<1.2.8", ">=1.3.0rc1,<1.3.3"),
    upgrade="1.2.8 or 1.3.3",
    debian="1.1.5+ds1-1+deb12u2",
    text="It lets a model out.",
    source="CVE-2000-0001",
)
numbers = st.lists(st.integers(0, 30), min_size=3, max_size=3)
needs_dpkg = pytest.mark.skipif(shutil.which("dpkg") is None, reason="only dpkg compares these")


@pytest.mark.parametrize(
    ("version", "state"),
    [
        ("1.2.7", "open"),
        ("v1.2.7", "open"),
        ("1.2.8", "mended"),
        ("1.2.8+ds1", "mended"),
        ("1.1.5+ds1", "open"),
        ("1.3.0-rc.1", "open"),
        ("1.3.0-rc.0", "mended"),
        ("1.3.2", "open"),
        ("1.3.3", "mended"),
        ("1.1.12-0-g51d5e94", "open"),
        ("2", "unknown"),
        ("", "unknown"),
        ("devel", "unknown"),
    ],
)
def test_a_version_is_in_a_range_or_not(version: str, state: State) -> None:
    assert HOLE.state(version) == state


@needs_dpkg
@pytest.mark.parametrize(
    ("build", "state"),
    [
        ("1.1.5+ds1-1+deb12u1", "open"),
        ("1.1.5+ds1-1+deb12u2", "mended"),
        ("1.1.5+ds1-1+deb12u10", "mended"),
        ("1.1.5+ds1-1+deb12u2~bpo1", "open"),
        ("v1.1.12-0-g51d5e94", "open"),
        ("51d5e94601ceffbbd85688df1c928ecccbfa4685", "open"),
        ("", "open"),
    ],
)
def test_debian_mends_without_a_new_version(build: str, state: State) -> None:
    assert HOLE.state("1.1.5+ds1", build) == state
    assert HOLE.by_debian("1.1.5+ds1", build) == (state == "mended")
    assert replace(HOLE, debian=None).state("1.1.5+ds1", build) == "open"


@needs_dpkg
def test_what_never_had_a_hole_was_not_mended_by_debian() -> None:
    assert not HOLE.by_debian("1.2.9+ds1", "1.2.9+ds1-1")


def test_without_dpkg_nobody_says_that_debian_mended_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert HOLE.state("1.1.5+ds1", "1.1.5+ds1-1+deb12u2") == "open"


@pytest.mark.parametrize(
    ("version", "state"),
    [
        ("6.1.0-42-amd64", "unknown"),
        ("6.1.0", "open"),
        ("6.1.100", "mended"),
        ("6.1.100-fc", "mended"),
        ("5.4.0-200-generic", "open"),
        ("6.8.0-45-generic", "mended"),
        ("6.18.44-fc-v657", "mended"),
    ],
)
def test_a_distribution_s_kernel_hides_its_version(version: str, state: State) -> None:
    hole = replace(HOLE, component="kernel", affected=("<6.1.76",), debian=None)
    assert hole.state(version) == state


@given(numbers, numbers)
def test_a_range_ends_where_it_says(one: list[int], other: list[int]) -> None:
    version, end = (".".join(map(str, part)) for part in (one, other))
    hole = replace(HOLE, affected=(f"<{end}",), debian=None)
    assert (hole.state(version) == "open") == (one < other)
    assert (hole.state(f"v{version}+dfsg1") == "open") == (one < other)


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_version_breaks_anything(version: str, build: str) -> None:
    assert HOLE.state(version, build) in ("open", "mended", "unknown")
    is_debian(build)


def test_the_table_is_whole() -> None:
    table = advisories.advisories()
    ids = [one.id for one in table]
    assert len(set(ids)) == len(ids) >= 30
    for one in table:
        assert one.text.endswith(".") and len(one.text) < 250, one.id
        assert one.id in one.source, one.id
        assert not one.upgrade.endswith("."), one.id
        assert one.debian is None or is_debian(one.debian), one.id
    components = {one.component for one in table}
    assert components == {
        "docker", "containerd", "runc", "kernel", "gvisor", "nvidia-toolkit", "keras", "tensorflow"
    }  # fmt: skip


def test_a_wrong_table_is_told_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "advisories.yaml"
    good = {
        "component": "runc",
        "id": "CVE-2000-0001",
        "affected": ["<1.2"],
        "upgrade": "1.2",
        "text": "x.",
        "source": "CVE-2000-0001",
    }
    wrong = {**good, "component": "crun", "id": "2000-1", "affected": ["up to 1.2"]}
    file.write_text(yaml.safe_dump({"advisories": [good, {**good, "affected": ["1.2"]}, wrong]}))
    with pytest.raises(ExamError) as caught:
        load(file, advisories._Table)
    text = str(caught.value)
    assert "is no range such as" in text and "CVE-" in text and "containerd" in text
