"""Plain values, as YAML and JSON give them, as frozen dataclasses; or every fault that they have.

A field's type says what may stand there: str, int, float, bool, Path, a Literal, `tuple[X, ...]`,
another such dataclass, or one of these or None. `Annotated` adds rules: `Bounds`, `Like`, `Length`,
`Unless`. What several fields must be together is for `__post_init__` to check, by a ValueError.
"""

from __future__ import annotations

import json
import math
import re
import types
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, cast

Place = tuple[int | str, ...]  # keys and positions from the top of a file to a value in it
T = TypeVar("T")

_SHOWN = 60
_NOTHING: Any = object()  # what comes of a wrong value
_WORDS = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a path",
    tuple: "a list",
    dict: "a mapping of names to values",
}


@dataclass(frozen=True)
class Fault:
    """What is wrong at a place, and what to do.

    `of` says with what: the place itself (a name that is missing or means nothing there), its
    `value`, or, of several values below it, what they are `together`.
    """

    place: Place
    text: str
    of: Literal["place", "value", "together"] = "value"
    known: tuple[str, ...] = ()  # the names that the place of an unknown one has


class Faulty(ValueError):
    """Values that make no object; `faults` has all that is wrong with them."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(fault.text for fault in faults))
        self.faults = faults


class Rule(Protocol):
    """What a value must be beyond its type."""

    def fault(self, value: Any) -> str | None:
        """Return what is wrong, to follow the value's name, or None."""


@dataclass(frozen=True)
class Bounds:
    """A number between ends that are excluded (`over`) or included."""

    over: float = -math.inf
    least: float = -math.inf
    most: float = math.inf

    def fault(self, value: Any) -> str | None:
        """Return what is wrong with a number."""
        if value <= self.over:
            return f"must be more than {self.over:g}, and is {shown(value)}"
        if value < self.least:
            return f"must be at least {self.least:g}, and is {shown(value)}"
        if value > self.most:
            return f"must be at most {self.most:g}, and is {shown(value)}"
        return None


@dataclass(frozen=True)
class Like:
    """Text that a pattern matches as a whole; `words` say the pattern to people."""

    pattern: str
    words: str

    def fault(self, value: Any) -> str | None:
        """Return what is wrong with a text."""
        if re.fullmatch(self.pattern, value):
            return None
        return f"must be {self.words}, and is {shown(value)}"


@dataclass(frozen=True)
class Length:
    """So many values in a list, or characters in a text."""

    least: int = 0
    most: int | None = None

    def fault(self, value: Any) -> str | None:
        """Return what is wrong with a list or a text."""
        word, end = ("at least", self.least) if len(value) < self.least else ("at most", self.most)
        if end is None or self.least <= len(value) <= end:
            return None
        if isinstance(value, str):
            return f"must have {word} {end} characters, and is {shown(value)}"
        return f"must have {word} {end} value{'s' if end != 1 else ''}, and has {len(value)}"


@dataclass(frozen=True)
class Unless:
    """A value of which a function has nothing to say; it is asked before the type is looked at."""

    said: Callable[[object], str | None]

    def fault(self, value: Any) -> str | None:
        """Return what the function says of a value."""
        return self.said(value)


def made(kind: type[T], content: Mapping[Any, Any], **given: object) -> T:
    """Return the object of dataclass `kind` that plain values describe.

    `given` are fields that the values do not hold. Raises `Faulty` with all that is wrong.
    """
    faults: list[Fault] = []
    found = _object(kind, content, (), faults, given)
    if faults:
        raise Faulty(faults)
    return cast(T, found)


def plain(value: Any) -> Any:
    """Return a checked object as values that JSON can hold, from which `made` makes it again."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def shown(value: object) -> str:
    """Return a value as it is told to people."""
    if value is None:
        return "empty"
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):  # a date, say
        text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


@cache
def _types(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


def _object(
    kind: type, content: object, place: Place, faults: list[Fault], given: Mapping[str, object]
) -> Any:
    if not isinstance(content, Mapping):
        return _wrong(dict, content, place, faults)
    before = len(faults)
    names = {field.name: field for field in fields(kind) if field.name not in given}
    for key in content:
        if key not in names:
            known = tuple(sorted(names))
            faults.append(Fault((*place, str(key)), "means nothing here", "place", known))
    values = dict(given)
    for name, field in names.items():
        if name in content:
            values[name] = _value(_types(kind)[name], content[name], (*place, name), faults)
        elif field.default is MISSING:
            text = f"is missing: add `{name}: ...`"
            faults.append(Fault((*place, name), text, "place"))
    if len(faults) > before:
        return _NOTHING
    try:
        return kind(**values)
    except ValueError as error:
        faults.append(Fault(place, str(error), "together"))
        return _NOTHING


def _value(annotation: Any, value: object, place: Place, faults: list[Fault]) -> Any:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _ruled(arguments[0], arguments[1:], value, place, faults)
    if origin in (typing.Union, types.UnionType):  # of one type and None: there are no others
        if value is None:
            return None
        (annotation,) = (one for one in arguments if one is not types.NoneType)
        return _value(annotation, value, place, faults)
    if origin is Literal:
        if value in arguments:
            return value
        faults.append(Fault(place, _choose(value, arguments)))
        return _NOTHING
    if origin is tuple:
        if not isinstance(value, list | tuple):
            return _wrong(tuple, value, place, faults)
        return tuple(
            _value(arguments[0], one, (*place, number), faults) for number, one in enumerate(value)
        )
    if is_dataclass(annotation):
        return _object(cast(type, annotation), value, place, faults, {})
    return _simple(annotation, value, place, faults)


def _ruled(
    base: Any, rules: tuple[Rule, ...], value: object, place: Place, faults: list[Fault]
) -> Any:
    early = [rule for rule in rules if isinstance(rule, Unless)]
    text = next((text for rule in early if (text := rule.fault(value)) is not None), None)
    before = len(faults)
    found = _NOTHING if text is not None else _value(base, value, place, faults)
    # Of a list whose items are wrong the length can still be told.
    if text is None and found is not None and (len(faults) == before or isinstance(found, tuple)):
        late = (rule for rule in rules if rule not in early)
        text = next((text for rule in late if (text := rule.fault(found)) is not None), None)
    if text is not None:
        faults.append(Fault(place, text))
        return _NOTHING
    return found


def _simple(kind: type, value: object, place: Place, faults: list[Fault]) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return _wrong(kind, value, place, faults)
    if kind is Path and isinstance(value, str):
        return Path(value)
    good = isinstance(value, kind) and isinstance(value, bool) == (kind is bool)
    if not good or (isinstance(value, float) and not math.isfinite(value)):
        return _wrong(kind, value, place, faults)
    return value


def _wrong(kind: type, value: object, place: Place, faults: list[Fault]) -> Any:
    text = f"must be {_WORDS[kind]}, and is {shown(value)}"
    if kind is str and isinstance(value, bool | int | float):
        text = f"must be text, and YAML reads {shown(value)} there: put the text in quotes"
    faults.append(Fault(place, text))
    return _NOTHING


def _choose(value: object, choices: Collection[str]) -> str:
    import difflib

    *others, last = (f"'{choice}'" for choice in choices)
    near = difflib.get_close_matches(str(value), choices, 1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    words = f"{', '.join(others)} or {last}" if others else last
    return f"must be {words}, and is {shown(value)}{meant}"
