"""What a section says of its classes: in one way, and so that a report finds their names."""

from __future__ import annotations

from typing import Any

import pytest

from exam_cli.config.section import Classes
from exam_cli.config.values import Faulty, made
from exam_cli.sections.catalog import shipped_section


@pytest.mark.parametrize(
    "told",
    [{}, {"names": ["a", "b"], "file": "labels.txt"}, {"file": "a", "folders": "b"}],
)
def test_classes_are_told_in_one_way(told: dict[str, Any]) -> None:
    with pytest.raises(Faulty, match="in one way"):
        made(Classes, told)


def test_names_are_as_many_as_the_model_has_outputs() -> None:
    one = shipped_section(4)
    assert one.classes is not None and one.classes.names is not None
    assert list(one.contract.output.shape) == [len(one.classes.names)]
    text = (one.folder / "task.md").read_text()
    for number, name in enumerate(one.classes.names):
        assert f"| {number} | {name} |" in text
