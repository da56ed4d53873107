"""The candidate's own ~/.ssh: an entry of ours in config.d, and the line that makes ssh read it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from exam_cli.workspace.door import Door
from exam_cli.workspace.written import Part, Unreadable

INCLUDE = "Include config.d/*"
_MARK = "# Added by `exam attach`: entries of exams."
_BLOCK = re.compile(r"\s*(host|match)\b", re.IGNORECASE)


@dataclass(frozen=True)
class WholeFile:
    """A file that is ours alone."""

    path: Path
    text: str
    mode: int = 0o644

    def add(self, text: str | None) -> str:
        """Replace nothing that is not ours."""
        if text not in (None, self.text):
            raise Unreadable("there is one already, which is not ours")
        return self.text

    def remove(self, text: str) -> str | None:
        """Leave what was made of it: it is not what we wrote."""
        if text != self.text:
            raise Unreadable("it was changed")
        return None


@dataclass(frozen=True)
class Include:
    """The line in ~/.ssh/config. It must come first, or it belongs to the host above it."""

    path: Path
    mode: int = 0o600

    def add(self, text: str | None) -> str:
        """Put the line at the top, unless it stands there in some spelling."""
        ours = f"{_MARK}\n{INCLUDE}\n"
        if text is None:
            return ours
        return text if _included(text) else f"{ours}\n{text}"

    def remove(self, text: str) -> str | None:
        """Take out the two lines as we wrote them."""
        ours = f"{_MARK}\n{INCLUDE}\n"
        return text.replace(f"{ours}\n", "").replace(ours, "") or None


def _included(text: str) -> bool:
    """Say whether ssh reads config.d for every host."""
    for line in text.splitlines():
        if _BLOCK.match(line):
            return False
        words = line.replace("=", " ").replace('"', " ").split()
        if words[:1] and words[0].lower() == "include":
            home = f"{Path.home()}/.ssh/"
            places = (word.removeprefix("~/.ssh/").removeprefix(home) for word in words[1:])
            if any(place in ("config.d/*", "config.d/*.conf") for place in places):
                return True
    return False


def parts(door: Door) -> list[Part]:
    """Return what `ssh NAME`, VS Code's Remote-SSH and JetBrains Gateway find the server by."""
    home = Path.home() / ".ssh"
    entry = home / "config.d" / f"{door.alias}.conf"
    return [WholeFile(entry, door.entry(), 0o600), Include(home / "config")]
