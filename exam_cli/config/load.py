"""Read a YAML file into a model, or say everything that is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from exam_cli.errors import ExamError


class Strict(BaseModel):
    """Base of all file models: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


_Model = TypeVar("_Model", bound=BaseModel)


def load(path: Path, model: type[_Model], **given: object) -> _Model:
    """Return the file at `path` as a `model`; `given` are fields that no file states.

    Raises `ExamError` that lists every problem with its place in the file.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ExamError(f"There is no {path.name} at {path.parent}.") from error
    try:
        content: Any = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise ExamError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ExamError(f"{path} must be a mapping of names to values.")
    try:
        return model.model_validate({**content, **given} if given else content)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in problem['loc']) or 'the file'}: {problem['msg']}"
            for problem in error.errors()
        ]
        raise ExamError(f"{path} has {len(problems)} problem(s): " + "; ".join(problems)) from error
