"""Source distributions by hash, through pip, without running what is inside.

pip asks every source distribution for its metadata, and so runs its `setup.py`, even when it shall
only download. Here a stand-in for setuptools answers instead. An archive that names another
build tool is refused by pip, for there is none in reach.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from exam_cli.errors import ExamError
from exam_cli.fetch.lockfile import OtherHash, Pin, sha256_of
from exam_cli.fetch.wheels import OTHER_HASH

# Hooks as PEP 517 defines them; `__legacy__` is the name for archives without a pyproject.toml.
_STAND_IN = """
import os, sys

def prepare_metadata_for_build_wheel(directory, config_settings=None):
    info = "{name}-{version}.dist-info".replace("{name}", "{name}".replace("-", "_"))
    os.mkdir(os.path.join(directory, info))
    with open(os.path.join(directory, info, "METADATA"), "w") as file:
        file.write("Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
    return info

__legacy__ = sys.modules[__name__]
"""


def kept_sdist(pin: Pin, directory: Path) -> Path:
    """Return a source distribution from `directory`, downloaded if it is not there."""
    directory.mkdir(parents=True, exist_ok=True)
    for path in directory.glob(f"*-{pin.version}.*"):
        if path.is_file() and sha256_of(path) in pin.hashes:
            return path
    return fetch_sdist(pin, directory)


def fetch_sdist(pin: Pin, directory: Path) -> Path:
    """Download one source distribution into `directory`; return its path.

    pip uses the user's own index, proxy and certificate settings. Raises `OtherHash` when another
    file stands in the archive's place, `ExamError` when there is none.
    """
    with tempfile.TemporaryDirectory(prefix="pip-", dir=directory) as scratch:
        stand_in = Path(scratch, "setuptools")
        stand_in.mkdir()
        (stand_in / "__init__.py").touch()
        (stand_in / "build_meta.py").write_text(
            _STAND_IN.format(name=pin.name, version=pin.version)
        )
        requirements = Path(scratch, "requirements.txt")
        requirements.write_text(pin.requirement() + "\n")
        arrived = Path(scratch, "arrived")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"]
        command += ["--disable-pip-version-check", "--require-hashes", "--no-binary=:all:"]
        command += ["--no-build-isolation", f"--dest={arrived}", f"--requirement={requirements}"]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env={**os.environ, "PYTHONPATH": scratch, "TMPDIR": scratch},
        )
        if OTHER_HASH.search(done.stderr):
            raise OtherHash(f"{pin.name} {pin.version} did not arrive with its hash.")
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["pip gave no reason"]
            errors = [line for line in lines if line.startswith("ERROR")]
            raise ExamError((errors or lines)[-1].removeprefix("ERROR: "))
        (archive,) = arrived.iterdir()
        return archive.replace(directory / archive.name)
