"""What may be asked of an archive, and who may ask: a wish in, a question out, or a refusal.

A question is about one trail, one artifact in all its trails, one flow (all of it, or what happened there in a period), or the
whole organization. It says nothing about when it is asked; the ledger size that it is pinned to stands beside it. So the same
question at the same size is the same archive, byte for byte.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from record.access.rules import Action, Caller
from record.clock import from_rfc3339, to_rfc3339
from record.ids import FLOW_NAME, TRAIL_NAME, Fingerprint, LedgerSize, checked_fingerprint, checked_name
from record.refusals import InvalidInput


class ArchiveKind(Enum):
    """What an archive is about."""

    TRAIL = "trail"
    ARTIFACT = "artifact"
    FLOW = "flow"
    ORGANIZATION = "organization"


_NEEDED = {
    ArchiveKind.TRAIL: ("flow", "trail"),
    ArchiveKind.ARTIFACT: ("fingerprint",),
    ArchiveKind.FLOW: ("flow",),
    ArchiveKind.ORGANIZATION: (),
}
_ALLOWED = {**_NEEDED, ArchiveKind.FLOW: ("flow", "since", "until")}


@dataclass(frozen=True, slots=True)
class RequestArchive:
    """A wish for an archive. `since` is inclusive, `until` exclusive, both for flows only; `size` None: the ledger as it is now."""

    kind: ArchiveKind
    flow: str | None = None
    trail: str | None = None
    fingerprint: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    size: LedgerSize | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What an archive answers."""

    kind: ArchiveKind
    flow: str | None = None
    trail: str | None = None
    fingerprint: Fingerprint | None = None
    since: datetime | None = None
    until: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """As entries and manifests say it: what is not asked is not there."""
        told: dict[str, Any] = {
            "kind": self.kind.value,
            "flow": self.flow,
            "trail": self.trail,
            "fingerprint": self.fingerprint,
            "since": None if self.since is None else to_rfc3339(self.since),
            "until": None if self.until is None else to_rfc3339(self.until),
        }
        return {name: value for name, value in told.items() if value is not None}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Question":
        since, until = told.get("since"), told.get("until")
        return cls(
            kind=ArchiveKind(told["kind"]),
            flow=told.get("flow"),
            trail=told.get("trail"),
            fingerprint=told.get("fingerprint"),
            since=None if since is None else from_rfc3339(since),
            until=None if until is None else from_rfc3339(until),
        )

    def sentence(self) -> str:
        """What was asked, for people."""
        match self.kind:
            case ArchiveKind.TRAIL:
                return f"everything about the trail {self.trail} of the flow {self.flow}"
            case ArchiveKind.ARTIFACT:
                return f"everything about the artifact sha256:{self.fingerprint}"
            case ArchiveKind.ORGANIZATION:
                return "everything that the organization recorded"
        period = f"{f' since {to_rfc3339(self.since)}' if self.since else ''}"
        period += f"{f' until {to_rfc3339(self.until)}' if self.until else ''}"
        return f"everything about the flow {self.flow}{period}"


def question_of(wish: RequestArchive) -> Question:
    """The question that the wish asks; refuses one that says too little, too much, or nothing sensible."""
    given = {
        name
        for name in ("flow", "trail", "fingerprint", "since", "until")
        if getattr(wish, name) is not None
    }  # fmt: skip
    for name in _NEEDED[wish.kind]:
        if name not in given:
            raise InvalidInput(f"An archive of kind {wish.kind.value} needs a {name}. Give one.", field=name)
    for name in sorted(given - set(_ALLOWED[wish.kind])):
        raise InvalidInput(f"An archive of kind {wish.kind.value} knows no {name}. Leave it out.", field=name)
    if wish.flow is not None:
        checked_name(wish.flow, FLOW_NAME, field="flow name")
    if wish.trail is not None:
        checked_name(wish.trail, TRAIL_NAME, field="trail name")
    for name, instant in (("since", wish.since), ("until", wish.until)):
        if instant is not None and instant.tzinfo is None:
            raise InvalidInput(f"{name} has no time zone. Write it such as 2026-03-01T00:00:00Z.", field=name)
    if wish.since is not None and wish.until is not None and wish.since >= wish.until:
        raise InvalidInput("The period ends before it begins. Give a since that is earlier than until.", field="until")
    fingerprint = None if wish.fingerprint is None else checked_fingerprint(wish.fingerprint)
    return Question(wish.kind, wish.flow, wish.trail, fingerprint, wish.since, wish.until)


def may_see(caller: Caller, question: Question) -> bool:
    """Whether this caller may ask this, and so take away what was answered."""
    return caller.may(Action.ARCHIVE, flow=question.flow)


def require_asking(caller: Caller, question: Question) -> None:
    """Refuses who may not. Artifacts and the organization reach over flows, so they need a role that is not narrowed to some."""
    caller.require(Action.ARCHIVE, flow=question.flow)
