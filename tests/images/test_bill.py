"""Bills of materials from what an image said: the library reads them back; locks are compared."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from cyclonedx.model.bom import Bom

from exam_cli.config.edition import load_edition
from exam_cli.engine.port import ImageInfo
from exam_cli.fetch.lockfile import read_lock
from exam_cli.images.bill import UNKNOWN, Subject, bill_of, licences_of, strays
from exam_cli.images.facts import DebianPackage, Facts, Wheel
from tests.bills import check_bill

EDITION = load_edition("tf2.21")


def wheel(name: str, version: str = "1", **more: object) -> Wheel:
    about: dict[str, object] = {
        "summary": "", "expression": "", "licences": (), "files": (), "requires": (), **more,
    }  # fmt: skip
    return Wheel(name, version, **about)  # type: ignore[arg-type]


@pytest.fixture
def subject() -> Subject:
    pins = read_lock(EDITION.lock("tensorflow", "x86_64"))
    wheels = [wheel(pin.name, pin.version) for pin in pins]
    found = {
        "requests": {"expression": "Apache-2.0", "requires": ("idna<4", "pysocks; extra == 'x'")},
        "idna": {"expression": "not an expression"},
        "numpy": {"licences": ("MIT", "Apache License 2.0"), "files": ("LICENSE.txt",)},
    }
    wheels = [replace(one, **found.get(one.name, {})) for one in wheels]
    libc = DebianPackage("libc6", "2.36-9", "amd64", "glibc", "2.36-9", ("LGPL-2.1+",), ())
    bash = DebianPackage("bash", "5.2-1", "amd64", "bash", "5.2-1", (), ("libc6",))
    facts = Facts("3.11.2", tuple(wheels), (libc, bash), {"predictor.py": "a" * 64})
    image = ImageInfo("sha256:1", (), 1, ("sha256:a", "sha256:b"), {})
    return Subject(EDITION, "grader", "x86_64", "exam-grader:tf2.21-cpu-0", image, facts)


def test_it_keeps_to_the_schema_and_the_library_reads_it_back(subject: Subject) -> None:
    text = bill_of(subject)
    check_bill(text)
    content = json.loads(text)
    assert (content["bomFormat"], content["specVersion"]) == ("CycloneDX", "1.6")
    bom = Bom.from_json(content)  # type: ignore[attr-defined]
    assert bom.validate()
    names = {one.name for one in bom.components}
    assert {"python", "tensorflow-cpu", "bash", "predictor.py"} <= names
    assert bom.metadata.component is not None
    (digest,) = bom.metadata.component.hashes
    assert f"sha256:{digest.content}" == subject.image.digest


def test_the_same_image_gives_the_same_bytes(subject: Subject) -> None:
    assert bill_of(subject) == bill_of(replace(subject))
    other = replace(subject, image=replace(subject.image, layers=("sha256:c",)))
    numbers = {json.loads(bill_of(one))["serialNumber"] for one in (subject, other)}
    assert len(numbers) == 2


def test_purls_licences_and_what_needs_what(subject: Subject) -> None:
    content = json.loads(bill_of(subject))
    parts = {one["name"]: one for one in content["components"]}
    assert parts["requests"]["purl"] == parts["requests"]["bom-ref"]
    assert parts["requests"]["purl"].startswith("pkg:pypi/requests@")
    assert parts["requests"]["licenses"][0]["license"]["id"] == ("Apache-2.0")
    assert parts["idna"]["licenses"][0]["license"]["name"] == "not an expression"
    told = {
        one["license"].get("id") or one["license"]["name"] for one in parts["numpy"]["licenses"]
    }
    assert told == {"MIT", "Apache License 2.0"}
    assert "licenses" not in parts["bash"]
    assert parts["bash"]["purl"] == "pkg:deb/debian/bash@5.2-1?arch=amd64&distro=bookworm"
    needs = {one["ref"]: one.get("dependsOn", []) for one in content["dependencies"]}
    assert parts["idna"]["purl"] in needs[parts["requests"]["purl"]]
    assert needs[parts["bash"]["purl"]] == [parts["libc6"]["purl"]]
    assert len(needs["image"]) == len(content["components"])


def test_what_no_lock_names_is_told_and_the_other_way_round(subject: Subject) -> None:
    assert strays(subject) == []
    facts = subject.facts
    (first, *rest) = facts.wheels
    changed = (replace(first, version="0.1"), *rest[1:], wheel("intruder"))
    found = strays(replace(subject, facts=replace(facts, wheels=changed)))
    assert any("intruder 1 is in the image and in no lock" in one for one in found)
    assert any(
        f"{rest[0].name} {rest[0].version} is locked and not in the image" in one for one in found
    )
    assert any(f"{first.name} is 0.1 in the image" in one for one in found)
    assert len(found) == 3


def test_licences_and_those_that_nobody_knows(subject: Subject) -> None:
    found = licences_of(subject.facts)
    assert found["Apache-2.0"] == ["requests"]
    assert found["LGPL-2.1+"] == ["libc6 (Debian)"]
    assert "bash (Debian)" in found[UNKNOWN] and "keras" in found[UNKNOWN]
