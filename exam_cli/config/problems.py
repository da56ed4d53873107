"""What is wrong with a file that people write: the line, what stands there, what to do.

The values know what is wrong and where among them; the YAML nodes know on which line that is.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from exam_cli.config.values import Fault, Place


@dataclass(frozen=True, order=True)
class Problem:
    """One problem: its line, counted from 1, and what is wrong there and what to do."""

    line: int
    text: str


def sentence(path: Path, problems: list[Problem]) -> str:
    """Return all problems of a file in the order of its lines."""
    count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
    lines = [f"  line {one.line}: {one.text}" for one in sorted(set(problems))]
    return "\n".join([f"{path} has {count}:", *lines])


def duplicate_keys(node: yaml.Node) -> list[Problem]:
    """Return every name that stands twice in one mapping; YAML itself takes the last in silence."""
    problems = []
    if isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode):
                if key.value in first:
                    text = f"`{key.value}` stands already in line {first[key.value]}: keep one"
                    problems.append(Problem(line, text))
                first.setdefault(key.value, line)
            problems += duplicate_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            problems += duplicate_keys(value)
    return problems


def problem_of(fault: Fault, root: yaml.MappingNode) -> Problem:
    """Return what is wrong with a value as its line in the file and the name that stands there."""
    line, node = list(_steps(root, fault.place))[-1]
    name, text = _name(fault.place), fault.text
    if fault.of == "together":
        line = _line_of_word(node, text) or line
        return Problem(line, f"`{name}`: {text}" if name else text)
    if fault.known:
        text += _nearest(str(fault.place[-1]), fault.known)
    return Problem(line, f"`{name}` {text}")


def line_of(root: yaml.Node, place: Place) -> int:
    """Return the line of a place, counted from 1; where it is not there, of what should hold it."""
    return list(_steps(root, place))[-1][0]


def _name(place: Place) -> str:
    """Return a place as people write it: sources[0].sha256, counted from the first as 1."""
    text = ""
    for part in place:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _steps(root: yaml.Node, place: Place) -> Iterator[tuple[int, yaml.Node]]:
    """Yield (line, node) from the root down to the place, as far as the file goes."""
    node = root
    yield root.start_mark.line + 1, root
    for part in place:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            if part < len(node.value):
                node = node.value[part]
                yield node.start_mark.line + 1, node
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    node = value
                    yield key.start_mark.line + 1, node
                    break


def _line_of_word(node: yaml.Node, text: str) -> int | None:
    """Return the line of the first name of a mapping that a sentence about the mapping mentions."""
    if not isinstance(node, yaml.MappingNode):
        return None
    lines = {key.value: key.start_mark.line + 1 for key, _ in node.value}
    return next((lines[word] for word in re.findall(r"\w+", text) if word in lines), None)


def _nearest(name: str, known: tuple[str, ...]) -> str:
    """Return what to do about a name that is not known at its place."""
    near = difflib.get_close_matches(name, known, 1, cutoff=0.6)
    return (
        f": did you mean `{near[0]}`?" if near else f": drop it, or use one of {', '.join(known)}"
    )
