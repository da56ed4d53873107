"""What the real images say of themselves, and what the locks say of them."""

from __future__ import annotations

import json

import pytest

from exam_cli.config.edition import Role, load_edition
from exam_cli.engine.port import Engine
from exam_cli.images.bill import bill_of, licences_of, strays
from exam_cli.images.build import Images
from exam_cli.images.listing import subject_of
from tests.bills import check_bill

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("role", ["grader", "workspace"])
def test_the_locks_name_all_that_is_in_an_image(
    docker_engine: Engine, edition_images: Images, role: Role
) -> None:
    subject = subject_of(docker_engine, load_edition("tf2.21"), role)
    assert strays(subject) == []
    text = bill_of(subject)
    assert bill_of(subject_of(docker_engine, load_edition("tf2.21"), role)) == text
    check_bill(text)
    parts = {one["name"]: one for one in json.loads(text)["components"]}
    assert parts["tensorflow-cpu"]["version"] == "2.21.0"
    assert {"libc6", "predictor.py", "python"} <= set(parts)
    assert ("openssh-server" in parts) == (role == "workspace")
    licences = licences_of(subject.facts)
    assert "numpy" in str(licences) and len(licences) > 20
