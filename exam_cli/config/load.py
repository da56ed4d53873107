"""Read a YAML file into an object, or say everything that is wrong with it, line by line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from exam_cli.config.problems import Problem, duplicate_keys, line_of, problem_of, sentence
from exam_cli.config.values import Fault, Faulty, made
from exam_cli.errors import ExamError

T = TypeVar("T")
Look = Callable[[Mapping[Any, Any]], Iterable[Fault]]
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(path: Path, kind: type[T], also: Look | None = None, **given: object) -> T:
    """Return the file at `path` as a dataclass `kind`; `given` are fields that no file may state.

    `also` is asked for faults beyond those of the fields by themselves, whatever these are.
    Raises `ExamError` that lists every problem with its line and what to do about it.
    """
    text = _text(path)
    root, content = _parsed(path, text)
    problems = duplicate_keys(root)
    problems += [problem_of(fault, root) for fault in (also(content) if also else ())]
    for name in given:
        if name in content:
            text = f"`{name}` is not for files to say: drop it"
            problems.append(Problem(line_of(root, (name,)), text))
            del content[name]
    try:
        checked = made(kind, content, **given)
    except Faulty as error:
        problems += [problem_of(fault, root) for fault in error.faults]
        raise ExamError(sentence(path, problems)) from error
    if problems:
        raise ExamError(sentence(path, problems))
    return checked


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ExamError(f"There is no {path.name} at {path.parent}.") from error
    except UnicodeDecodeError as error:
        raise ExamError(f"{path} is not text in UTF-8: save it as UTF-8.") from error
    except OSError as error:
        raise ExamError(f"{path} cannot be read ({error.strerror}).") from error


def _parsed(path: Path, text: str) -> tuple[yaml.MappingNode, dict[Any, Any]]:
    """Return a file as nodes, which know their lines, and as plain values."""
    try:
        loader = _LOADER(text)
        try:
            root = loader.get_single_node()
            content = loader.construct_document(root) if root is not None else None
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        why = " ".join(str(part) for part in (error.context, error.problem) if part)
        raise ExamError(
            f"{path} is no YAML: {place}{why}. Look for a missing quote, a tab, or a colon in text "
            "without quotes there or just above."
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ExamError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(root, yaml.MappingNode) or not isinstance(content, dict):
        raise ExamError(f"{path} must be a mapping of names to values: lines of `name: value`.")
    return root, content
