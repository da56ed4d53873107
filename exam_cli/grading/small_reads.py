"""A file that is never read in large pieces: readers of archives take at once what a header asks.

A zip's list of members is read whole, as is a tar's long name, however long a stranger made it.
"""

from __future__ import annotations

import io
import os


class TooMuchError(Exception):
    """A reader asked for more at once than any honest file needs."""


class InSmallReads(io.FileIO):
    """A file open for reading of which no more than `most` bytes are read at once.

    The pieces that a caller reads of what is in the file must be smaller, too.
    """

    def __init__(self, path: str | os.PathLike[str], most: int) -> None:
        super().__init__(path)
        self._most = most

    def read(self, size: int | None = -1, /) -> bytes:
        """Return so many bytes, or all that are left. Raises `TooMuchError`, OSError."""
        left = max(0, os.fstat(self.fileno()).st_size - self.tell())
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted > self._most:
            raise TooMuchError
        return super().read(wanted) or b""
