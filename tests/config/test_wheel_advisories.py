"""The file of known holes: it is read whole, each range says what it should, and it is stable."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from packaging.version import Version

from exam_cli.config.edition import edition_names, load_edition
from exam_cli.config.wheel_advisories import table
from exam_cli.errors import ExamError
from exam_cli.images.security import holes_of, known_holes


def ids(package: str, version: str) -> set[str]:
    return {hole.id for _, hole in table().of(package, version)}


def test_every_version_that_mends_a_hole_is_free_of_it() -> None:
    for group in table().groups:
        for version in group.fixed.replace(" or ", ", ").split(", "):
            assert str(Version(version)) == version
            assert not group.has(group.package, version), (group.package, version)


def test_every_range_has_a_version_in_it() -> None:
    """One just below its end, or its beginning."""
    for group in table().groups:
        for one in group.affected:
            first, _, end = one.rpartition(",")
            below = first.removeprefix(">=") or "0"
            assert end.startswith("<") and group.has(group.package, below), one
            assert Version(below) < Version(end.lstrip("<=")), one


def test_tensorflow_2_9_0_has_what_three_releases_mended() -> None:
    known = ids("tensorflow-cpu", "2.9.0")
    assert known == ids("tensorflow", "2.9.0")
    assert {"CVE-2022-35934", "CVE-2022-41880", "CVE-2023-25668"} <= known and len(known) > 60
    assert not {"CVE-2022-35934"} & ids("tensorflow-cpu", "2.9.1")
    assert not {"CVE-2022-35934", "CVE-2022-41880"} & ids("tensorflow-cpu", "2.9.3")
    assert "CVE-2023-25668" in ids("tensorflow-cpu", "2.9.3")
    assert ids("tensorflow-cpu", "2.13.0") == ids("tensorflow-cpu", "2.21.0") == set()


@pytest.mark.parametrize(
    ("package", "version", "hole"),
    [
        ("pillow", "9.1.1", "CVE-2023-44271"),
        ("pillow", "10.0.0", "CVE-2023-4863"),
        ("pillow", "10.1.0", "CVE-2023-50447"),
        ("keras", "2.13.0", "CVE-2025-9906"),
        ("protobuf", "3.19.6", "CVE-2025-4565"),
        ("urllib3", "2.6.3", "CVE-2026-44432"),
        ("jupyter-server", "2.18.2", "CVE-2026-44727"),
        ("anyio", "4.12.1", "CVE-2026-64847"),
        ("fsspec", "2025.10.0", "CVE-2026-104851"),
        ("soupsieve", "2.8.4", "CVE-2026-126192"),
        ("soupsieve", "2.10", "CVE-2026-126191"),
    ],
)
def test_holes_that_are_known(package: str, version: str, hole: str) -> None:
    assert hole in ids(package, version)
    assert ids(package, "9999") == set() == ids("another", version)


def test_a_version_that_is_none_has_every_hole_of_its_package() -> None:
    assert ids("requests", "unknown") == {"CVE-2026-25645", "CVE-2024-47081"}


def test_every_edition_and_variant_is_told_of() -> None:
    told = {(one.edition, one.variant): one for one in known_holes()}
    assert {edition for edition, _ in told} == set(edition_names())
    old, last = told["cert-2022", "cpu"], told["cert-2023", "cpu"]
    assert ("tensorflow-cpu", "2.9.0") in {(one.package, one.version) for one in old.holes}
    assert not [one for one in last.holes if one.package == "tensorflow-cpu"]
    assert old.counts["critical"] >= 3 and sum(old.counts.values()) == len(old.holes)
    newest = holes_of(load_edition("tf2.21"))
    assert newest.packages > 100
    assert {one.package for one in newest.holes if one.severity == "high"} == {"soupsieve"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"compiled": "soon"}, "no date"),
        ({"id": "CVE-1"}, "such as CVE-"),
        ({"severity": "bad"}, "severity"),
        ({"affected": ["<>1"]}, "no range"),
        ({"twice": True}, "there twice: CVE-2000-0001"),
    ],
)
def test_a_file_with_errors(tmp_path: Path, change: dict[str, object], said: str) -> None:
    hole = {"id": "CVE-2000-0001", "severity": "low", "reach": "none", "text": "None."}
    hole |= {key: value for key, value in change.items() if key in hole}
    group = {"package": "a", "affected": ["<1"], "fixed": "1", "holes": [hole]}
    group |= {key: value for key, value in change.items() if key in group}
    groups = [group, group] if "twice" in change else [group]
    path = tmp_path / "advisories.yaml"
    compiled = change.get("compiled", "2026-01-01")
    path.write_text(yaml.safe_dump({"compiled": compiled, "groups": groups}))
    with pytest.raises(ExamError, match=said):
        table(path)
