"""What is worth telling: an entry in, the events that notices may be about out.

An event says by its `key` which one it is, so that it is the same event whenever and however often it is derived: an entry that
is looked at twice, an expiry that is noticed every minute, an environment that is judged again while it is silent. Instants come
from entries and arguments. Who is told is decided in `record.notices.rules`, how it is worded for a channel in `messages`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from record.clock import from_rfc3339, to_rfc3339
from record.ids import EntryIndex
from record.ledger.entries import Entry

ARTIFACTS_LISTED_MAX: Final = 100
"""Of the artifacts that one event is about; what goes beyond is counted."""


class Trigger(Enum):
    """What notices can be asked for. The value is the `type` of a webhook's body."""

    ENVIRONMENT_VERDICT_CHANGED = "environment.verdict_changed"
    ENVIRONMENT_STALE = "environment.stale"
    ARTIFACT_STARTED = "artifact.started"
    ARTIFACT_STOPPED = "artifact.stopped"
    APPROVAL_REQUESTED = "approval.requested"
    APPROVAL_REVIEWED = "approval.reviewed"
    WAIVER_EXPIRING = "waiver.expiring"
    KEY_EXPIRING = "key.expiring"
    TRAIL_BEGUN = "trail.begun"
    TRAIL_ATTESTED = "trail.attested"
    ARCHIVE_READY = "archive.ready"
    NOTICE_DISABLED = "notice.disabled"


