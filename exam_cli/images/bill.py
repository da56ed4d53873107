"""Bills of materials: what is in an image, in CycloneDX's JSON, and whether the locks name it all.

The same image always gives the same bytes: the serial number follows from its environment digest,
the time is the edition's. The format is https://cyclonedx.org/docs/1.6/json/; purls are those of
https://github.com/package-url/purl-spec.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exam_cli.config.edition import LAYERS, Architecture, Edition, Role
from exam_cli.engine.port import ImageInfo
from exam_cli.fetch.lockfile import Pin, normal_name, read_lock
from exam_cli.images.facts import DebianPackage, Facts, Wheel

if TYPE_CHECKING:
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component
    from cyclonedx.model.license import License

UNKNOWN = "unknown"
_OURS = uuid.UUID("6b1f3c52-3a0e-5d0b-9b58-0d2a7a1c4e05")


@dataclass(frozen=True)
class Subject:
    """An image that a bill is of, and what is known of it."""

    edition: Edition
    role: Role
    architecture: Architecture
    name: str
    image: ImageInfo
    facts: Facts


def bill_of(subject: Subject) -> str:
    """Return an image's bill of materials: CycloneDX 1.6, JSON."""
    from cyclonedx.output import make_outputter
    from cyclonedx.schema import OutputFormat, SchemaVersion

    outputter = make_outputter(_bom(subject), OutputFormat.JSON, SchemaVersion.V1_6)
    return outputter.output_as_string(indent=1) + "\n"


def strays(subject: Subject) -> list[str]:
    """Return a sentence for each thing that is in an image and in no lock, or the other way."""
    pins = _pins(subject)
    wheels = {one.name: one.version for one in subject.facts.wheels}
    found = list(_compared("wheel", wheels, {name: pin.version for name, pin in pins.items()}))
    locked = {name: version for name, (version, _) in _debian_lock(subject).items()}
    there = {one.name: one.version for one in subject.facts.debian}
    if "base-files" not in locked:  # a lock of what is installed on top of the base
        there = {name: version for name, version in there.items() if name in locked}
    if subject.role == "grader":  # it has Python's packages, and the lock those of both images
        locked = {name: version for name, version in locked.items() if name in there}
    return found + list(_compared("Debian package", there, locked))


def licences_of(facts: Facts) -> dict[str, list[str]]:
    """Return the names of packages by licence; of some nobody says which, those are `UNKNOWN`."""
    found: dict[str, list[str]] = {}
    for wheel in facts.wheels:
        for name in [wheel.expression] if wheel.expression else wheel.licences or (UNKNOWN,):
            found.setdefault(name, []).append(wheel.name)
    for package in facts.debian:
        for name in package.licences or (UNKNOWN,):
            found.setdefault(name, []).append(f"{package.name} (Debian)")
    return dict(sorted(found.items(), key=lambda one: one[0].lower()))


def _compared(what: str, there: dict[str, str], locked: dict[str, str]) -> Iterator[str]:
    for name in sorted({*there, *locked}):
        if name not in locked:
            yield f"The {what} {name} {there[name]} is in the image and in no lock."
        elif name not in there:
            yield f"The {what} {name} {locked[name]} is locked and not in the image."
        elif there[name] != locked[name]:
            yield f"The {what} {name} is {there[name]} in the image and {locked[name]} in the lock."


def _pins(subject: Subject) -> dict[str, Pin]:
    layers = ["tensorflow"] if subject.role == "grader" else ["tensorflow", "workspace"]
    locks = [subject.edition.lock(layer, subject.architecture) for layer in layers]
    return {pin.name: pin for lock in locks for pin in read_lock(lock)}


def _debian_lock(subject: Subject) -> dict[str, tuple[str, str]]:
    """Return version and sha256 by name of each Debian package that the edition locks."""
    path = subject.edition.lock("debian", subject.architecture)
    if not path.is_file():
        return {}
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    return {row[0]: (row[1], row[2]) for row in rows if len(row) >= 3 and row[0] != "#"}


