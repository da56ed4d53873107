"""Official grading asks for the very image that the edition records; nothing else does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exam_cli.config.edition import Digests, Edition, Recorded, load_edition
from exam_cli.engine.fake import FakeEngine
from exam_cli.engine.fake_images import held
from exam_cli.grading.environment import Environment
from exam_cli.grading.official import NotAsRecorded, as_recorded

GRADER = "exam-grader:test"


@pytest.fixture
def environment() -> Environment:
    engine = FakeEngine()
    engine.store.keep(held([b"one", b"two"]), GRADER)
    found = engine.image(GRADER)
    assert found is not None
    return Environment(engine, GRADER, "tf2.21", "cpu", "2.21.0", "3.15.1").of_image(found)


def recording(*digests: str, variant: str = "cpu") -> Edition:
    rows = [Recorded(digest=one, layers=("sha256:" + "0" * 64,)) for one in digests]
    return replace(
        load_edition("tf2.21"),
        digests=tuple(
            Digests(
                architecture="x86_64",
                variant=variant,  # type: ignore[arg-type]
                base=base,  # type: ignore[arg-type]
                grader=row,
                workspace=row,
            )
            for row, base in zip(rows, ("made", "pulled"), strict=False)
        ),
    )


def other(letter: str = "b") -> str:
    return "sha256:" + letter * 64


def test_the_image_that_is_recorded_on_any_base(environment: Environment) -> None:
    assert environment.image_digest is not None
    as_recorded(environment, recording(environment.image_digest), "x86_64")
    as_recorded(environment, recording(other(), environment.image_digest), "x86_64")


def test_another_is_refused_with_what_to_do(environment: Environment) -> None:
    with pytest.raises(NotAsRecorded, match="exam images verify") as refused:
        as_recorded(environment, recording(other("b"), other("c")), "x86_64")
    said = str(refused.value)
    assert environment.image_digest is not None
    assert "bbbbbbbbbbbb or cccccccccccc" in said and environment.image_digest[7:19] in said
    assert refused.value.reason == "not_as_recorded"


def test_a_record_of_another_base_or_another_state_says_nothing(environment: Environment) -> None:
    edition = recording(other())
    stale = replace(edition.digests[0], fingerprint="0" * 64)
    as_recorded(environment, replace(edition, digests=(stale,)), "x86_64")
    engine = environment.engine
    assert isinstance(engine, FakeEngine)
    engine.store.keep(held([b"one"]), edition.base.reference)
    as_recorded(environment, edition, "x86_64")
    with pytest.raises(NotAsRecorded):
        as_recorded(environment, recording(other("b"), other("c")), "x86_64")


def test_what_is_recorded_of_others_says_nothing(environment: Environment) -> None:
    as_recorded(environment, recording(), "x86_64")
    as_recorded(environment, recording(other()), "aarch64")
    as_recorded(environment, recording(other(), variant="gpu"), "x86_64")
