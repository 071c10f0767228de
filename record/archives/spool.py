"""Bytes whose length and checksums must be known before the first of them is written: kept, measured, handed out.

A ZIP member says its size and CRC-32 in front of its content. For evidence both were recorded when it was stored; what is made for
an archive (entries, pages, the manifest) waits here: in memory while it is small, in a temporary file when it is not.
"""

import hashlib
import zlib
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Final, Self

MEMORY_BYTES_MAX: Final = 4 << 20
PIECE_BYTES: Final = 1 << 20


class Spool:
    """A file in the making. Written once from front to end, then read as often as needed; gone when closed."""

    def __init__(self) -> None:
        self.size = 0
        self.crc32 = 0
        self._sha256 = hashlib.sha256()
        self._file = SpooledTemporaryFile(MEMORY_BYTES_MAX)  # noqa: SIM115 (closed by `close`)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def write(self, data: bytes) -> None:
        """Takes more bytes at the end."""
        self._file.write(data)
        self._sha256.update(data)
        self.crc32 = zlib.crc32(data, self.crc32)
        self.size += len(data)

    @property
    def sha256(self) -> str:
        """Of everything that was written so far, in hexadecimal digits."""
        return self._sha256.hexdigest()

    def pieces(self) -> Iterator[bytes]:
        """Everything that was written, in pieces of up to a MiB."""
        self._file.seek(0)
        while piece := self._file.read(PIECE_BYTES):
            yield piece
