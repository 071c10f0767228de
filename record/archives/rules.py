"""What may be asked of an archive, and who may ask: a wish in, a question out, or a refusal.

A question is about one trail, one artifact in all its trails, one flow or one environment (all of it, or what happened there
in a period), one control before the changes of a period, all changes of a period (an audit window; with a framework, before
its controls), or the whole organization. It says nothing about when it is asked; the ledger size that it is pinned to stands
beside it. So the same question at the same size is the same archive, byte for byte.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final

from record.access.rules import Action, Caller
from record.clock import from_rfc3339, to_rfc3339
from record.controls.rules import Window
from record.ids import (
    CONTROL_ID,
    ENVIRONMENT_NAME,
    FLOW_NAME,
    FRAMEWORK_NAME,
    TRAIL_NAME,
    Fingerprint,
    LedgerSize,
    checked_fingerprint,
    checked_name,
)
from record.refusals import InvalidInput


class ArchiveKind(Enum):
    """What an archive is about."""

    TRAIL = "trail"
    ARTIFACT = "artifact"
    FLOW = "flow"
    ENVIRONMENT = "environment"
    CONTROL = "control"
    WINDOW = "window"
    ORGANIZATION = "organization"


_NEEDED = {
    ArchiveKind.TRAIL: ("flow", "trail"),
    ArchiveKind.ARTIFACT: ("fingerprint",),
    ArchiveKind.FLOW: ("flow",),
    ArchiveKind.ENVIRONMENT: ("environment",),
    ArchiveKind.CONTROL: ("framework", "control", "since", "until"),
    ArchiveKind.WINDOW: ("since", "until"),
    ArchiveKind.ORGANIZATION: (),
}
_ALLOWED = {
    **_NEEDED,
    ArchiveKind.FLOW: ("flow", "since", "until"),
    ArchiveKind.ENVIRONMENT: ("environment", "since", "until"),
    ArchiveKind.WINDOW: ("framework", "since", "until"),
}
_NAMES = {
    "flow": (FLOW_NAME, "flow name"),
    "trail": (TRAIL_NAME, "trail name"),
    "environment": (ENVIRONMENT_NAME, "environment name"),
    "framework": (FRAMEWORK_NAME, "framework name"),
    "control": (CONTROL_ID, "control id"),
}
OF_CHANGES: Final = frozenset((ArchiveKind.ENVIRONMENT, ArchiveKind.CONTROL, ArchiveKind.WINDOW))
"""Kinds that hold the list of all changes of a period."""


@dataclass(frozen=True, slots=True)
class RequestArchive:
    """A wish for an archive. `since` is inclusive, `until` exclusive; `size` None: the ledger as it is now."""

    kind: ArchiveKind
    flow: str | None = None
    trail: str | None = None
    fingerprint: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    size: LedgerSize | None = None
    environment: str | None = None
    framework: str | None = None
    control: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What an archive answers."""

    kind: ArchiveKind
    flow: str | None = None
    trail: str | None = None
    fingerprint: Fingerprint | None = None
    since: datetime | None = None
    until: datetime | None = None
    environment: str | None = None
    framework: str | None = None
    control: str | None = None

    @property
    def window(self) -> Window:
        """The period that it is about; all time where it names none."""
        return Window(self.since or datetime.min.replace(tzinfo=UTC), self.until or datetime.max.replace(tzinfo=UTC))

    def to_json(self) -> dict[str, Any]:
        """As entries and manifests say it: what is not asked is not there."""
        told: dict[str, Any] = {
            "kind": self.kind.value,
            "flow": self.flow,
            "trail": self.trail,
            "fingerprint": self.fingerprint,
            "environment": self.environment,
            "framework": self.framework,
            "control": self.control,
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
            environment=told.get("environment"),
            framework=told.get("framework"),
            control=told.get("control"),
        )

    def sentence(self) -> str:
        """What was asked, for people."""
        period = f"{f' since {to_rfc3339(self.since)}' if self.since else ''}"
        period += f"{f' until {to_rfc3339(self.until)}' if self.until else ''}"
        match self.kind:
            case ArchiveKind.TRAIL:
                return f"everything about the trail {self.trail} of the flow {self.flow}"
            case ArchiveKind.ARTIFACT:
                return f"everything about the artifact sha256:{self.fingerprint}"
            case ArchiveKind.ENVIRONMENT:
                return f"everything about the environment {self.environment}{period}"
            case ArchiveKind.CONTROL:
                return f"the control {self.control} of {self.framework} before every change{period}"
            case ArchiveKind.WINDOW:
                before = f" before the controls of {self.framework}" if self.framework else ""
                return f"every change{period}{before}"
            case ArchiveKind.ORGANIZATION:
                return "everything that the organization recorded"
        return f"everything about the flow {self.flow}{period}"


def question_of(wish: RequestArchive) -> Question:
    """The question that the wish asks; refuses one that says too little, too much, or nothing sensible."""
    told = ("flow", "trail", "fingerprint", "environment", "framework", "control", "since", "until")
    given = {name for name in told if getattr(wish, name) is not None}
    for name in _NEEDED[wish.kind]:
        if name not in given:
            article = "an" if name[0] in "aeiou" else "a"
            raise InvalidInput(f"An archive of kind {wish.kind.value} needs {article} {name}. Give one.", field=name)
    for name in sorted(given - set(_ALLOWED[wish.kind])):
        raise InvalidInput(f"An archive of kind {wish.kind.value} knows no {name}. Leave it out.", field=name)
    for name, (pattern, called) in _NAMES.items():
        if name in given:
            checked_name(getattr(wish, name), pattern, field=called)
    for name, instant in (("since", wish.since), ("until", wish.until)):
        if instant is not None and instant.tzinfo is None:
            raise InvalidInput(f"{name} has no time zone. Write it such as 2026-03-01T00:00:00Z.", field=name)
    if wish.since is not None and wish.until is not None and wish.since >= wish.until:
        raise InvalidInput("The period ends before it begins. Give a since that is earlier than until.", field="until")
    fingerprint = None if wish.fingerprint is None else checked_fingerprint(wish.fingerprint)
    return Question(
        wish.kind,
        wish.flow,
        wish.trail,
        fingerprint,
        wish.since,
        wish.until,
        wish.environment,
        wish.framework,
        wish.control,
    )


def may_see(caller: Caller, question: Question) -> bool:
    """Whether this caller may ask this, and so take away what was answered."""
    return caller.may(Action.ARCHIVE, flow=question.flow)


def require_asking(caller: Caller, question: Question) -> None:
    """Refuses who may not. All but trails and flows reach over flows, so they need a role that is not narrowed."""
    caller.require(Action.ARCHIVE, flow=question.flow)
