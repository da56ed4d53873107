"""Fonts for PDF files: those that the workspace image's matplotlib brings, cached on the host.

STIX for Latin, Greek and Cyrillic, DejaVu for more scripts. Without them (no engine, no image) the
fonts that every viewer has are left, and those know Latin-1 only.
"""

from __future__ import annotations

import io
import re
import tarfile
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from exam_cli.engine.port import ContainerSpec, Engine, Limits
from exam_cli.errors import ExamError
from exam_cli.files import write_file
from exam_cli.paths import cache_dir

if TYPE_CHECKING:
    from fpdf import FPDF

# family -> style -> file
_WANTED = {
    "serif": {"": "STIXGeneral", "B": "STIXGeneralBol", "I": "STIXGeneralItalic"},
    "sans": {"": "DejaVuSans", "B": "DejaVuSans-Bold", "I": "DejaVuSans-Oblique"},
    "mono": {"": "DejaVuSansMono"},
}
_PLACE = "lib/python{version}/site-packages/matplotlib/mpl-data/fonts/ttf"
_CORE = {"serif": "times", "sans": "helvetica", "mono": "courier"}
_MOST_BYTES = 8 << 20


@dataclass(frozen=True)
class Fonts:
    """Where the font files are; `directory` is None when there are none but every viewer's own."""

    directory: Path | None = None

    def install(self, pdf: FPDF) -> dict[str, str]:
        """Add the fonts to a document; return the family to use for serif, sans and mono."""
        if self.directory is None:
            return _CORE
        for family, styles in _WANTED.items():
            for style, name in styles.items():
                pdf.add_font(family, style, str(self.directory / f"{name}.ttf"))
        pdf.set_fallback_fonts(["sans"], exact_match=False)
        return {family: family for family in _WANTED}

    def known(self, text: str) -> bool:
        """Say whether every letter of a text can be written.

        Scripts that run from right to left cannot: they need shaping, which is not to be had here.
        """
        if any(unicodedata.bidirectional(one) in ("R", "AL") for one in text):
            return False
        if self.directory is None:
            return all(ord(one) < 256 for one in text)
        letters = _letters(self.directory)
        return all(ord(one) in letters for one in text)


@cache
def _letters(directory: Path) -> frozenset[int]:
    """Return what the fonts can write between them, as code points."""
    from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

    letters: set[int] = set()
    for name in (_WANTED["serif"][""], _WANTED["sans"][""]):
        with TTFont(directory / f"{name}.ttf", lazy=True) as font:
            letters |= set(font.getBestCmap())
    return frozenset(letters)


def fonts(image: str, python: str, connect: Callable[[], Engine]) -> Fonts:
    """Return the fonts of an image, from the cache or out of the image; never fails.

    Args:
        image: reference of the workspace image.
        python: the version of its Python.
        connect: returns the engine; it is asked only when the cache has none.
    """
    directory = cache_dir() / "fonts" / re.sub(r"[^\w.-]", "_", image)
    wanted = {f"{name}.ttf" for styles in _WANTED.values() for name in styles.values()}
    if all((directory / name).is_file() for name in wanted):
        return Fonts(directory)
    try:
        found = _taken_out(connect(), image, ".".join(python.split(".")[:2]))
        if not wanted <= set(found):
            return Fonts()
        directory.mkdir(parents=True, exist_ok=True)
        for name in wanted:
            write_file(directory / name, found[name], mode=0o644)
    except (ExamError, OSError, tarfile.TarError):
        return Fonts()
    return Fonts(directory)


def _taken_out(engine: Engine, image: str, python: str) -> dict[str, bytes]:
    """Return the font files of an image by name."""
    spec = ContainerSpec(
        image=image,
        command=("true",),
        user="65534:65534",
        limits=Limits(64 << 20, 1.0, 8),
        labels={"exam.role": "fonts"},
    )
    container = engine.create(spec)
    try:
        tar = b"".join(engine.get(container, f"/opt/exam/{_PLACE.format(version=python)}"))
    finally:
        engine.remove(container)
    found = {}
    with tarfile.open(fileobj=io.BytesIO(tar)) as package:
        for member in package:
            if member.isreg() and member.size < _MOST_BYTES:
                content = package.extractfile(member)
                if content is not None:
                    found[Path(member.name).name] = content.read()
    return found
