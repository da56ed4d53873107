"""Each file that is no model meets its verdict before any container does, and cheaply.

Each is judged in a process of its own that may use five seconds of the processor; how much memory
it took more than before is asked afterwards.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exam_cli.cohort.archive import unpack
from exam_cli.errors import ExamError
from exam_cli.grading import intake
from exam_cli.grading.intake import take
from exam_cli.grading.preflight import saved_with
from exam_cli.grading.verdict import Rejection
from exam_cli.sections.catalog import shipped_section
from tests.attacks.collection import KNOWN, Attack
from tests.attacks.submissions import SUBMISSIONS
from tests.grading.conftest import keras_bytes

_CPU_SECONDS = 5
_MEMORY = 256 << 20
_ADDRESS_SPACE = 4 << 30  # keeps the machine alive when a test fails


def judged(attack: Attack, workspace: Path) -> tuple[str | None, str]:
    """Return reason and sentence of whatever refuses a submission, as a class's desk does."""
    section = shipped_section(attack.section)
    if attack.format == "archive":
        (archive,) = (workspace / section.directory).iterdir()
        workspace = workspace / "unpacked"
        workspace.mkdir()
        try:
            unpack(archive, workspace, [section.directory, "4-nlp"])
        except ExamError as error:
            return "not_a_model", str(error)
    try:
        version = saved_with(take(section, workspace, workspace / ".snapshots"), section)
    except Rejection as rejection:
        return rejection.reason, rejection.sentence
    return None, str(version)


def _kilobytes(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.M)
    assert found is not None, name
    return int(found[1])


def judged_apart(attack: Attack, workspace: Path) -> dict[str, Any]:
    """Judge in a child process; return what it found and the bytes of memory it took for it."""
    told = workspace / "told.json"
    child = os.fork()
    if child == 0:
        status = 1
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
            size = _kilobytes("VmSize") << 10
            resource.setrlimit(resource.RLIMIT_AS, (size + _ADDRESS_SPACE,) * 2)
            Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
            before = _kilobytes("VmRSS")
            reason, sentence = judged(attack, workspace)
            memory = (_kilobytes("VmHWM") - before) << 10
            used = resource.getrusage(resource.RUSAGE_SELF)
            seconds = used.ru_utime + used.ru_stime
            told.write_text(
                json.dumps(
                    {"reason": reason, "says": sentence, "memory": memory, "seconds": seconds}
                )
            )
            status = 0
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    assert ended == 0, f"the grader's own process ended with {ended}"
    found: dict[str, Any] = json.loads(told.read_text())
    return found


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Path]:
    """A workspace with an empty directory; it goes when the test is over, however deep it is."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    yield workspace
    gone = workspace.rename(tmp_path / "gone")  # whoever still moves things in it finds it no more
    shutil.rmtree(gone)


@pytest.mark.parametrize("attack", SUBMISSIONS, ids=lambda attack: attack.id)
def test_a_submission_meets_its_verdict(
    attack: Attack, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "_BEING_WRITTEN_PAUSE", 0.02)
    honest = tmp_path / "honest.keras"
    honest.write_bytes(keras_bytes({"config.json": bytes(range(256)) * 40}))
    directory = workspace / shipped_section(attack.section).directory
    directory.mkdir()
    assert attack.make is not None
    attack.make(directory, honest)
    if attack.known == "swapped while graded":  # by a thread, beside which none may fork
        reason, says = judged(attack, workspace)
        found = {"reason": reason, "says": says, "memory": 0, "seconds": 0.0}
    else:
        found = judged_apart(attack, workspace)
    print(f"MEASURED {attack.id}: {found['memory'] >> 20} MB, {found['seconds']:.2f} s")
    assert found["reason"] == attack.reason, found["says"]
    assert attack.says in found["says"]
    assert found["says"].isascii() and found["says"].isprintable() and len(found["says"]) < 500
    assert found["memory"] < _MEMORY


def test_the_collection_is_whole() -> None:
    assert len({attack.id for attack in SUBMISSIONS}) == len(SUBMISSIONS) > 60
    for attack in SUBMISSIONS:
        assert attack.format in KNOWN[attack.known], attack.id
        assert attack.honest == (attack.reason is None), attack.id
    for known in ("links", "odd names and files", "swapped while graded"):
        for form in KNOWN[known]:
            assert any((one.known, one.format) == (known, form) for one in SUBMISSIONS), form
