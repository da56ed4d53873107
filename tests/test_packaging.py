"""What travels with the program when it is installed from a clone."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    target = tmp_path_factory.mktemp("wheel")
    line = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    subprocess.run(line, cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(target.glob("*.whl"))) as wheel:
        return set(wheel.namelist())


@pytest.mark.parametrize("folder", ["images", "sections"])
def test_every_file_of_a_resource_folder_travels(names: set[str], folder: str) -> None:
    line = ["git", "ls-files", folder]
    listed = subprocess.run(line, cwd=ROOT, check=True, capture_output=True, text=True)
    tracked = listed.stdout.split()
    assert tracked
    assert {f"exam_cli/resources/{path}" for path in tracked} <= names


def test_compose_and_the_engine_script_travel(names: set[str]) -> None:
    files = {f"exam_cli/resources/{name}" for name in ("compose.yaml", "compose.gpu.yaml")}
    assert files | {"exam_cli/engine/provide.sh"} <= names


def test_no_data_and_no_models_travel(names: set[str]) -> None:
    assert not [name for name in names if name.endswith((".csv", ".jsonl", ".keras", ".npz"))]
