"""What goes to the container that meets labels, and what is believed of its answer."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exam_cli.engine.fake import FakeEngine
from exam_cli.errors import OurFault
from exam_cli.reports.study import Study, Wanted, study
from exam_cli.sections.catalog import shipped_section
from exam_cli.sections.vault import DataSet, Tensor
from exam_cli.wire import frame_bytes
from tests.reports.made import PNG, SVG

IMAGE = "exam-workspace:test"
SECRET = "a sentence that nobody may see"
# Stands in for the program: it answers with the bytes that it was given to answer with, and writes
# down all that it got.
ANSWERING = """
import pathlib, sys
got = b""
want = int(sys.argv[2])
while len(got) < want:
    got += sys.stdin.buffer.read1(1 << 16)
pathlib.Path(sys.argv[3]).write_bytes(got)
sys.stdout.buffer.write(pathlib.Path(sys.argv[1]).read_bytes())
sys.stdout.buffer.flush()
"""
GOOD: dict[str, Any] = {
    "kind": "classes",
    "rows": 2,
    "interval": [0.5, 0.75],
    "confusions": [{"truth": "a", "answer": "b", "count": 1, "of": 2}],
    "pictures": [{"type": "svg", "caption": "c", "alt": "d", "wide": False}],
    "examples": [{"truth": "a", "answer": "b", "sure": "99.0", "text": "told"}],
    "bytes": [len(SVG)],
}


@pytest.fixture
def wanted(tmp_path: Path) -> Wanted:
    """Two rows of section 4: texts, and labels."""
    texts = [SECRET.encode(), b"another"]
    inputs = b"".join(len(one).to_bytes(4, "little") for one in texts) + b"".join(texts)
    (tmp_path / "inputs").write_bytes(inputs)
    (tmp_path / "labels").write_bytes((0).to_bytes(4, "little") * 2)
    text = {"name": "text", "dtype": "string", "shape": [2], "bytes": len(inputs)}
    label = {"name": "labels", "dtype": "int32", "shape": [2], "bytes": 8}
    data = DataSet(
        "final",
        "0" * 64,
        2,
        (Tensor(text, tmp_path / "inputs"),),
        Tensor(label, tmp_path / "labels"),
    )
    return Wanted(shipped_section(4), bytes(2 * 19 * 4), data)


def asked(wanted: Wanted, answer: bytes, place: Path) -> tuple[list[Study], bytes]:
    """Have one section looked at by a program that gives this answer; return what it got, too."""
    from exam_cli.reports.study import _requests

    (place / "answer").write_bytes(answer)
    (place / "program.py").write_text(ANSWERING)
    size = sum(len(piece) for piece in _requests([wanted]))
    line = [sys.executable, place / "program.py", place / "answer", size, place / "got"]
    engine = FakeEngine(known={IMAGE}, program=lambda _: [str(one) for one in line])
    found = study([wanted], engine, IMAGE, {})
    (spec,) = engine.created
    assert spec.network == "none" and not spec.mounts and spec.user == "65534:65534"
    assert engine.find({"exam.role": "study"}) == []
    return found, (place / "got").read_bytes()


def test_a_good_answer_is_what_it_says(wanted: Wanted, tmp_path: Path) -> None:
    (found,), _ = asked(wanted, frame_bytes(GOOD, SVG), tmp_path)
    assert (found.kind, found.rows, found.interval) == ("classes", 2, (0.5, 0.75))
    assert found.pictures[0].svg == SVG and found.examples[0].text == "told"
    header = {**GOOD, "bytes": [len(SVG), len(PNG)]}
    (found,), _ = asked(wanted, frame_bytes(header, SVG + PNG), tmp_path)
    assert found.examples[0].png == PNG


def test_hidden_inputs_are_handed_over_only_where_they_may_be_shown(
    wanted: Wanted, tmp_path: Path
) -> None:
    answer = frame_bytes(GOOD, SVG)
    _, got = asked(wanted, answer, tmp_path)
    assert SECRET.encode() not in got
    _, got = asked(replace(wanted, reveal=True, draw=False), answer, tmp_path)
    assert SECRET.encode() not in got
    _, got = asked(replace(wanted, reveal=True), answer, tmp_path)
    assert SECRET.encode() in got


SCRIPT = b"<svg><script>alert(1)</script></svg>"
BAD = {
    "a script": ({**GOOD, "bytes": [len(SCRIPT)]}, SCRIPT),
    "no drawing": ({**GOOD, "bytes": [4]}, b"what"),
    "no text": ({**GOOD, "bytes": [14]}, b"<svg>\xff\xfe</svg>\n"),
    "a huge drawing": ({**GOOD, "bytes": [300_011]}, b"<svg>" + b" " * 300_000 + b"</svg>"),
    "another picture": ({**GOOD, "bytes": [len(SVG), 3]}, SVG + b"GIF"),
    "fewer bytes": ({**GOOD, "bytes": [len(SVG) + 1]}, SVG),
    "more bytes": (GOOD, SVG + b"x"),
    "negative bytes": ({**GOOD, "bytes": [len(SVG) + 9, -9]}, SVG),
    "an unknown kind": ({**GOOD, "kind": "<b>"}, SVG),
    "an interval upside down": ({**GOOD, "interval": [2, 1]}, SVG),
    "an interval of words": ({**GOOD, "interval": ["x", "y"]}, SVG),
    "an endless interval": ({**GOOD, "interval": [0, 1e999]}, SVG),
    "a long text": ({**GOOD, "examples": [{**GOOD["examples"][0], "text": "x" * 601}]}, SVG),
    "a name that is a list": ({**GOOD, "examples": [{**GOOD["examples"][0], "truth": []}]}, SVG),
    "too many examples": ({**GOOD, "examples": GOOD["examples"] * 13}, SVG),
    "a field that is missing": ({key: GOOD[key] for key in GOOD if key != "rows"}, SVG),
    "pictures that are no list": ({**GOOD, "pictures": {"a": 1}}, SVG),
}


@pytest.mark.parametrize("case", BAD)
def test_anything_else_is_refused(case: str, wanted: Wanted, tmp_path: Path) -> None:
    header, body = BAD[case]
    with pytest.raises(OurFault, match="could not be made"):
        asked(wanted, frame_bytes(header, body), tmp_path)


@pytest.mark.parametrize("answer", [b"", b"EXAM", b"no frame at all, but a good deal longer"])
def test_no_frame_is_no_answer(answer: bytes, wanted: Wanted, tmp_path: Path) -> None:
    with pytest.raises(OurFault, match="could not be made"):
        asked(wanted, answer, tmp_path)
