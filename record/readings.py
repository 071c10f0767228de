"""Every kind of entry and the rows that are read from it: the one list."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from record.access import readings as access
from record.approvals import readings as approvals
from record.archives import readings as archives
from record.artifacts import readings as artifacts
from record.attestations import readings as attestations
from record.controls import readings as controls
from record.deployments import readings as deployments
from record.environments import readings as environments
from record.evidence import readings as evidence
from record.flows import readings as flows
from record.judgements import readings as judgements
from record.ledger.append import idempotency_rows
from record.ledger.entries import Entry
from record.ledger.readings import Reading, Row
from record.notices import readings as notices
from record.policies import readings as policies
from record.scrubbing import readings as scrubbing
from record.trails import readings as trails
from record.waivers import readings as waivers

READINGS: Final[Mapping[str, Reading]] = MappingProxyType(
    {
        **access.READINGS,
        **flows.READINGS,
        **trails.READINGS,
        **artifacts.READINGS,
        **attestations.READINGS,
        **evidence.READINGS,
        **environments.READINGS,
        **deployments.READINGS,
        **policies.READINGS,
        **controls.READINGS,
        **judgements.READINGS,
        **notices.READINGS,
        **approvals.READINGS,
        **waivers.READINGS,
        **archives.READINGS,
        **scrubbing.READINGS,
    }
)


def rows_of(entry: Entry) -> list[Row]:
    """The rows that this entry makes, in a fixed order. Raises KeyError for a kind that nobody reads."""
    return [*READINGS[entry.kind](entry), *idempotency_rows(entry)]