def _bom(subject: Subject) -> Bom:
    from cyclonedx.model import HashAlgorithm, HashType, Property
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType

    edition, image = subject.edition, subject.image
    layers = zip(LAYERS[subject.role], image.layers, strict=False)
    root = Component(
        name=f"exam-{subject.role}",
        version=subject.name.rpartition(":")[2],
        type=ComponentType.CONTAINER,
        bom_ref="image",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=_hex(image.digest))],
        properties=[
            Property(name="exam:edition", value=edition.edition),
            Property(name="exam:variant", value=edition.variant),
            Property(name="exam:architecture", value=subject.architecture),
            Property(name="exam:environment_digest", value=image.digest),
            Property(name="exam:lock_sha256", value=edition.fingerprint(subject.architecture)),
            *(
                Property(name=f"exam:layer:{number}", value=f"{layer} {word}")
                for number, (word, layer) in enumerate(layers, 1)
            ),
        ],
    )
    metadata = BomMetaData(
        component=root,
        tools=[],
        timestamp=datetime.fromtimestamp(edition.epoch, UTC),
    )
    bom = Bom(serial_number=uuid.uuid5(_OURS, f"{subject.role} {image.digest}"), metadata=metadata)
    pins, debian = _pins(subject), _debian_lock(subject)
    python = Component(
        name="python",
        version=subject.facts.python,
        type=ComponentType.PLATFORM,
        bom_ref="python",
    )
    wheels = {one.name: _wheel(one, pins.get(one.name)) for one in subject.facts.wheels}
    packages = {one.name: _package(one, debian, subject) for one in subject.facts.debian}
    ours = [
        Component(
            name=name,
            type=ComponentType.FILE,
            bom_ref=f"program:{name}",
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)],
        )
        for name, sha256 in subject.facts.programs.items()
    ]
    for one in (python, *wheels.values(), *packages.values(), *ours):
        bom.components.add(one)
    bom.register_dependency(root, [python, *wheels.values(), *packages.values(), *ours])
    for wheel in subject.facts.wheels:
        wanted = [wheels[name] for name in _requirements(wheel, subject) if name in wheels]
        bom.register_dependency(wheels[wheel.name], [python, *wanted])
    for package in subject.facts.debian:
        wanted = [packages[name] for name in package.depends]
        bom.register_dependency(packages[package.name], wanted)
    return bom


def _wheel(wheel: Wheel, pin: Pin | None) -> Component:
    from cyclonedx.model import HashAlgorithm, HashType, Property
    from cyclonedx.model.component import Component
    from packageurl import PackageURL

    hashes = sorted(pin.hashes) if pin is not None else []
    # A lock may allow several files of one version; then nobody can tell which one it was.
    known = [HashType(alg=HashAlgorithm.SHA_256, content=hashes[0])] if len(hashes) == 1 else []
    purl = PackageURL("pypi", None, wheel.name, wheel.version)
    properties = [Property(name="exam:license_file", value=name) for name in wheel.files]
    if len(hashes) > 1:
        properties += [Property(name="exam:locked_sha256", value=one) for one in hashes]
    return Component(
        name=wheel.name,
        version=wheel.version,
        description=wheel.summary or None,
        bom_ref=str(purl),
        purl=purl,
        hashes=known,
        licenses=_licences(wheel.expression, wheel.licences),
        properties=properties,
    )


def _package(
    package: DebianPackage, locked: dict[str, tuple[str, str]], subject: Subject
) -> Component:
    from cyclonedx.model import HashAlgorithm, HashType, Property
    from cyclonedx.model.component import Component
    from packageurl import PackageURL

    about = {"arch": package.architecture, "distro": subject.edition.suite}
    purl = PackageURL("deb", "debian", package.name, package.version, about)
    version, sha256 = locked.get(package.name, ("", ""))
    known = [HashType(alg=HashAlgorithm.SHA_256, content=sha256)]
    source = f"{package.source} {package.source_version}"
    return Component(
        name=package.name,
        version=package.version,
        bom_ref=str(purl),
        purl=purl,
        hashes=known if version == package.version else [],
        licenses=_licences("", package.licences),
        properties=[Property(name="exam:debian_source", value=source)],
    )


def _licences(expression: str, names: tuple[str, ...]) -> list[License]:
    """Return an SPDX expression, or what the package calls its licences itself."""
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.model.license import LicenseAcknowledgement, LicenseExpression

    declared = LicenseAcknowledgement.DECLARED
    texts = [expression] if expression else list(dict.fromkeys(names))
    made = LicenseFactory()
    found = [made.make_from_string(one, license_acknowledgement=declared) for one in texts]
    if len(found) > 1:  # one expression, or any number of others: the format knows no mixture
        found = [
            made.make_with_name(one, acknowledgement=declared)
            if isinstance(licence, LicenseExpression)
            else licence
            for one, licence in zip(texts, found, strict=True)
        ]
    return found


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _requirements(wheel: Wheel, subject: Subject) -> list[str]:
    """Return the names of what a wheel needs on this Python, without extras."""
    from packaging.requirements import InvalidRequirement, Requirement

    version = subject.facts.python
    here = {
        "python_version": ".".join(version.split(".")[:2]),
        "python_full_version": version,
        "implementation_name": "cpython",
        "implementation_version": version,
        "platform_python_implementation": "CPython",
        "os_name": "posix",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": subject.architecture,
        "extra": "",
    }
    found = []
    for text in wheel.requires:
        try:
            one = Requirement(text)
        except InvalidRequirement:
            continue  # older wheels say what no standard knows; their versions are locked anyway
        if one.marker is None or one.marker.evaluate(here):
            found.append(normal_name(one.name))
    return found
