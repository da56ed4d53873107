import importlib.metadata
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

WANTED = ...
ARCHIVE = ...
FOLDER = ...


def there(name):
    """Return the installed version of a package, None without one."""
    for known in (name, name + "-cpu"):
        try:
            return importlib.metadata.version(known)
        except importlib.metadata.PackageNotFoundError:
            pass
    return None


if any(there(name) != version for name, version in WANTED.items()):
    extra = "[and-cuda]" if shutil.which("nvidia-smi") else ""
    pins = [
        f"{name}{extra if name == 'tensorflow' else ''}=={version}"
        for name, version in WANTED.items()
    ]
    print("Installing", ", ".join(pins))
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *pins], check=True)

for name, version in WANTED.items():
    if there(name) != version:
        raise SystemExit(f"{name} {version} could not be installed: {there(name)} is here.")
    loaded = sys.modules.get(name.replace("-", "_"))
    if loaded is not None and loaded.__version__ != version:
        raise SystemExit(
            f"{name} {loaded.__version__} is loaded already: restart the session (Runtime > "
            "Restart session) and run this cell again."
        )

if Path.cwd().name != FOLDER:
    if not Path(FOLDER).is_dir():
        if not Path(ARCHIVE).is_file():
            try:
                from google.colab import files
            except ImportError:
                raise SystemExit(f"Put {ARCHIVE} beside this notebook and run this cell again.")
            files.upload()
        zipfile.ZipFile(ARCHIVE).extractall()
    os.chdir(FOLDER)

print("Ready:", ", ".join(f"{name} {version}" for name, version in WANTED.items()))
