"""A tar as its reader may see it: forwards only, so far and no further, with short headers.

Python's reader believes what a header says: it takes a name of 1 GB into memory, goes back and
round for ever after a negative size (CVE-2025-8194), looks at long runs of digits again and again
(CVE-2024-6232), and takes an unreadable header for the end.
"""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from exam_cli.grading.small_reads import TooMuchError

_MAX_READ = 1 << 20
_MAX_HEADER = 64 << 10  # of the first member with all that precedes it
_HEADER_EACH = 2 << 10  # and so much more for each member that was read
_DIGITS = re.compile(rb"\d{100}")
_GZIP = b"\x1f\x8b"
_OTHER = (b"\xfd7zXZ", b"BZh", b"\x28\xb5\x2f\xfd", b"\x1f\x9d", b"LZIP")


class TarStream:
    """The uncompressed bytes of a tar, of which the reader gets at most `limit`.

    The one who reads sets `members` to the number that were read, and `in_content` while a member's
    bytes are read. Raises NotImplementedError for a compression other than gzip, `TooMuchError`,
    and what gzip raises.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self._limit = limit
        self._at = self._of_headers = self.members = 0
        self.in_content = False
        self._last = b""
        self._file: IO[bytes] = path.open("rb")
        start = self._file.read(8)
        self._file.seek(0)
        if start.startswith(_OTHER):
            self._file.close()
            raise NotImplementedError
        self._bytes: IO[bytes] = self._file
        if start.startswith(_GZIP):
            self._bytes = gzip.GzipFile(fileobj=self._file)  # type: ignore[assignment]

    def tell(self) -> int:
        """Return how many bytes have gone by."""
        return self._at

    def seek(self, position: int, whence: int = 0) -> int:
        """Go forward to a position, counted from the start."""
        if whence or not self._at <= position <= self._limit:
            raise TooMuchError
        self._at = self._bytes.seek(position)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes, fewer at the end."""
        if not 0 <= size <= _MAX_READ or self._at + size > self._limit:
            raise TooMuchError
        if not self.in_content:
            self._of_headers += size
            if self._of_headers > _MAX_HEADER + _HEADER_EACH * self.members:
                raise TooMuchError
        self._last = self._bytes.read(size)
        self._at += len(self._last)
        if not self.in_content and _DIGITS.search(self._last):
            raise TooMuchError
        return self._last

    def write(self, data: bytes, /) -> int:
        """Do nothing: the reader's type asks for it."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the file."""
        self._bytes.close()
        self._file.close()

    @property
    def ended(self) -> bool:
        """Whether what was read last is the block of zeros that ends a tar."""
        return len(self._last) == 512 and not any(self._last)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
