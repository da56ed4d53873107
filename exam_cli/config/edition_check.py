"""What an edition's file says, against the suite it names and the locks that lie beside it.

It is looked at as it stands, so that a fault here is told together with all others of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from exam_cli.config.suites import RELEASES
from exam_cli.config.values import Fault

_TENSORFLOW = re.compile(r"^tensorflow(?:-cpu)?==([^\s\\;]+)", re.MULTILINE)
_LAYERS = ("tools", "tensorflow", "workspace")


def faults_of(
    content: Mapping[Any, Any], folder: Path, architectures: tuple[str, ...], locked: bool
) -> Iterator[Fault]:
    """Yield what does not fit together.

    Args:
        content: the file's values, of any type.
        folder: where the file lies.
        architectures: those that there are, which the file may leave out.
        locked: whether the locks must be there, and be of what the file says.
    """
    if content.get("edition") != folder.name:
        text = f"must be {folder.name!r}, the name of its folder"
        yield Fault(("edition",), text)
    release = RELEASES.get(content.get("suite"))  # type: ignore[arg-type]
    python = content.get("python")
    if release is not None and isinstance(python, str) and python != release.python:
        text = f"must be '{release.python}', for that is what {content['suite']} has"
        yield Fault(("python",), f"{text}, and is '{python}'")
    chosen = content.get("architectures", architectures)
    if locked and isinstance(chosen, list | tuple):
        for architecture in chosen:
            if architecture in architectures:
                yield from _faults_of_locks(content, folder, architecture)


def _faults_of_locks(
    content: Mapping[Any, Any], folder: Path, architecture: str
) -> Iterator[Fault]:
    texts = {}
    for layer in _LAYERS:
        lock = folder / f"{layer}.{architecture}.lock"
        try:
            texts[layer] = lock.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            text = f"has no {lock.name} beside it: `exam images lock {folder.name}` writes it"
            yield Fault(("edition",), text)
    wanted, found = content.get("tensorflow"), _TENSORFLOW.search(texts.get("tensorflow", ""))
    if found and isinstance(wanted, str) and found[1] != wanted:
        yield Fault(
            ("tensorflow",),
            f"is {wanted}, and tensorflow.{architecture}.lock has {found[1]}: mend one, then "
            f"`exam images lock {folder.name}`",
        )
    names = content.get("from_source")
    for number, name in enumerate(names if isinstance(names, list) else ()):
        pinned = re.compile(rf"^{re.escape(str(name))}==", re.MULTILINE)
        if len(texts) == len(_LAYERS) and not any(map(pinned.search, texts.values())):
            yield Fault(("from_source", number), f"is {name}, which no lock for {architecture} has")
