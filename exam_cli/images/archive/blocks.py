"""The tar itself: plain files one after the other, each with the header of its name and size.

Format: https://www.gnu.org/software/tar/manual/html_node/Standard.html. What a header can say
beside name and size is always the same, so a reader need not interpret one: it compares.
"""

from __future__ import annotations

import tarfile

BLOCK = 512
END = bytes(2 * BLOCK)


def header(name: str, size: int) -> bytes:
    """Return the one header that a file of this name and size has."""
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o644
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict")


def padding(size: int) -> int:
    """Return how many zeros follow so many bytes."""
    return -size % BLOCK


def whole(size: int) -> int:
    """Return the bytes that a file of this size takes, header and padding included."""
    return BLOCK + size + padding(size)


def size_in(block: bytes, name: str) -> int | None:
    """Return the size that a block says as the header of `name`; None if it is not that."""
    try:
        size = tarfile.TarInfo.frombuf(block, "utf-8", "strict").size
        return size if size >= 0 and header(name, size) == block else None
    except (tarfile.HeaderError, ValueError):
        return None
