"""Members into a ZIP file that is on its way to the vault, each noted for the manifest as it goes by.

Memory does not grow with the number of members: notes go to spools, content goes straight through.
"""

import zlib
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from hashlib import sha256
from types import TracebackType
from typing import Any, Final, Self

from muniment.proof import canonical
from record.archives.selection import EvidenceFile
from record.archives.spool import Spool
from record.archives.zipping import ZipLayout
from record.vault import PartWriter

MANIFEST: Final = "manifest.json"


class DamagedEvidence(Exception):  # noqa: N818 (a finding about the vault)
    """The vault does not hold what the record says. Trying again cannot help: a person must look."""


class Members:
    """Writes one ZIP file. Evidence is checked against its CRC-32 as it passes."""

    def __init__(self, parts: PartWriter, stamp: datetime) -> None:
        self._parts = parts
        self._layout = ZipLayout(stamp)
        self._files = Spool()
        self._evidence = Spool()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for each in (self._layout, self._files, self._evidence):
            each.close()

    @property
    def count(self) -> int:
        """How many members were written."""
        return self._layout.count

    async def add(self, path: str, data: bytes) -> None:
        """A member that fits into memory."""
        self._note(path, len(data), sha256(data).hexdigest())
        await self._parts.write(self._layout.member(path, size=len(data), crc32=zlib.crc32(data)))
        await self._parts.write(data)

    async def add_spool(self, path: str, spool: Spool) -> None:
        """A member that was spooled."""
        self._note(path, spool.size, spool.sha256)
        await self._copy(path, spool)

    async def add_evidence(self, file: EvidenceFile, chunks: AsyncIterator[bytes]) -> None:
        """A file of evidence, as it comes out of the vault; its SHA-256 and CRC-32 are those that were recorded."""
        _append(self._evidence, path=file.path, sha256=file.digest, size=file.size, entry=file.entry)
        self._note(file.path, file.size, file.digest)
        await self._parts.write(self._layout.member(file.path, size=file.size, crc32=file.crc32))
        crc32 = 0
        async for chunk in chunks:
            crc32 = zlib.crc32(chunk, crc32)
            await self._parts.write(chunk)
        if crc32 != file.crc32:
            raise DamagedEvidence(
                f"The evidence {file.name!r} of entry {file.entry} (sha256:{file.digest}) is not what was stored: its checksum "
                "differs. Run the scrubbing job, and restore the object from a copy of the vault."
            )

    async def finish(self, entries: Spool, told: dict[str, Any]) -> None:
        """The manifest and the directory. `entries` is the JSON of that member, `told` the members that are not lists of files."""
        with Spool() as manifest:
            # Canonical JSON sorts its members: entries, evidence, files come before ledger, organization, question, v.
            manifest.write(b'{"entries":')
            _pour(manifest, entries)
            manifest.write(b',"evidence":[')
            _pour(manifest, self._evidence)
            manifest.write(b'],"files":[')
            _pour(manifest, self._files)
            manifest.write(b"]," + canonical.encode(told)[1:])
            await self._copy(MANIFEST, manifest)
        for piece in self._layout.end():
            await self._parts.write(piece)

    async def _copy(self, path: str, spool: Spool) -> None:
        await self._parts.write(self._layout.member(path, size=spool.size, crc32=spool.crc32))
        for piece in spool.pieces():
            await self._parts.write(piece)

    def _note(self, path: str, size: int, digest: str) -> None:
        _append(self._files, path=path, sha256=digest, size=size)


def append_items(spool: Spool, items: Iterable[Any]) -> None:
    """Items of a JSON list, in canonical form, with a comma before each but the first of all."""
    for item in items:
        if spool.size:
            spool.write(b",")
        spool.write(canonical.encode(item))


def _append(spool: Spool, **item: Any) -> None:
    append_items(spool, (item,))


def _pour(target: Spool, source: Spool) -> None:
    for piece in source.pieces():
        target.write(piece)
