"""An archive's members, whether they lie in a ZIP file or in a directory where somebody unpacked it.

A ZIP file can show different members to different programs: names twice, bytes that no member owns, headers that
contradict each other. An archive that is evidence must not, so a ZIP is read strictly here: members stored as they are, one
after another from the first byte on, described twice in the same words, and nothing else in the file.

Whether the members are the right ones is `muniment.proof.archive`'s question.
"""

from __future__ import annotations

import io
import os
import stat
import struct
import unicodedata
import zipfile
import zlib
from pathlib import Path
from typing import IO, BinaryIO, Protocol

# What zipfile raises on broken or hostile files, besides its own BadZipFile.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    IndexError,
    EOFError,
    OSError,
)
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_END_RECORD = struct.Struct("<4s4H2LH")
_END_RECORD_64 = struct.Struct("<4sQ2H2L4Q")
_END_LOCATOR_64 = struct.Struct("<4sLQL")
_FLAG_DESCRIPTOR = 0x0008
_FLAG_UTF8 = 0x0800
_ZIP64_EXTRA = 0x0001
_SENTINEL_32 = 0xFFFFFFFF
_WINDOWS_DEVICES = {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)}


class ContainerError(ValueError):
    """The container, or one member of it, cannot be read."""


class MemberStream:
    """A member being read, whose read errors are ContainerErrors. Use it as a context manager."""

    def __init__(self, member: IO[bytes]) -> None:
        self._member = member

    def __enter__(self) -> MemberStream:
        return self

    def __exit__(self, *_: object) -> None:
        self._member.close()

    def read(self, size: int = -1) -> bytes:
        try:
            return self._member.read(size)
        except _ZIP_ERRORS as error:
            raise ContainerError(f"It cannot be read ({error}).") from None

    def readline(self, size: int = -1) -> bytes:
        try:
            return self._member.readline(size)
        except _ZIP_ERRORS as error:
            raise ContainerError(f"It cannot be read ({error}).") from None


class Container(Protocol):
    """Members by name. `problems` are the (where, fact) pairs that make the container unfit as evidence."""

    names: tuple[str, ...]
    ordered: bool
    problems: list[tuple[str, str]]

    def size(self, name: str) -> int: ...
    def open(self, name: str) -> MemberStream: ...
    def close(self) -> None: ...


def open_container(path: str) -> Container:
    """The archive at `path`, a ZIP file or a directory. Raises ContainerError if it is neither."""
    if Path(path).is_dir():
        return DirectoryContainer(path)
    try:
        return ZipContainer(path)
    except _ZIP_ERRORS as error:
        raise ContainerError(f"It cannot be read as a ZIP file ({error}).") from None


