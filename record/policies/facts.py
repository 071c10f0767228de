"""What a policy's verdict is reached from: everything known of an artifact, in whatever order.

The facts stand apart from the rules because several queries feed them: trails and attestations, approvals, waivers, and what
ran where.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from record.ids import EntryIndex
from record.trails.facts import ArtifactFact, TrailFacts


class Membership(NamedTuple):
    """One report of the artifact into a trail, and all that is known of that trail."""

    flow: str
    flow_tags: Mapping[str, str]
    trail: TrailFacts
    artifact: ArtifactFact


@dataclass(frozen=True, slots=True)
class ApprovalFact:
    """A request to put the artifact into an environment, and who approved it.

    `approved_by` is who, when, and in which entry. `authors` wrote the commits in the request's range; empty when nobody knows.
    """

    entry_index: EntryIndex
    fingerprint: str
    environment: str
    approved_by: tuple[tuple[str, datetime, EntryIndex], ...]
    requested_by: str
    authors: tuple[str, ...]
    state: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class WaiverFact:
    """A dated exception in an environment: of an artifact, of a rule (`Policy.rule_keys`), or of a rule for an artifact."""

    entry_index: EntryIndex
    waiver_id: str
    environment: str
    fingerprint: str | None
    rule: str | None
    accepted_by: str
    reason: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class RunFact:
    """An interval in which the artifact ran somewhere; `until` None while it does."""

    environment: str
    fingerprint: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class ArtifactFacts:
    """An artifact under the name by which it runs, with everything that a policy may ask about.

    `attested_at` (for `max-age`) and `counts` (whole numbers of summaries, for `where`) are by the entry of the attestation;
    what is not in them is absent, or nobody asked for it.
    """

    fingerprint: str
    name: str
    memberships: tuple[Membership, ...] = ()
    approvals: tuple[ApprovalFact, ...] = ()
    waivers: tuple[WaiverFact, ...] = ()
    runs: tuple[RunFact, ...] = ()
    attested_at: Mapping[EntryIndex, datetime] = field(default_factory=dict)
    counts: Mapping[EntryIndex, Mapping[str, int]] = field(default_factory=dict)
