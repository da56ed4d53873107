"""What is in an image, told by the image itself: this runs in a container of it, as `-c`.

It has Python's own library and no other, and may be Python 3.9. It prints one JSON object.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

# Fields of dpkg-query; an end of line is written before each package, for Depends may fold.
_FIELDS = (
    "Package", "Version", "Architecture", "source:Package", "source:Version", "Pre-Depends",
    "Depends", "Homepage", "db:Status-Status",
)  # fmt: skip
_MOST_BYTES = 1 << 20


def wheels() -> list[dict[str, object]]:
    """Return what the METADATA of each installed package says (core metadata, PEP 566 and 639)."""
    found: list[dict[str, object]] = []
    for one in metadata.distributions():
        head = one.metadata
        classifiers = [
            line.split(" :: ")[-1]
            for line in head.get_all("Classifier", [])
            if line.startswith("License :: ") and line.count(" :: ") > 1
        ]
        found.append(
            {
                "name": head["Name"],
                "version": head["Version"],
                "summary": head["Summary"],
                "expression": head["License-Expression"],
                "license": head["License"],
                "classifiers": classifiers,
                "files": head.get_all("License-File", []),
                "requires": one.requires or [],
            }
        )
    return sorted(found, key=lambda wheel: str(wheel["name"]).lower())


def debian() -> list[dict[str, object]]:
    """Return the Debian packages that are installed, with the licences that DEP-5 files name."""
    form = "\\0" + "\\1".join("${" + field + "}" for field in _FIELDS)
    form = form.replace("\\0", "\x02").replace("\\1", "\x01")
    done = subprocess.run(
        ["dpkg-query", "-W", "-f", form], stdout=subprocess.PIPE, check=True, encoding="utf-8"
    )
    found: list[dict[str, object]] = []
    for row in done.stdout.split("\x02")[1:]:
        values = dict(zip(_FIELDS, row.split("\x01")))  # noqa: B905 (Python 3.9)
        if values.pop("db:Status-Status").strip() == "installed":
            package = {key.lower(): value for key, value in values.items()}
            found.append({**package, "licences": licences(values["Package"])})
    return sorted(found, key=lambda package: str(package["package"]))


def licences(package: str) -> list[str]:
    """Return the short names in a copyright file of Debian's machine-readable format (DEP-5)."""
    try:
        place = Path("/usr/share/doc", package, "copyright")
        text = place.read_bytes()[:_MOST_BYTES].decode("utf-8", "replace")
    except OSError:
        return []
    if not re.match(r"\s*Format(-Specification)?:", text):
        return []
    names = re.findall(r"^License:[ \t]*(\S[^\n]*)$", text, re.MULTILINE)
    return sorted({name.strip() for name in names})


def programs() -> dict[str, str]:
    """Return the hashes of our own programs."""
    place = Path("/opt/exam/programs")
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(place.glob("*.py"))
    }


def main() -> None:
    """Print it."""
    version = platform.python_version()
    content = {
        "python": version,
        "wheels": wheels(),
        "debian": debian(),
        "programs": programs(),
    }
    json.dump(content, sys.stdout)


if __name__ == "__main__":
    main()