def unsafe_name_reason(name: str) -> str | None:
    """Why a member must not be called so on some system, or None if the name is fine everywhere."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return "The name is not valid Unicode."
    if any(unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp") for character in name):
        return "The name holds invisible characters."
    if any(character in '\\:*?"<>|' for character in name):
        return "The name holds a character that some systems give a meaning of its own."
    for part in name.split("/"):
        if part in ("", ".", ".."):
            return "The name leads out of the archive, or is not in its plain form."
        if part[-1] in ". ":
            return "A part of the name ends with a dot or a space, which some systems drop."
        if part.split(".")[0].lower() in _WINDOWS_DEVICES:
            return "A part of the name means a device on some systems."
    return None


class DirectoryContainer:
    """The regular files below a directory."""

    def __init__(self, path: str) -> None:
        self._root = Path(path)
        self.ordered = False
        self.problems: list[tuple[str, str]] = []
        found = []
        for folder, folders, files in os.walk(path, followlinks=False):
            for name in folders + files:
                whole = Path(folder) / name
                relative = whole.relative_to(self._root).as_posix()
                mode = whole.lstat().st_mode
                if stat.S_ISREG(mode):
                    found.append(relative)
                    if unsafe_name_reason(relative):
                        self.problems.append((relative, unsafe_name_reason(relative) or ""))
                elif not stat.S_ISDIR(mode):
                    self.problems.append((relative, "It is a link or a device, not a file."))
        self.names = tuple(sorted(found))

    def size(self, name: str) -> int:
        return (self._root / name).stat().st_size

    def open(self, name: str) -> MemberStream:
        try:
            return MemberStream((self._root / name).open("rb"))
        except OSError as error:
            raise ContainerError(f"It cannot be read ({error.strerror}).") from None

    def close(self) -> None:
        """Nothing is held open."""


class ZipContainer:
    """The members of a ZIP file, after a strict look at how the file is laid out."""

    def __init__(self, path: str) -> None:
        self._file: BinaryIO = Path(path).open("rb")  # noqa: SIM115 (held open until `close`)
        try:
            self._zip = zipfile.ZipFile(self._file)
            self.ordered = True
            self.problems: list[tuple[str, str]] = []
            members = self._zip.infolist()
            self.names = tuple(member.orig_filename for member in members)
            self._members = {member.orig_filename: member for member in members}
            self._look_at_names()
            self._look_at_layout(members)
        except BaseException:
            self._file.close()
            raise

    def size(self, name: str) -> int:
        return self._members[name].file_size

    def open(self, name: str) -> MemberStream:
        member = self._members[name]
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
            raise ContainerError("It is compressed or encrypted, so it is not read.")
        try:
            return MemberStream(self._zip.open(member))
        except _ZIP_ERRORS as error:
            raise ContainerError(f"It cannot be read ({error}).") from None

    def close(self) -> None:
        self._zip.close()
        self._file.close()

    def _look_at_names(self) -> None:
        seen: set[str] = set()
        for name in self.names:
            reason = unsafe_name_reason(name)
            if reason:
                self.problems.append((name, reason))
            folded = unicodedata.normalize("NFC", name).casefold()
            if folded in seen:
                self.problems.append((name, "More than one member has this name, or differs from it only in case."))
            seen.add(folded)

    def _look_at_layout(self, members: list[zipfile.ZipInfo]) -> None:
        place = 0
        for member in members:
            if member.header_offset != place:
                self._misplaced(member, place)
            fact, place = self._member_fact_and_end(member)
            if fact:
                self.problems.append((member.orig_filename, fact))
        start: int = self._zip.start_dir
        if start != place:
            self.problems.append(("the ZIP file", f"{start - place} bytes before its directory belong to no member."))
        self._file.seek(0, io.SEEK_END)
        fact = self._end_fact(start, self._file.tell(), len(members))
        if fact:
            self.problems.append(("the ZIP file", fact))

    def _misplaced(self, member: zipfile.ZipInfo, place: int) -> None:
        gap = member.header_offset - place
        if gap > 0:
            where = "before its first member" if place == 0 else f"before {member.orig_filename}"
            self.problems.append(("the ZIP file", f"{gap} bytes {where} belong to no member."))
        else:
            self.problems.append((member.orig_filename, "It overlaps the member before it."))

    def _member_fact_and_end(self, member: zipfile.ZipInfo) -> tuple[str | None, int]:
        """What is wrong with one member's two headers, if anything, and where the member ends."""
        self._file.seek(member.header_offset)
        header = self._file.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
            return "Its header is broken.", member.header_offset
        _, _, flags, method, time, date, crc, packed, size, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
        name = self._file.read(name_bytes)
        extra = self._file.read(extra_bytes)
        end = self._file.tell() + member.compress_size
        told_later = bool(flags & _FLAG_DESCRIPTOR)
        stated = (crc, packed, size)
        actual = (member.CRC, member.compress_size, member.file_size)
        if told_later:
            end = self._descriptor_end(end, actual)
        elif _SENTINEL_32 in stated[1:]:
            stated = (crc, *_zip64_sizes(extra, packed, size))
        moment = (date >> 9) + 1980, date >> 5 & 15, date & 31, time >> 11, time >> 5 & 63, (time & 31) * 2
        charset = "utf-8" if flags & _FLAG_UTF8 else "cp437"
        fact = _oddity(member)
        if (flags, method, moment) != (member.flag_bits, member.compress_type, member.date_time):
            fact = "Its header and the directory contradict each other."
        elif name.decode(charset, "replace") != member.orig_filename:
            fact = "Its header gives it another name than the directory."
        elif any(a not in (b, 0, _SENTINEL_32) if told_later else a != b for a, b in zip(stated, actual)):
            fact = "Its header states another size or checksum than the directory."
        elif end < 0:
            fact, end = "Its trailing descriptor contradicts the directory.", -end
        elif not _only_zip64(extra):
            fact = "Its header holds an extra field that archives do not have."
        return fact, end

    def _descriptor_end(self, data_end: int, actual: tuple[int, int, int]) -> int:
        """Where the descriptor behind a member's data ends; negative if none of its four possible forms is there."""
        self._file.seek(data_end)
        found = self._file.read(24)
        for mark in (b"PK\x07\x08", b""):
            for form in ("<3L", "<L2Q"):
                try:
                    descriptor = mark + struct.pack(form, *actual)
                except struct.error:
                    continue
                following = found[len(descriptor) : len(descriptor) + 2]
                if found.startswith(descriptor) and (following == b"PK" or len(descriptor) == 24):
                    return data_end + len(descriptor)
        return -data_end

    def _end_fact(self, start: int, file_size: int, count: int) -> str | None:
        """What is wrong with the end of the file, if anything: it must be the directory and its end records alone."""
        broken = "Bytes behind its directory belong to nothing, or its end records contradict the directory."
        end_64 = _END_RECORD_64.size + _END_LOCATOR_64.size
        self._file.seek(max(start, file_size - _END_RECORD.size - end_64))
        tail = self._file.read()
        mark, disk, start_disk, count_here, count_all, size, offset, comment = _END_RECORD.unpack(
            tail[-_END_RECORD.size :]
        )
        if mark != b"PK\x05\x06" or comment:
            return broken
        directory_end = file_size - _END_RECORD.size
        record_64 = tail[: -_END_RECORD.size][-end_64:]
        is_64 = record_64[:4] == b"PK\x06\x06" and len(record_64) == end_64
        if is_64:
            directory_end -= end_64
        actual = (0, 0, count, count, directory_end - start, start)
        stated = (disk, start_disk, count_here, count_all, size, offset)
        sentinels = (0xFFFF,) * 4 + (_SENTINEL_32,) * 2 if is_64 else actual
        if any(each not in (real, sentinel) for each, real, sentinel in zip(stated, actual, sentinels)):
            return broken
        if is_64:
            _, length, _, _, *stated_64 = _END_RECORD_64.unpack(record_64[: _END_RECORD_64.size])
            locator = _END_LOCATOR_64.pack(b"PK\x06\x07", 0, directory_end, 1)
            if length != 44 or tuple(stated_64) != actual or record_64[_END_RECORD_64.size :] != locator:
                return broken
        return None if self._walked(start, count) == directory_end else broken

    def _walked(self, start: int, count: int) -> int:
        """Where the directory ends by the lengths of its own records, which zipfile does not insist on."""
        place = start
        for _ in range(count):
            self._file.seek(place + 28)
            lengths = self._file.read(6)
            place += 46 + sum(struct.unpack("<3H", lengths)) if len(lengths) == 6 else 0
        return place


def _oddity(member: zipfile.ZipInfo) -> str | None:
    """What the directory says about a member that it never says in an archive."""
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "It would be unpacked as a link or a device, not as a file."
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & ~(_FLAG_DESCRIPTOR | _FLAG_UTF8):
        return "It is compressed, encrypted or otherwise not stored as it is."
    if member.comment or member.volume or not _only_zip64(member.extra):
        return "The directory holds a comment or an extra field for it, which archives do not have."
    return None


def _only_zip64(extra: bytes) -> bool:
    place = 0
    while place + 4 <= len(extra):
        field, length = struct.unpack_from("<2H", extra, place)
        if field != _ZIP64_EXTRA:
            return False
        place += 4 + length
    return place == len(extra)


def _zip64_sizes(extra: bytes, packed: int, size: int) -> tuple[int, int]:
    """(packed, size) of a local header whose 32-bit fields are too small."""
    if len(extra) >= 20 and extra[:2] == b"\x01\x00":
        size, packed = struct.unpack_from("<2Q", extra, 4)
    return packed, size
