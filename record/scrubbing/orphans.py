"""Objects in the vault that no entry names: what is left when we die between a write to the vault and the entry about it.

They are not evidence, because nobody's record says so, and they are locked, so they cannot be removed before their time. They are
reported, so that nobody wonders later what they are. Whoever uploads the same bytes again turns one into evidence.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from record.archives.queries import keys_among as archives_among
from record.evidence.queries import keys_among as evidence_among
from record.ids import OrgId
from record.ledger.queries import organizations
from record.record import Record

PREFIXES: Final = ("sha256/", "archives/")
YOUNG: Final = timedelta(hours=1)
"""An upload may be on its way to its entry for that long."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """An object that no entry names; `stored_at` is the store's word."""

    key: str
    size: int
    stored_at: datetime

    def __str__(self) -> str:
        return (
            f"No entry names {self.key} ({self.size} bytes, stored at {self.stored_at:%Y-%m-%d %H:%M:%S} UTC). It is not evidence; "
            "an upload was interrupted before it was recorded. Upload the same bytes again if they are wanted."
        )


async def orphans(record: Record, *, older_than: timedelta = YOUNG) -> AsyncIterator[Orphan]:
    """Every object of evidence or archives that no organization's entries name.

    Two statements for each organization and each thousand objects.
    """
    before = record.clock.now() - older_than
    async with record.database.operations() as connection:
        everyone = await organizations(connection)
    for prefix in PREFIXES:
        async for keys in _pages(record, prefix):
            unnamed = set(keys)
            for org_id in everyone:
                unnamed -= await _named(record, org_id, unnamed)
            for key in sorted(unnamed):
                facts = await record.vault.stat(key, None)
                if facts is not None and facts.modified_at < before:
                    yield Orphan(key, facts.size, facts.modified_at)


async def _pages(record: Record, prefix: str) -> AsyncIterator[list[str]]:
    last: str | None = None
    while keys := await record.vault.list(prefix, start_after=last):
        yield keys
        last = keys[-1]


async def _named(record: Record, org_id: OrgId, keys: Iterable[str]) -> set[str]:
    """Those of these keys that entries of this organization name."""
    asked = [key for key in keys if _may_belong(key, org_id)]
    if not asked:
        return set()
    async with record.database.connection(org_id) as connection:
        return await evidence_among(connection, org_id, asked) | await archives_among(connection, org_id, asked)


def _may_belong(key: str, org_id: OrgId) -> bool:
    """Evidence may be anybody's; archives have their organization in the key."""
    head, _, rest = key.partition("/")
    if head != "archives":
        return True
    try:
        return UUID(rest.partition("/")[0]) == org_id
    except ValueError:
        return False
