"""A graded model is found again as it was, or it is said that it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from exam_cli.config.section import Section
from exam_cli.errors import OurFault
from exam_cli.grading.intake import take
from exam_cli.grading.kept import kept
from exam_cli.sections.catalog import shipped_section

SECTION: Section = shipped_section(1)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    directory = tmp_path / "workspace" / SECTION.directory
    directory.mkdir(parents=True)
    return directory


def saved_model(place: Path) -> None:
    for name in ("saved_model.pb", "variables/variables.index", "assets/b/c.txt", "assets/a.txt"):
        path = place / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


@pytest.mark.parametrize("kind", ["keras", "h5", "savedmodel"])
def test_what_was_taken_is_found_again(tmp_path: Path, place: Path, kind: str) -> None:
    if kind == "savedmodel":
        saved_model(place)
    else:
        (place / f"model.{kind}").write_bytes(b"weights")
    taken = take(SECTION, tmp_path / "workspace", tmp_path / "snapshots")
    again = kept(taken.record.as_json(), tmp_path / "snapshots")
    assert again.record == taken.record and again.root == taken.root
    assert sorted(again.files, key=lambda one: one.name) == sorted(
        taken.files, key=lambda one: one.name
    )


@pytest.mark.parametrize("harm", ["changed", "gone"])
def test_a_copy_that_is_not_what_was_graded(tmp_path: Path, place: Path, harm: str) -> None:
    (place / "model.keras").write_bytes(b"weights")
    taken = take(SECTION, tmp_path / "workspace", tmp_path / "snapshots")
    (copy,) = (tmp_path / "snapshots").glob("*.keras")
    copy.unlink() if harm == "gone" else copy.write_bytes(b"other")
    with pytest.raises(OurFault, match="is gone" if harm == "gone" else "is not what was graded"):
        kept(taken.record.as_json(), tmp_path / "snapshots")
