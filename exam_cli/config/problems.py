"""What is wrong with a file that people write: the line, what stands there, what to do.

pydantic says what is wrong and where in the values; the YAML nodes say on which line that is.
"""

from __future__ import annotations

import difflib
import json
import re
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

_SHOWN = 60

# What pydantic calls a wrong type -> what should stand there instead.
_TYPES = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping of names to values",
    "model_type": "a mapping of names to values",
    "path_type": "a path",
}

# The patterns of our models in words; others are shown as they are.
_PATTERNS = {
    r"^[0-9a-f]{64}$": "64 of the characters 0 to 9 and a to f",
    r"^sha256:[0-9a-f]{64}$": "`sha256:` and 64 of the characters 0 to 9 and a to f",
    r"^[a-z]$": "one small letter",
    r"^[a-z][a-z0-9-]{0,39}$": "small letters, digits and `-`, a letter first, at most 40",
    r"^[a-z][a-z0-9_]{0,39}$": "small letters, digits and `_`, a letter first, at most 40",
    r"^[a-z][a-z0-9_]{0,39}\.py$": "the name of a script such as `metric.py`",
    r"^[a-z0-9][a-z0-9._-]{0,39}$": "small letters, digits, `.`, `_` and `-`, at most 40",
}


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


def problems_of(
    error: ValidationError, root: yaml.MappingNode, model: type[BaseModel]
) -> list[Problem]:
    """Return what pydantic found when it made a `model` of a file: lines and plain words."""
    # Items that are wrong themselves are not counted by pydantic: a list of them is not too short.
    real = [
        dict(one)
        for one in error.errors()
        if one["type"] != "too_short" or len(one["input"]) < one["ctx"]["min_length"]
    ]
    return [_problem(one, root, model) for one in real]


def _problem(found: dict[str, Any], root: yaml.MappingNode, model: type[BaseModel]) -> Problem:
    loc: tuple[int | str, ...] = found["loc"]
    kind, given = found["type"], found.get("ctx", {})
    name = _name(loc)
    line = line_of(root, loc)
    if kind == "missing":
        return Problem(line, f"`{name}` is missing: add `{loc[-1]}: ...`")
    if kind == "extra_forbidden":
        return Problem(line, f"`{name}` means nothing here{_nearest(str(loc[-1]), loc, model)}")
    if kind == "value_error":
        text = str(given.get("error", found["msg"]))
        inside = _node(root, loc)
        line = _line_of_word(inside, text) or line
        return Problem(line, f"{f'`{name}`: ' if name else ''}{text}")
    return Problem(line, f"`{name}` {_words(kind, given, found['input'], found['msg'])}")


def _words(kind: str, given: Mapping[str, Any], value: Any, message: str) -> str:
    """Return what is wrong with a value, to follow its name."""
    shown = _shown(value)
    if kind == "string_type" and isinstance(value, bool | int | float):
        return f"must be text, and YAML reads {shown} there: put the text in quotes"
    if kind in _TYPES:
        return f"must be {_TYPES[kind]}, and is {shown}"
    if kind == "literal_error":
        near = difflib.get_close_matches(str(value), re.findall(r"'([^']*)'", given["expected"]), 1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        return f"must be {given['expected']}, and is {shown}{meant}"
    if kind == "string_pattern_mismatch":
        pattern = given["pattern"]
        return f"must be {_PATTERNS.get(pattern, f'like {pattern}')}, and is {shown}"
    if kind in ("too_short", "too_long"):
        end = "min_length" if kind == "too_short" else "max_length"
        word = "at least" if kind == "too_short" else "at most"
        values = "value" if given[end] == 1 else "values"
        return f"must have {word} {given[end]} {values}, and has {given['actual_length']}"
    if kind in ("string_too_short", "string_too_long"):
        end, word = ("min", "at least") if kind.endswith("short") else ("max", "at most")
        return f"must have {word} {given[f'{end}_length']} characters, and is {shown}"
    bounds = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}
    for name, word in bounds.items():
        if name in given:
            return f"must be {word} {given[name]:g}, and is {shown}"
    return f"is {shown}: {message}"


def _shown(value: Any) -> str:
    if value is None:
        return "empty"
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):  # a date, say
        text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _name(loc: tuple[int | str, ...]) -> str:
    """Return a place as people write it: sources[0].sha256, counted from the first as 1."""
    text = ""
    for part in loc:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


# Lines.


def _steps(root: yaml.Node, loc: tuple[int | str, ...]) -> Iterator[tuple[int, yaml.Node]]:
    """Yield (line, node) from the root down to the place, as far as the file goes.

    pydantic names branches of unions in places, too: a part that is not in the file is passed over.
    """
    node = root
    yield root.start_mark.line + 1, root
    for part in loc:
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


def line_of(root: yaml.Node, loc: tuple[int | str, ...]) -> int:
    """Return the line of a place, counted from 1; where it is not there, of what should hold it."""
    return list(_steps(root, loc))[-1][0]


def _node(root: yaml.Node, loc: tuple[int | str, ...]) -> yaml.Node:
    return list(_steps(root, loc))[-1][1]


def _line_of_word(node: yaml.Node, text: str) -> int | None:
    """Return the line of the first name of a mapping that a sentence about the mapping mentions."""
    if not isinstance(node, yaml.MappingNode):
        return None
    lines = {key.value: key.start_mark.line + 1 for key, _ in node.value}
    return next((lines[word] for word in re.findall(r"\w+", text) if word in lines), None)


# Names.


def _nearest(name: str, loc: tuple[int | str, ...], model: type[BaseModel]) -> str:
    """Return what to do about a name that is not known at its place."""
    inside: type[BaseModel] | None = model
    for part in loc[:-1]:
        if inside is not None and isinstance(part, str) and part in inside.model_fields:
            inside = _model_in(inside.model_fields[part].annotation)
    known = sorted(set(inside.model_fields) - {"folder"}) if inside is not None else []
    near = difflib.get_close_matches(name, known, 1, cutoff=0.6)
    if near:
        return f": did you mean `{near[0]}`?"
    return f": drop it, or use one of {', '.join(known)}" if known else ": drop it"


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model that an annotation is or holds, such as that of a tuple's items."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(one) for one in typing.get_args(annotation))
    return next((one for one in found if one is not None), None)
