"""An edition's file: what is wrong with it is told wholly, and those that are shipped are right."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from exam_cli.config.edition import edition_in, edition_names, editions, load_edition
from exam_cli.errors import ExamError, UsageError
from exam_cli.fetch.lockfile import read_lock
from exam_cli.images.build import references
from exam_cli.paths import resource


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of a good edition."""
    copied = tmp_path / "cert-2022"
    shutil.copytree(resource("images", "editions", "cert-2022"), copied)
    return copied


def told(folder: Path, change: Callable[[str], str], *, locked: bool = True) -> list[str]:
    """Change an edition's file; return what is told of it, `line N: ...` each."""
    path = folder / "edition.yaml"
    path.write_text(change(path.read_text()))
    with pytest.raises(ExamError) as caught:
        edition_in(folder, locked=locked)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def line_of(folder: Path, start: str) -> int:
    lines = (folder / "edition.yaml").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.strip().startswith(start))


def test_the_copy_is_a_good_one(folder: Path) -> None:
    assert edition_in(folder).keras == "2.9.0"


@pytest.mark.parametrize(
    ("wrong", "right", "line", "words"),
    [
        ("suite: bullseye", "suite: bulseye", "suite", "(did you mean bullseye?)"),
        ('python: "3.9"', 'python: "3.12"', "python", "must be '3.9', for that is what bullseye"),
        ('python: "3.9"', "python: 3.9", "python", "put the text in quotes"),
        ("tensorflow: 2.9.0", "tensorflow: 2.9.1", "tensorflow", "tensorflow.x86_64.lock has 2.9"),
        ("digest: sha256:c5", "digest: sha256:zz", "digest", "must be `sha256:` and 64"),
        (
            "edition: cert-2022",
            "edition: cert-22",
            "edition",
            "'cert-2022', the name of its",
        ),
        ("[x86_64]", "[sparc]", "architectures", "must be 'x86_64' or 'aarch64'"),
        ("[x86_64]", "[]", "architectures", "must have at least 1 value"),
        ("[x86_64]", "[aarch64]", "edition", "has no tensorflow.aarch64.lock beside it"),
        ("[promise]", "[promises]", "from_source", "is promises, which no lock for x86_64 has"),
        ("epoch: 1767225600", "epoch: -1", "epoch", "must be at least 0"),
        ("epoch: 1767225600", "epocs: 1", "epocs", "did you mean `epoch`?"),
    ],
)
def test_a_fault_has_its_line_and_a_remedy(
    folder: Path, wrong: str, right: str, line: str, words: str
) -> None:
    problems = told(folder, lambda text: text.replace(wrong, right))
    at = line_of(folder, line)
    assert any(one.startswith(f"line {at}: ") and words in one for one in problems), problems


def test_all_faults_are_told_at_once(folder: Path) -> None:
    (folder / "tools.x86_64.lock").unlink()
    changes = {"edition: cert": "edition: sert", "suite: bullseye": "suite: bookworm"}
    changes |= {"tensorflow: 2.9.0": "tensorflow: 2.8.0", "sha256:c5": "sha256:c", "epoch": "epoh"}

    def change(text: str) -> str:
        for wrong, right in changes.items():
            text = text.replace(wrong, right)
        return text

    problems = told(folder, change)
    # The name, the missing lock, Python of another suite, TensorFlow, the digest, and the epoch
    # twice: as a word that means nothing, and as one that is missing.
    assert len(problems) == 7, problems
    lines = [int(re.findall(r"\d+", one)[0]) for one in problems]
    assert lines == sorted(lines)


def test_before_it_is_locked_an_edition_needs_no_locks(folder: Path) -> None:
    for lock in folder.glob("*.lock"):
        lock.unlink()
    assert edition_in(folder, locked=False).tensorflow == "2.9.0"
    assert len(told(folder, lambda text: text)) == 3


def test_an_unknown_edition_is_told_with_those_that_exist() -> None:
    with pytest.raises(UsageError, match=r"cert-2022, cert-2023, tf2\.21"):
        load_edition("cert-2021")


def test_an_edition_that_does_not_exist_for_an_architecture_says_so() -> None:
    with pytest.raises(ExamError, match=r"x86_64 only, .* TensorFlow 2\.9\.0 has no wheels"):
        references(load_edition("cert-2022"), "aarch64")


WANTED = {
    "tf2.21": {"keras": "3.15.1"},
    "cert-2023": {
        "tensorflow-datasets": "4.9.2",
        "pillow": "10.0.0",
        "pandas": "2.0.3",
        "numpy": "1.24.3",
        "scipy": "1.10.1",
        "keras": "2.13.1",
    },
    "cert-2022": {
        "tensorflow-datasets": "4.6.0",
        "pillow": "9.1.1",
        "pandas": "1.4.2",
        "numpy": "1.22.4",
        "scipy": "1.7.3",
        "keras": "2.9.0",
    },
}


def test_the_shipped_editions_hold_what_they_promise() -> None:
    assert edition_names() == sorted(WANTED)
    for edition in editions():
        for architecture in edition.architectures:
            locks = [edition.lock(layer, architecture) for layer in ("tensorflow", "workspace")]
            pins = {pin.name: pin.version for lock in locks for pin in read_lock(lock)}
            assert WANTED[edition.edition].items() <= pins.items()
            assert edition.keras == pins["keras"] or architecture == "aarch64"
            names = {"tensorflow", "tensorflow-cpu"} & set(pins)
            assert {pins[name] for name in names} == {edition.tensorflow}
