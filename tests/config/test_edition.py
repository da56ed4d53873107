"""An edition's file: what decides what the images contain, and what came of it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from exam_cli.config import edition as module
from exam_cli.config.edition import LAYERS, Edition, Variant, edition_names, load_edition
from exam_cli.errors import ExamError
from exam_cli.paths import resource

DIGESTS = """
digests:
  - architecture: x86_64
    variant: cpu
    base: made
    fingerprint: "{fingerprint}"
    grader: {{digest: {grader}, layers: [{layer}]}}
    workspace: {{digest: {workspace}, layers: [{layer}, {layer}]}}
"""
GRADER, WORKSPACE, LAYER = (f"sha256:{digit * 64}" for digit in "123")
PRINT = "4" * 64


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what travels with the program, in which an edition's file may change."""
    shutil.copytree(resource("images"), tmp_path / "images")
    monkeypatch.setattr(module, "resource", lambda *parts: tmp_path.joinpath(*parts))
    return tmp_path / "images/editions/tf2.21"


def written(folder: Path, text: str) -> Edition:
    path = folder / "edition.yaml"
    path.write_text(path.read_text().split("\ndigests:")[0] + text)
    return load_edition("tf2.21")


def test_what_came_of_a_build_does_not_change_what_is_built(folder: Path) -> None:
    bare = written(folder, "")
    text = DIGESTS.format(grader=GRADER, workspace=WORKSPACE, layer=LAYER, fingerprint=PRINT)
    told = written(folder, text)
    assert bare.recorded("x86_64") is None
    recorded = told.recorded("x86_64")
    assert recorded is not None
    assert recorded["grader"].digest == GRADER and recorded["workspace"].layers == (LAYER, LAYER)
    assert told.recorded("x86_64", "made") == recorded
    assert told.recorded("x86_64", "pulled") is None and told.recorded("aarch64") is None
    assert replace(told, variant="gpu").recorded("x86_64") is None
    assert told.fingerprint("x86_64") == bare.fingerprint("x86_64")
    assert written(folder, "\n# a comment\n").fingerprint("x86_64") == bare.fingerprint("x86_64")


def test_what_an_edition_says_decides_what_is_built(folder: Path) -> None:
    bare = written(folder, "")
    path = folder / "edition.yaml"
    path.write_text(path.read_text().replace("epoch: 1767225600", "epoch: 1767225601"))
    assert load_edition("tf2.21").fingerprint("x86_64") != bare.fingerprint("x86_64")


def test_a_faulty_record_is_told_line_by_line(folder: Path) -> None:
    text = DIGESTS.format(grader="sha256:12", workspace=WORKSPACE, layer=LAYER, fingerprint=PRINT)
    with pytest.raises(ExamError, match=r"(?s)bases` means nothing.*`sha256:` and 64 of the"):
        written(folder, text.replace("base:", "bases:"))


def test_both_images_share_their_lower_layers_by_name() -> None:
    assert LAYERS["workspace"][:3] == LAYERS["grader"][:3]
    dockerfile = resource("images", "Dockerfile").read_text()
    final = dockerfile.split("FROM tensorflow AS workspace\n")[1]
    assert final.count("COPY --from=") == len(LAYERS["workspace"]) - 3


def test_a_record_is_out_of_date_when_what_decides_it_changes(folder: Path) -> None:
    bare = written(folder, "")
    text = DIGESTS.format(
        grader=GRADER, workspace=WORKSPACE, layer=LAYER, fingerprint=bare.fingerprint("x86_64")
    )
    told = written(folder, text)
    assert not bare.outdated("x86_64") and not told.outdated("x86_64")
    assert not told.outdated("aarch64")  # nothing was said of it
    with (folder.parents[1] / "collect").open("a") as file:
        file.write("# changed\n")
    assert told.outdated("x86_64") and not bare.outdated("x86_64")


@pytest.mark.parametrize("name", edition_names())
def test_our_own_records_are_of_what_is_here(name: str) -> None:
    for variant in get_args(Variant):
        edition = replace(load_edition(name), variant=variant)
        for one in edition.digests:
            if one.variant == variant:
                flag = " --gpu" if variant == "gpu" else ""
                assert not edition.outdated(one.architecture), (
                    f"run `exam images build --edition {name}{flag}`, then "
                    f"`exam images verify --edition {name}{flag} --record`"
                )
