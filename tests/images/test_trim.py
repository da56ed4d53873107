"""What is cut from the images is what nobody runs, and what is left still loads."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from exam_cli.paths import resource

LIBRARY = "yaml._yaml"  # compiled, in every development environment, and not stripped by its makers


@pytest.fixture(scope="module")
def trim() -> ModuleType:
    spec = importlib.util.spec_from_file_location("trim", resource("images", "trim.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def elf(segment: bytes, symbols: bytes, after: bytes = b"") -> bytes:
    """Return a library: one segment, then a section of symbols, then the table of sections."""
    start = 64 + 56
    table = start + len(segment) + len(symbols)
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQI6H", 3, 62, 1, 0, 64, table, 0, 64, 56, 1, 64, 2, 1)
    whole = start + len(segment)
    program = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, whole, whole, 4096)
    sections = bytes(64) + struct.pack("<IIQQQQIIQQ", 0, 2, 0, 0, whole, len(symbols), 0, 0, 8, 24)
    return header + program + segment + symbols + sections + after


def test_what_the_loader_reads_stays_as_it_is(trim: ModuleType, tmp_path: Path) -> None:
    library = tmp_path / "library.so"
    before = elf(b"code" * 100, b"name" * 50)
    library.write_bytes(before)
    assert trim.strip_symbols(library) == 200 + 128
    after = library.read_bytes()
    assert after == before[:40] + bytes(8) + before[48:60] + bytes(4) + before[64:520]
    assert trim.strip_symbols(library) == 0 and library.read_bytes() == after


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a library",
        elf(b"code", b"name")[:90],
        elf(b"code", b"name")[:-20],
        elf(b"code", b"name", after=b"payload " * 20),
        b"\x7fELF\x01" + elf(b"code", b"name")[5:],  # 32 bits
    ],
)
def test_any_other_file_is_left_alone(trim: ModuleType, tmp_path: Path, content: bytes) -> None:
    library = tmp_path / "library.so"
    library.write_bytes(content)
    assert trim.strip_symbols(library) == 0
    assert library.read_bytes() == content


def test_a_real_library_still_loads(trim: ModuleType, tmp_path: Path) -> None:
    found = importlib.util.find_spec(LIBRARY)
    if not sys.platform.startswith("linux") or found is None or found.origin is None:
        pytest.skip(f"{LIBRARY} is not compiled here")
    package = Path(found.origin).parent
    shutil.copytree(package, tmp_path / "yaml")
    assert trim.strip_symbols(tmp_path / "yaml" / Path(found.origin).name) > 0
    code = "import yaml; assert yaml.load('a: [1]', yaml.CSafeLoader) == {'a': [1]}"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


def test_cuda_s_libraries_stay_as_they_came(trim: ModuleType, tmp_path: Path) -> None:
    before = elf(b"code" * 100, b"name" * 50)
    cuda, other = tmp_path / "nvidia/nccl/lib/libnccl.so.2", tmp_path / "tensorflow/library.so.2"
    for library in (cuda, other):
        library.parent.mkdir(parents=True)
        library.write_bytes(before)
    trim.main(tmp_path)
    assert cuda.read_bytes() == before and other.stat().st_size < len(before)


SITE = {
    "scipy/stats/_bws_test.py": True,
    "scipy/stats/tests/test_stats.py": False,
    "scipy/linalg/cython_blas.pxd": False,
    "scipy/linalg/cython_blas.so": True,
    "keras/src/layers/core/dense.py": True,
    "keras/src/layers/core/dense_test.py": False,
    "keras/src/testing/test_case.py": True,
    "jinja2/tests.py": True,
    "jinja2/tests/code.py": True,
    "tensorflow/_api/v2/test/__init__.py": True,
    "tensorflow/include/tensorflow/core/graph.h": False,
    "tensorflow/python/ops/gen_array_ops.py": True,
    "nvidia/cublas/include/cublas_api.cuh": False,
    "nvidia/cublas/lib/libcublas.so.12": True,
    "nvidia/cuda_runtime/lib/libcudart_static.a": False,
    "nvidia/cuda_nvcc/bin/ptxas": True,
    "nvidia/cuda_nvcc/nvvm/lib64/libnvvm.so": False,
    "nvidia/cuda_nvcc/nvvm/libdevice/libdevice.10.bc": True,
    "nvidia/cuda_nvrtc/lib/libnvrtc.so.12": True,
    "nvidia/cuda_nvrtc/lib/libnvrtc.alt.so.12": False,
    "scipy-1.0.dist-info/uv_cache.json": False,
    "scipy-1.0.dist-info/METADATA": True,
    "scipy-1.0.dist-info/RECORD": True,
}


def test_what_goes_and_what_stays(trim: ModuleType, tmp_path: Path) -> None:
    for name in SITE:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("content")
    record = "".join(f"{name},sha256=abc,7\n" for name in SITE)
    (tmp_path / "scipy-1.0.dist-info/RECORD").write_text(record)
    trim.main(tmp_path)
    assert {name: (tmp_path / name).exists() for name in SITE} == SITE
    listed = (tmp_path / "scipy-1.0.dist-info/RECORD").read_text().splitlines()
    assert listed == [f"{name},sha256=abc,7" for name, kept in SITE.items() if kept]
