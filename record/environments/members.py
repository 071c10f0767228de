"""What a report says of the members of a snapshot, checked one by one: a malformed member is refused alone, by name, with a reason.

The same fingerprint several times in a report (three pods, two services with one image) is one member with the instances of all.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from types import MappingProxyType
from typing import Any, Final

from muniment.proof import canonical
from record.clock import from_rfc3339, to_rfc3339
from record.environments.rules import Member
from record.ids import Fingerprint, checked_fingerprint
from record.refusals import InvalidInput

MEMBERS_MAX: Final = 100_000
NAME_MAX: Final = 1_024
INSTANCES_MAX: Final = 1_000_000
FACTS_BYTES_MAX: Final = 4_096
"""Of one member as it is reported."""
LISTED_BYTES_MAX: Final = 24_000
"""Of the facts that are listed of one fingerprint; what goes beyond is counted."""
CREATED_LISTED_MAX: Final = 200

TYPES: Final = ("k8s", "docker", "server", "s3", "lambda", "ecs", "cloud-run", "azure-apps", "logical")
LOGICAL: Final = "logical"

KNOWN_FACTS: Final[Mapping[str, Mapping[str, tuple[type, ...]]]] = MappingProxyType(
    {
        "k8s": {"cluster": (str,), "namespace": (str,), "pod": (str,), "pods": (list,), "owners": (list,)},
        "docker": {"host": (str,), "container": (str,)},
        "server": {"host": (str,), "path": (str,)},
        "s3": {"bucket": (str,), "path": (str,)},
        "lambda": {"function": (str,), "version": (str,)},
        "ecs": {"cluster": (str,), "service": (str,), "task": (str,), "tasks": (list,)},
        "cloud-run": {"kind": (str,), "service": (str,), "revision": (str,), "job": (str,)},
        "azure-apps": {"app": (str,), "kind": (str,), "digestsSource": (str,)},
    }
)
"""Facts that have a meaning in an environment of a type, and what each must be. Others are kept as they are."""


@dataclass(frozen=True, slots=True)
class Reported:
    """A member as it was reported. Nothing of it is believed yet."""

    fingerprint: str | None = None
    name: str | None = None
    instances: int | None = None
    created: Sequence[str] = ()
    facts: Any = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A member that was left out: its place in the report from 0, what it called itself, and why."""

    place: int
    name: str
    why: str

    def to_json(self) -> dict[str, Any]:
        return {"place": self.place, "name": self.name, "why": self.why}


@dataclass(slots=True)
class _Sorted:
    members: dict[Fingerprint, list[Member]] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)


def read_members(kind: str, reported: Sequence[Reported]) -> tuple[dict[Fingerprint, Member], list[Refused]]:
    """The members of a report by fingerprint, without provenance; and those that are left out."""
    if len(reported) > MEMBERS_MAX:
        raise InvalidInput(
            f"{len(reported)} members are too many for one report. Report at most {MEMBERS_MAX}: divide the environment.",
            field="members",
        )
    found = _Sorted()
    for place, each in enumerate(reported):
        try:
            member = _checked(kind, each)
        except InvalidInput as refusal:
            called = each.name if isinstance(each.name, str) and each.name else f"member {place}"
            shown = "".join(letter if letter.isprintable() else "?" for letter in called[:200])
            found.refused.append(Refused(place, shown, refusal.message))
        else:
            found.members.setdefault(member.fingerprint, []).append(member)
    if reported and not found.members:
        first = found.refused[0]
        raise InvalidInput(
            f"None of the {len(reported)} members can be read, so nothing was recorded. The first, {first.name}: {first.why}",
            field="members",
        )
    return {fingerprint: _merged(same) for fingerprint, same in found.members.items()}, found.refused


def state_of(members: Mapping[Fingerprint, Member], *, partial: bool) -> str:
    """A digest of what numbers a snapshot: which digests run, what is known of where each came from, whether any is left out."""
    digest = hashlib.sha256(b"partial\n" if partial else b"whole\n")
    for fingerprint in sorted(members):
        digest.update(f"{fingerprint} {' '.join(members[fingerprint].flows)}\n".encode())
    return digest.hexdigest()


def _checked(kind: str, reported: Reported) -> Member:
    if not isinstance(reported.fingerprint, str) or not reported.fingerprint:
        raise InvalidInput("It names no digest. Report it again when its image or file has been fingerprinted.")
    fingerprint = checked_fingerprint(reported.fingerprint)
    if not isinstance(reported.name, str) or not reported.name or len(reported.name) > NAME_MAX:
        raise InvalidInput(f"Its name does not have 1 to {NAME_MAX} characters. Give the image's or file's name.")
    created = sorted((_instant(each) for each in reported.created), reverse=True)
    instances = max(len(created), 1) if reported.instances is None else reported.instances
    if isinstance(instances, bool) or not isinstance(instances, int) or not 1 <= instances <= INSTANCES_MAX:
        raise InvalidInput(f"{instances!r} is no count of instances. Give a whole number from 1 to {INSTANCES_MAX}.")
    facts = _facts(kind, reported.facts)
    listed = tuple(created[:CREATED_LISTED_MAX])
    return Member(fingerprint, _sayable(reported.name), instances, listed, (facts,) if facts else ())


def _sayable(name: str) -> str:
    try:
        canonical.encode(name)
    except canonical.CanonicalError as error:
        raise InvalidInput(f"Its name cannot be recorded: {error}") from error
    return name


def _instant(text: object) -> str:
    try:
        if not isinstance(text, str):
            raise ValueError
        instant = from_rfc3339(text)
        if instant.tzinfo is None:
            raise ValueError
        return to_rfc3339(instant.astimezone(UTC))
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{str(text)[:40]!r} is no instant of creation. Write it such as 2026-03-01T00:00:00Z."
        ) from None


def _facts(kind: str, facts: object) -> dict[str, Any]:
    if facts is None:
        return {}
    if not isinstance(facts, dict):
        raise InvalidInput("Its facts are not a JSON object. Give an object, such as {}.")
    for key, types in KNOWN_FACTS.get(kind, {}).items():
        if key in facts and not isinstance(facts[key], types):
            wanted = "a list" if list in types else "a text"
            raise InvalidInput(f"Its {key} is not {wanted}. Correct it, or leave it out.")
    try:
        size = len(canonical.encode(facts))
    except canonical.CanonicalError as error:
        raise InvalidInput(f"Its facts cannot be recorded: {error}") from error
    if size > FACTS_BYTES_MAX:
        raise InvalidInput(f"Its facts are {size} bytes. Give at most {FACTS_BYTES_MAX}.")
    return facts


def _merged(same: Sequence[Member]) -> Member:
    """One member from all that have its fingerprint: in whatever order they came, the outcome is the same."""
    if len(same) == 1:
        return same[0]
    name = min(member.name for member in same)
    facts: dict[str, Any] = {}
    for member in same:
        for each in member.facts or ({},):
            said = each if member.name == name else {**each, "name": member.name}
            if said:
                facts[json.dumps(said, sort_keys=True)] = said
    listed: list[Any] = []
    room = LISTED_BYTES_MAX
    for written in sorted(facts):
        room -= len(written) + 1
        if room < 0:
            break
        listed.append(facts[written])
    created = sorted((instant for member in same for instant in member.created), reverse=True)
    return replace(
        same[0],
        name=name,
        instances=min(sum(member.instances for member in same), 2**31 - 1),
        created=tuple(created[:CREATED_LISTED_MAX]),
        facts=tuple(listed),
        facts_omitted=len(facts) - len(listed),
    )
