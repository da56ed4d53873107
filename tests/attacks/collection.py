"""What an attack is, and the known kinds of which the collection must hold at least one each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Format = Literal["keras", "h5", "savedmodel", "directory", "archive"]

MODELS: tuple[Format, ...] = ("keras", "h5", "savedmodel")
FILES: tuple[Format, ...] = ("directory", "archive")

# How graders of saved models are known to be attacked -> the formats in which it can be done. What
# is empty is no submission: other tests hold it.
KNOWN: Mapping[str, tuple[Format, ...]] = {
    "code in layers and configurations": ("keras", "h5"),
    "code where safe_mode is not asked": ("h5",),
    "HDF5 links to other files": ("keras", "h5"),
    "bombs": ("keras", "h5", "savedmodel", "archive"),
    "operations that read, write and run": ("savedmodel",),
    "labels in reach": MODELS,
    "forged result": MODELS,
    "result that is parsed": MODELS,
    "links": ("directory", "archive", "savedmodel"),
    "odd numbers": MODELS,
    "using up": MODELS,
    "inputs carried out": MODELS,
    "left behind": MODELS,
    "swapped while graded": ("directory",),
    "odd names and files": ("keras", "directory", "archive"),
    "score as an oracle": (),
    "answers learnt by heart": (),
    "holes of the runtime": (),
}


@dataclass(frozen=True)
class Attack:
    """A submission and what must come of it.

    Args:
        name: of the deed; with the format it is unique.
        format: how it comes.
        known: a key of `KNOWN`.
        reason: of the rejection; None if it is scored, and then it must get no more than 0.
        section: where it is handed in.
        says: what the sentence for the candidate must hold.
        prints: what must be in the practice log.
        limits: changes of the section's limits.
        make: for files: put the submission into the directory given, which is the section's; the
            second argument is the file of an honest model of that section in .keras.
        honest: whether an honest model comes in an odd way: it is scored as ever.
    """

    name: str
    format: Format
    known: str
    reason: str | None
    section: int = 1
    says: str = ""
    prints: bytes = b""
    limits: Mapping[str, int] = field(default_factory=dict)
    make: Callable[[Path, Path], None] | None = None
    honest: bool = False

    @property
    def id(self) -> str:
        """Name and format."""
        return f"{self.name}-{self.format}"
