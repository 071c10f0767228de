"""What a read is pinned to: an organization, a ledger size, an instant.

Taken once at the start of a request and handed to every query below it, so that one answer sees one moment without a
long transaction, and "as it stood on 1 March" is the same code with a smaller size and an earlier instant.
"""

from dataclasses import dataclass
from datetime import datetime

from record.ids import LATEST, LedgerSize, OrgId


@dataclass(frozen=True, slots=True)
class Moment:
    """Queries see entries with `entry_index < size`; only expiry looks at `instant`."""

    org_id: OrgId
    size: LedgerSize
    instant: datetime

    @classmethod
    def latest(cls, org_id: OrgId, instant: datetime) -> "Moment":
        """Everything that is committed: what a service decides by before it appends."""
        return cls(org_id, LATEST, instant)
