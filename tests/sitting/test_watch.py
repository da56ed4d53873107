"""When a model counts as new, and as written completely."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

from exam_cli.sections.catalog import shipped_section
from exam_cli.sitting.watch import new_models

ONE, FOUR = shipped_section(1), shipped_section(4)
Act = Callable[[], object]


def model(path: Path, text: str = "weights") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", text)


def watched(workspace: Path, acts: dict[float, Act], seconds: float = 20.0) -> list[int]:
    """Return the sections that are noticed while `acts` happen at their seconds."""
    now = 0.0

    def sleep(for_: float) -> None:
        nonlocal now
        for at in sorted(acts):
            if now <= at < now + for_:
                acts[at]()
        now += for_

    found = new_models([ONE, FOUR], workspace, lambda: now > seconds, now=lambda: now, sleep=sleep)
    return [section.section for section in found]


def test_what_is_there_at_the_start_is_known(tmp_path: Path) -> None:
    model(tmp_path / ONE.directory / "model.keras")
    assert watched(tmp_path, {}) == []


def test_a_new_model_is_noticed_once(tmp_path: Path) -> None:
    path = tmp_path / FOUR.directory / "model.keras"
    assert watched(tmp_path, {3: lambda: model(path)}) == [4]


def test_each_save_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / ONE.directory / "model.keras"
    other = tmp_path / FOUR.directory / "model.keras"
    acts: dict[float, Act] = {
        1: lambda: model(path),
        6: lambda: model(path, "better"),
        7: lambda: model(other),
    }
    assert watched(tmp_path, acts) == [1, 1, 4]


def test_a_model_that_still_grows_waits(tmp_path: Path) -> None:
    path = tmp_path / ONE.directory / "model.h5"
    path.parent.mkdir()

    def grow() -> None:
        with path.open("ab") as stream:
            stream.write(b"x" * 100)

    acts: dict[float, Act] = {float(second): grow for second in range(1, 30)}
    assert watched(tmp_path, acts, 25) == []
    assert watched(tmp_path, dict.fromkeys((1.0, 2.0, 3.0), grow)) == [1]


def test_a_keras_file_without_its_end_is_not_graded(tmp_path: Path) -> None:
    path = tmp_path / ONE.directory / "model.keras"
    model(tmp_path / "whole.keras", "w" * 1000)
    whole = (tmp_path / "whole.keras").read_bytes()
    path.parent.mkdir()
    acts: dict[float, Act] = {1: lambda: path.write_bytes(whole[:500])}
    assert watched(tmp_path, acts) == []
    acts[12] = lambda: path.write_bytes(whole)
    path.unlink()
    assert watched(tmp_path, acts) == [1]


def test_directories_come_and_go(tmp_path: Path) -> None:
    folder = tmp_path / ONE.directory

    def saved() -> None:
        (folder / "model" / "variables").mkdir(parents=True)
        (folder / "model" / "variables" / "variables.index").write_bytes(b"v")
        (folder / "model" / "saved_model.pb").write_bytes(b"g")

    acts: dict[float, Act] = {1: saved, 8: lambda: shutil.rmtree(folder), 12: saved}
    assert watched(tmp_path, acts) == [1, 1]
