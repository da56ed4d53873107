"""trim SITE: take out of a site-packages what only serves to build, test or debug it.

Runs inside a build stage, before anything is compiled to bytecode. Who imports, trains, saves,
loads or plots misses nothing: tests/engine/test_images.py tries. Tells the bytes of each rule.
"""

import os
import struct
import sys
from pathlib import Path

# What a rule takes, and the globs below site-packages that find it. Tests are named package by
# package, for elsewhere a folder of that name may be code: `jinja2.tests`, `tf.test`.
RULES = {
    "headers and sources, for which there is no compiler here": [
        "tensorflow/include",
        *(f"**/*.{suffix}" for suffix in ("a", "c", "cc", "cpp", "h", "hpp", "pxd", "pxi", "pyx")),
    ],
    "headers of CUDA": ["nvidia/*/include"],
    # XLA runs ptxas and reads libdevice; the compiler's other half, the solver for several GPUs and
    # the second run-time compiler are loaded by nobody.
    "CUDA's parts that TensorFlow does not load": [
        "nvidia/cuda_nvcc/nvvm/lib64",
        "nvidia/cusolver/lib/libcusolverMg.so*",
        "nvidia/cuda_nvrtc/lib/*.alt.so*",
    ],
    "the installer's notes of when a wheel arrived, which no two builds share": [
        "*.dist-info/uv_cache.json"
    ],
    "tests of pandas": ["pandas/tests"],
    "tests of SciPy": ["scipy/**/tests"],
    "tests of NumPy": ["numpy/**/tests"],
    "tests of scikit-learn": ["sklearn/**/tests"],
    "tests of Keras": ["keras/src/**/*_test.py"],
    "tests of Matplotlib": ["matplotlib/**/tests", "mpl_toolkits/**/tests"],
    "tests of h5py and Tornado": ["h5py/tests", "tornado/test"],
}


def take(path):
    """Remove a file or a folder; return its bytes."""
    if path.is_symlink() or not path.is_dir():
        size = path.lstat().st_size
        path.unlink()
        return size
    size = sum(take(inner) for inner in path.iterdir())
    path.rmdir()
    return size


def _ends(content, size):
    """Return where the segments of a 64-bit little-endian ELF file end, and where its sections do.

    Layout: System V ABI, chapter 4, "ELF Header", "Sections", and chapter 5, "Program Header".
    `content` is a function (offset, length) -> bytes. Raises `ValueError` for other files.
    """
    header = content(0, 64)
    if len(header) < 64 or header[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not a 64-bit little-endian ELF file")
    segments_at, sections_at = struct.unpack_from("<QQ", header, 32)
    _, segment_size, segments, section_size, sections = struct.unpack_from("<5H", header, 52)
    needed = segments_at + segments * segment_size
    for index in range(segments):
        entry = content(segments_at + index * segment_size, 56)
        offset, length = (
            struct.unpack_from("<Q", entry, 8)[0],
            struct.unpack_from("<Q", entry, 32)[0],
        )
        needed = max(needed, offset + length)
    described = sections_at + sections * section_size
    for index in range(sections):
        entry = content(sections_at + index * section_size, 64)
        kind = struct.unpack_from("<I", entry, 4)[0]
        offset, length = struct.unpack_from("<QQ", entry, 24)
        described = max(described, offset if kind == 8 else offset + length)  # 8: NOBITS, no bytes
    if needed > size or described > size or not sections:
        raise ValueError("cut off, or without sections already")
    return needed, described


def strip_symbols(path):
    """Cut off what follows a shared library's last segment; return the bytes that went.

    The loader reads segments only. Behind them lie the tables for linkers and debuggers, a quarter
    of TensorFlow. A file that holds anything else at its end is left alone.
    """
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)

        def content(offset, length):
            file.seek(offset)
            return file.read(length)

        try:
            needed, described = _ends(content, size)
        except (ValueError, struct.error):
            return 0
        if size - described >= 64:  # more than alignment: appended by somebody, for a reason
            return 0
        file.seek(40)
        file.write(bytes(8))  # e_shoff: there are no sections any more
        file.seek(60)
        file.write(bytes(4))  # e_shnum, e_shstrndx
        file.truncate(needed)
        return size - needed


def forget(site):
    """Drop from every list of installed files what is no longer there."""
    for record in site.glob("*.dist-info/RECORD"):
        lines = record.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if (site / line.rsplit(",", 2)[0].strip('"')).exists()]
        record.write_text("".join(kept), encoding="utf-8")


def main(site):
    """Apply every rule to a site-packages and tell what each took."""
    taken = {}
    for rule, globs in RULES.items():
        found = [path for glob in globs for path in site.glob(glob)]
        taken[rule] = sum(take(path) for path in found if path.exists())
    forget(site)
    # CUDA's libraries stay to the byte as they came: their makers have stripped them, but for one,
    # and how their device code is found in them is not the loader's business alone.
    libraries = [
        path
        for path in site.rglob("*.so*")
        if path.is_file() and not path.is_symlink() and site / "nvidia" not in path.parents
    ]
    taken["symbols of shared libraries, for debuggers"] = sum(map(strip_symbols, libraries))
    for rule, size in taken.items():
        if size:
            sys.stdout.write(f"trim: {size:>11} bytes: {rule}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