SAMPLE: Final = "notice.sample"
"""The type of what `testNotice` sends. Nobody can ask for it beforehand."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened or is about to.

    `flows` None: it is about no flow; empty: about flows, none of which is known. `lines` are facts for people, each with its
    label. `only` is the one notice that it is for. `artifacts` are those that moved; narrowing leaves some of them.
    """

    type: str
    key: str
    at: datetime
    title: str
    lines: tuple[tuple[str, str], ...]
    data: Mapping[str, Any]
    flows: tuple[str, ...] | None = None
    environment: str | None = None
    entry_index: EntryIndex | None = None
    path: str | None = None
    only: UUID | None = None
    artifacts: tuple[Mapping[str, Any], ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """As it is kept until it is sent."""
        written: dict[str, Any] = {
            "type": self.type,
            "at": to_rfc3339(self.at),
            "title": self.title,
            "lines": [list(line) for line in self.lines],
            "data": dict(self.data),
        }
        if self.artifacts:
            written["data"] |= {
                "artifacts": [dict(each) for each in self.artifacts[:ARTIFACTS_LISTED_MAX]],
                "artifacts_omitted": max(0, len(self.artifacts) - ARTIFACTS_LISTED_MAX),
            }
        if self.entry_index is not None:
            written["entry_index"] = self.entry_index
        if self.path is not None:
            written["path"] = self.path
        return written


def events_of(entry: Entry) -> list[Event]:
    """The events that this entry makes; none for kinds that nobody is told about."""
    make = EVENTS.get(entry.kind)
    return [] if make is None else [replace(event, entry_index=entry.index) for event in make(entry)]


def narrowed(event: Event, flows: Collection[str] | None, environments: Collection[str] | None) -> Event | None:
    """What is left of an event for a notice about these flows and environments; None: nothing.

    A narrowing concerns only what is about such a thing: an expiring key passes either.
    """
    if environments is not None and event.environment is not None and event.environment not in environments:
        return None
    if flows is None or event.flows is None:
        return event
    if event.artifacts:
        kept = [artifact for artifact in event.artifacts if not set(flows).isdisjoint(artifact["flows"])]
        return _moved(event, kept) if kept else None
    return event if not set(flows).isdisjoint(event.flows) else None


def _snapshot(entry: Entry) -> list[Event]:
    """Artifacts that started and that stopped: one event each for all that an entry names."""
    body = entry.body
    found = []
    for trigger, change in ((Trigger.ARTIFACT_STARTED, "started"), (Trigger.ARTIFACT_STOPPED, "stopped")):
        moved = [
            {
                "fingerprint": member["fingerprint"],
                "name": member["name"],
                "instances": member["instances"] if change == "started" else 0,
                "flows": list(member.get("flows", ())),
            }
            for member in body["members"]
            if member["change"] == change
        ]
        if moved:
            data = {"environment": body["environment"], "snapshot": body["number"]}
            event = Event(trigger.value, str(entry.index), entry.at, change, (), data, environment=body["environment"])
            found.append(_moved(event, moved))
    return found


def _moved(event: Event, artifacts: Sequence[Mapping[str, Any]]) -> Event:
    what = artifacts[0]["name"] if len(artifacts) == 1 else f"{len(artifacts)} artifacts"
    verb = event.type.partition(".")[2]
    shown = ", ".join(str(artifact["name"]) for artifact in artifacts[:10]) + (", ..." if len(artifacts) > 10 else "")
    return replace(
        event,
        title=f"{what} {verb} in {event.environment}",
        lines=(("Artifacts", shown), ("Snapshot", f"{event.environment}#{event.data['snapshot']}")),
        flows=tuple(sorted({flow for artifact in artifacts for flow in artifact["flows"]})),
        artifacts=tuple(artifacts),
    )


def _judgement(entry: Entry) -> list[Event]:
    """An environment's verdict changed, or it fell silent, or both. A first verdict is news unless it is that there is none."""
    body = entry.body
    if body["subject"] != "environment":
        return []
    environment, status, previous = body["environment"], body["status"], body["previous"]
    data = {name: body[name] for name in _JUDGED if name in body}
    found = []
    if previous != status and (previous is not None or status != "UNKNOWN"):
        was = "" if previous is None else f" (was {previous})"
        found.append(
            Event(
                Trigger.ENVIRONMENT_VERDICT_CHANGED.value,
                str(entry.index),
                entry.at,
                f"{environment} is {status}{was}",
                tuple(("Reason", str(reason)) for reason in body["reasons"][:10]),
                data,
                environment=environment,
            )
        )
    if body["stale"]:
        since = body.get("stale_since")
        found.append(
            Event(
                Trigger.ENVIRONMENT_STALE.value,
                f"{body['environment_id']}/{since or entry.index}",
                entry.at,
                f"{environment} has fallen silent",
                (("Silent since", str(since or to_rfc3339(entry.at))), ("Last verdict", status)),
                data,
                environment=environment,
            )
        )
    return found


_JUDGED: Final[tuple[str, ...]] = (
    *("judgement_id", "environment_id", "environment", "number", "previous", "status", "stale", "stale_since"),
    *("instant", "cause", "holds_until", "reasons", "snapshot"),
)


def _trail(entry: Entry) -> list[Event]:
    """A trail begins once. Beginning it again only changes its details."""
    body = entry.body
    if body["version"] != 1:
        return []
    return [
        Event(
            Trigger.TRAIL_BEGUN.value,
            str(entry.index),
            entry.at,
            f"{body['flow']}/{body['name']} was begun",
            _told(("Commit", body.get("commit")), ("By", entry.by.principal), ("About", body["description"])),
            {
                "flow": body["flow"],
                "trail": body["name"],
                "trail_id": body["trail_id"],
                "by": entry.by.principal,
                **({"commit": body["commit"]} if "commit" in body else {}),
            },
            flows=(body["flow"],),
        )
    ]


def _attestation(entry: Entry) -> list[Event]:
    body = entry.body
    result, subject = body["result"], body["subject"]
    said = "is compliant" if result["compliant"] else "is not compliant"
    known = {name: subject[name] for name in ("fingerprint", "template_name", "commit") if subject.get(name)}
    return [
        Event(
            Trigger.TRAIL_ATTESTED.value,
            str(entry.index),
            entry.at,
            f"{body['name']} on {body['flow']}/{body['trail']} {said}",
            _told(("Type", body["type"]), ("Result", result["explanation"]), ("By", entry.by.principal)),
            {
                "flow": body["flow"],
                "trail": body["trail"],
                "trail_id": body["trail_id"],
                "attestation_id": str(entry.id),
                "name": body["name"],
                "type": body["type"],
                "compliant": result["compliant"],
                "explanation": result["explanation"],
                "by": entry.by.principal,
                **known,
            },
            flows=(body["flow"],),
        )
    ]


def _approval(entry: Entry) -> list[Event]:
    """A request, or what somebody did to one. Without a flow, it is about an artifact that no flow is known of."""
    body = entry.body
    asked = entry.kind == "approval.requested"
    what, where = body.get("name") or body["fingerprint"][:12], body["environment"]
    by = body.get("approved_by", entry.by.principal)
    if asked:
        title = f"Approval of {what} for {where} was requested"
    else:
        title = f"{what} was {_REVIEWED.get(body.get('act'), 'reviewed')} for {where}"
    return [
        Event(
            (Trigger.APPROVAL_REQUESTED if asked else Trigger.APPROVAL_REVIEWED).value,
            str(entry.index),
            entry.at,
            title,
            _told(
                ("By", by),
                ("For", body.get("requested_for")),
                ("Comment", body.get("comment")),
                ("About", body.get("description")),
                ("Fingerprint", body["fingerprint"]),
            ),
            {**{name: body[name] for name in _APPROVED if name in body}, "by": by},
            flows=(body["flow"],) if "flow" in body else (),
            environment=where,
        )
    ]


_REVIEWED: Final[Mapping[str | None, str]] = MappingProxyType(
    {"approve": "approved", "reject": "rejected", "comment": "commented on"}
)
_APPROVED: Final[tuple[str, ...]] = (
    *(
        "approval_id",
        "environment_id",
        "environment",
        "fingerprint",
        "name",
        "flow",
        "trail",
        "act",
        "state",
        "comment",
    ),
    *("description", "requested_for", "expires_at", "url", "reported"),
)


def _archive(entry: Entry) -> list[Event]:
    """About the flow or the environment that was asked about; about none where the question reaches over them."""
    body = entry.body
    question = body.get("question", {})
    return [
        Event(
            Trigger.ARCHIVE_READY.value,
            str(entry.index),
            entry.at,
            "An archive is ready",
            _told(
                *((name.capitalize(), question.get(name)) for name in _ASKED_ABOUT),
                ("Files", body["files"]),
                ("Bytes", body["size"]),
                ("SHA-256", body["sha256"]),
            ),
            {name: body[name] for name in _ARCHIVED if name in body},
            flows=(question["flow"],) if "flow" in question else None,
            environment=question.get("environment"),
            path=f"/archives/{body['archive_id']}.zip",
        )
    ]


_ASKED_ABOUT: Final[tuple[str, ...]] = ("flow", "trail", "environment", "framework", "control", "since", "until")
_ARCHIVED: Final[tuple[str, ...]] = ("archive_id", "question", "sha256", "size", "files", "checkpoint_size")


def _disabled(entry: Entry) -> list[Event]:
    body = entry.body
    return [
        Event(
            Trigger.NOTICE_DISABLED.value,
            str(entry.index),
            entry.at,
            f"The notice {body['name']} was disabled",
            _told(("Reason", body.get("disabled_because")), ("By", entry.by.principal)),
            {
                "notice_id": body["notice_id"],
                "notice": body["name"],
                "reason": body.get("disabled_because"),
                "by": entry.by.principal,
            },
        )
    ]


def _tested(entry: Entry) -> list[Event]:
    body = entry.body
    return [
        Event(
            SAMPLE,
            str(entry.index),
            entry.at,
            f"A sample of the notice {body['name']}",
            _told(("Asked for by", entry.by.principal)),
            {"notice_id": body["notice_id"], "notice": body["name"], "by": entry.by.principal},
            only=UUID(body["notice_id"]),
        )
    ]


EVENTS: Final[Mapping[str, Callable[[Entry], list[Event]]]] = MappingProxyType(
    {
        "snapshot.part": _snapshot,
        "snapshot.reported": _snapshot,
        "judgement.recorded": _judgement,
        "trail.begun": _trail,
        "attestation.recorded": _attestation,
        "approval.requested": _approval,
        "approval.reviewed": _approval,
        "archive.completed": _archive,
        "notice.disabled": _disabled,
        "notice.tested": _tested,
    }
)

_KINDS: Final[Mapping[Trigger, tuple[str, ...]]] = MappingProxyType(
    {
        Trigger.ENVIRONMENT_VERDICT_CHANGED: ("judgement.recorded",),
        Trigger.ENVIRONMENT_STALE: ("judgement.recorded",),
        Trigger.ARTIFACT_STARTED: ("snapshot.part", "snapshot.reported"),
        Trigger.ARTIFACT_STOPPED: ("snapshot.part", "snapshot.reported"),
        Trigger.APPROVAL_REQUESTED: ("approval.requested",),
        Trigger.APPROVAL_REVIEWED: ("approval.reviewed",),
        Trigger.TRAIL_BEGUN: ("trail.begun",),
        Trigger.TRAIL_ATTESTED: ("attestation.recorded",),
        Trigger.ARCHIVE_READY: ("archive.completed",),
        Trigger.NOTICE_DISABLED: ("notice.disabled",),
    }
)


def kinds_for(triggers: Collection[Trigger]) -> list[str]:
    """Kinds of entries that matter to these triggers. Time makes the others."""
    return sorted({kind for trigger in triggers for kind in _KINDS.get(trigger, ())})


def instant_of(event: Mapping[str, Any]) -> datetime:
    """When what a kept event tells happened."""
    return from_rfc3339(event["at"])


def _told(*lines: tuple[str, Any]) -> tuple[tuple[str, str], ...]:
    """Those that say something."""
    return tuple((label, str(value)) for label, value in lines if value not in (None, ""))
