"""A tar as its reader may see it: forwards only, so far and no further, with short headers.

Python's reader believes what a header says: it takes a name of 1 GB into memory, goes back and
round for ever after a negative size (CVE-2025-8194), looks at long runs of digits again and again
(CVE-2024-6232), and takes an unreadable header for the end.
"""

from __future__ import annotations

import io
import re
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING

from exam_cli.grading.small_reads import TooMuchError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_MAX_READ = 1 << 20
_PIECE = 1 << 18
_MAX_HEADER = 64 << 10  # of the first member with all that precedes it
_HEADER_EACH = 2 << 10  # and so much more for each member that was read
_DIGITS = re.compile(rb"\d{100}")
_GZIP = b"\x1f\x8b"
_OTHER = (b"\xfd7zXZ", b"BZh", b"\x28\xb5\x2f\xfd", b"\x1f\x9d", b"LZIP")


class TarStream:
    """The uncompressed bytes of a tar, of which the reader gets at most `limit`.

    The one who reads sets `members` to the number that were read, and `in_content` while a member's
    bytes are read. Raises NotImplementedError for a compression other than gzip, `TooMuchError`,
    EOFError, and what zlib raises.
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
        self._unzipped: io.BufferedReader | None = None
        if start.startswith(_GZIP):
            self._unzipped = io.BufferedReader(_Unzipped(self._file), _PIECE)

    def tell(self) -> int:
        """Return how many bytes have gone by."""
        return self._at

    def seek(self, position: int, whence: int = 0) -> int:
        """Go forward to a position, counted from the start."""
        if whence or not self._at <= position <= self._limit:
            raise TooMuchError
        if self._unzipped is None:
            self._at = self._file.seek(position)
        while self._at < position:
            passed = len(self._of(min(_PIECE, position - self._at)))
            self._at += passed
            if not passed:
                break
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes, fewer at the end."""
        if not 0 <= size <= _MAX_READ or self._at + size > self._limit:
            raise TooMuchError
        if not self.in_content:
            self._of_headers += size
            if self._of_headers > _MAX_HEADER + _HEADER_EACH * self.members:
                raise TooMuchError
        self._last = self._of(size)
        self._at += len(self._last)
        if not self.in_content and _DIGITS.search(self._last):
            raise TooMuchError
        return self._last

    def _of(self, size: int) -> bytes:
        return (self._unzipped or self._file).read(size)

    def check_the_rest(self) -> None:
        """Read what comes after the end, which tells whether all was as it was packed."""
        while self._unzipped is not None and self._of(_PIECE):
            self._at += _PIECE
            if self._at > self._limit:
                raise TooMuchError

    def write(self, data: bytes, /) -> int:
        """Do nothing: the reader's type asks for it."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def ended(self) -> bool:
        """Whether what was read last is the block of zeros that ends a tar."""
        return len(self._last) == 512 and not any(self._last)


class _Unzipped(io.RawIOBase):
    """What one gzip member holds, as packers of tars write it.

    GzipFile goes on through any number of empty ones, at 5 MB a second.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._unzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill a buffer as far as one piece of the file goes; return how far, 0 at the end."""
        view = memoryview(buffer).cast("B")
        while not self._unzip.eof:
            packed = self._unzip.unconsumed_tail or self._file.read(_PIECE)
            piece = self._unzip.decompress(packed, len(view))
            if piece:
                view[: len(piece)] = piece
                return len(piece)
            if not packed:
                raise EOFError
        return 0
