"""The form of a ZIP file, header by header: members in, the bytes around their content out.

Members are stored as they are, because evidence is mostly compressed already, because a stored member can be copied without
looking at it, and because there is then only one way to write it. Size and CRC-32 are known beforehand, so that no member needs
a trailing descriptor; every header is a function of the member alone, so that the same members give the same bytes.

Rules kept here (APPNOTE.TXT 6.3.10, sections 4.3 to 4.5):
 * names are UTF-8 and say so (bit 11);
 * ZIP64 fields stand where a number does not fit into 32 (or 16) bits, and nowhere else;
 * regular files with mode 0644, all with the same time stamp.

The content is not known here: whoever writes it puts `size` bytes behind each header.
"""

import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from record.archives.spool import Spool

_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_END_64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64: Final = struct.Struct("<4sLQL")
_END: Final = struct.Struct("<4s4H2LH")
_UTF8: Final = 0x0800
_STORED: Final = 0
_VERSION: Final = 20
_VERSION_64: Final = 45
_UNIX: Final = 3 << 8
_REGULAR_FILE: Final = 0o100644 << 16
_MOST_32: Final = 0xFFFFFFFF
_MOST_16: Final = 0xFFFF


class ZipLayout:
    """Where everything goes in one ZIP file. The directory at its end grows in a spool, not in memory."""

    def __init__(self, stamp: datetime) -> None:
        self.offset = 0
        self.count = 0
        self._time, self._date = _dos(stamp)
        self._directory = Spool()

    def close(self) -> None:
        self._directory.close()

    def member(self, path: str, *, size: int, crc32: int) -> bytes:
        """The header of the next member. Its content, of exactly this size, must follow."""
        name = path.encode()
        is_large = size >= _MOST_32
        extra = struct.pack("<2H2Q", 1, 16, size, size) if is_large else b""
        stated = _MOST_32 if is_large else size
        version = _VERSION_64 if is_large else _VERSION
        self._add_to_directory(name, size=size, crc32=crc32)
        self.count += 1
        self.offset += _LOCAL.size + len(name) + len(extra) + size
        header = _LOCAL.pack(
            b"PK\x03\x04", version, _UTF8, _STORED, self._time, self._date, crc32, stated, stated, len(name), len(extra)
        )  # fmt: skip
        return header + name + extra

    def end(self) -> Iterator[bytes]:
        """The directory and the records behind it."""
        yield from self._directory.pieces()
        size, start, count = self._directory.size, self.offset, self.count
        if count >= _MOST_16 or size >= _MOST_32 or start >= _MOST_32:
            yield _END_64.pack(
                b"PK\x06\x06", _END_64.size - 12, _UNIX | _VERSION_64, _VERSION_64, 0, 0, count, count, size, start
            )
            yield _LOCATOR_64.pack(b"PK\x06\x07", 0, start + size, 1)
        counted = min(count, _MOST_16)
        yield _END.pack(b"PK\x05\x06", 0, 0, counted, counted, min(size, _MOST_32), min(start, _MOST_32), 0)

    def _add_to_directory(self, name: bytes, *, size: int, crc32: int) -> None:
        offset = self.offset
        large = [number for number in (size, size, offset) if number >= _MOST_32]
        extra = struct.pack(f"<2H{len(large)}Q", 1, 8 * len(large), *large) if large else b""
        version = _VERSION_64 if large else _VERSION
        stated = min(size, _MOST_32)
        record = _CENTRAL.pack(
            b"PK\x01\x02", _UNIX | version, version, _UTF8, _STORED, self._time, self._date, crc32, stated, stated,
            len(name), len(extra), 0, 0, 0, _REGULAR_FILE, min(offset, _MOST_32),
        )  # fmt: skip
        self._directory.write(record + name + extra)


def _dos(stamp: datetime) -> tuple[int, int]:
    """Time and date as MS-DOS wrote them: two-second steps, years from 1980 to 2107."""
    moment = stamp.astimezone(UTC)
    if not 1980 <= moment.year <= 2107:
        moment = datetime(1980, 1, 1, tzinfo=UTC)
    time = moment.hour << 11 | moment.minute << 5 | moment.second // 2
    return time, (moment.year - 1980) << 9 | moment.month << 5 | moment.day
