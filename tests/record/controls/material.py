"""Changes for tests of controls, written short."""

from datetime import datetime
from uuid import UUID

from record.controls.rules import Basis, Change, ChangeKind, Court, Place
from record.ids import EntryIndex, EnvironmentId, Fingerprint, LedgerSize
from record.policies.facts import ArtifactFacts
from record.policies.forms import Policy
from tests.record.policies.material import HOUR, NOON, SAVER

DEPLOYED = NOON - HOUR
PROD = EnvironmentId(UUID(int=1))


def deployment(index: int = 100, *, at: datetime = DEPLOYED, known: int | None = None, where: str = "prod") -> Change:
    """A deployment that was reported in this entry, when there were `known` entries."""
    return Change(
        ChangeKind.DEPLOYMENT,
        Place(at, EntryIndex(index), 0),
        PROD,
        where,
        Fingerprint(SAVER),
        "acme/saver:7",
        LedgerSize(index if known is None else known),
        "ada",
    )


def shadow(index: int = 100, *, at: datetime = DEPLOYED) -> Change:
    """A run that nobody reported."""
    place = Place(at, EntryIndex(index), 3)
    return Change(ChangeKind.SHADOW_CHANGE, place, PROD, "prod", Fingerprint(SAVER), "acme/saver:7", LedgerSize(index))


def court(facts: ArtifactFacts | None, *policies: Policy, now: datetime = NOON) -> Court:
    known = {} if facts is None else {SAVER: facts}
    return Court(known, {policy.name: policy for policy in policies}, now=now)


THEN, NOW = Basis.WHEN_DEPLOYED, Basis.NOW
