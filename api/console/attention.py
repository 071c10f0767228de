"""What needs someone now: gathered from the answer of the home page, the most pressing first.

Nothing is decided here: each is something that the record says already (a verdict, a silence, a drift, an end that comes near), put
where a person looks first.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from api.console.events import DRIFTS

SOON: Final = timedelta(days=14)
"""How near an end must be to be worth a line."""
DRIFTS_TOLD: Final = 3
"""How many drifts of an environment have lines of their own; the document asks for one more."""
_ORDER: Final = {"bad": 0, "open": 1, "none": 2}


@dataclass(frozen=True, slots=True)
class Need:
    """One line. `urgency` is the class of a mark; `page` and `address` say where to go."""

    urgency: str
    what: str
    name: str
    said: str
    page: str | None = None
    address: Mapping[str, Any] = field(default_factory=dict)
    anchor: str = ""
    at: str | None = None


def needs_of(record: Mapping[str, Any]) -> list[Need]:
    """What waits for somebody, by the answer of the home page."""
    now = datetime.fromisoformat(record["instant"])
    found = [
        *_environments(record["environments"]["nodes"]),
        *_approvals(record),
        *_waivers(record["excused"]["nodes"], now),
        *_notices(record.get("notices", {}).get("nodes", ())),
        *_archives(record.get("archives", {}).get("nodes", ())),
        *_keys(record.get("principals", ()), now),
    ]
    return sorted(found, key=lambda need: _ORDER[need.urgency])


def _environments(environments: Sequence[Mapping[str, Any]]) -> Iterator[Need]:
    for each in environments:
        name = each["name"]
        address = {"environment": name}
        standing = each["standing"]
        status, current = standing["status"], standing["current"]
        at = None if current or standing["judgement"] is None else standing["judgement"]["instant"]
        if status == "NON_COMPLIANT":
            yield Need(
                "bad",
                "Not compliant:",
                name,
                "What runs there breaks a policy." if current else "It was when it was judged last,",
                "environment",
                address,
                "#why",
                at,
            )
        elif status == "INCOMPLETE":
            yield Need(
                "open",
                "Incomplete:",
                name,
                "Evidence is missing for what runs there." if current else "It was when it was judged last,",
                "environment",
                address,
                "#why",
                at,
            )
        if each["stale"]:
            yield Need(
                "open",
                "Silent:",
                name,
                "It should have reported what runs by",
                "environment",
                address,
                at=each["stale"],
            )
        for drift in each["drift"][:DRIFTS_TOLD]:
            what = f"{DRIFTS.get(drift['kind'], drift['kind'])} in {name}:"
            yield Need("open", what, drift["name"], drift["explanation"], "environment", address, "#drift")
        if len(each["drift"]) > DRIFTS_TOLD:
            yield Need("open", "More drifts in", name, "Its page lists them.", "environment", address, "#drift")


def _approvals(record: Mapping[str, Any]) -> Iterator[Need]:
    for each in record["pending"]["nodes"]:
        name = f"{each['name']} to {each['environmentName']}"
        said = f"{each['requestedFor'] or each['requestedBy']} asked for it"
        yield Need("open", "Approval waits:", name, said, "approval", {"id": each["id"]}, at=each["requestedAt"])
    for each in record["asked"]["nodes"]:
        name = f"{each['name'] or 'a rule'} in {each['environmentName']}"
        said = f"{each['requestedBy']} asked for it (\u201c{each['reason']}\u201d)"
        yield Need("open", "Waiver waits:", name, said, "approvals", {}, "#waivers", each["requestedAt"])


def _waivers(waivers: Sequence[Mapping[str, Any]], now: datetime) -> Iterator[Need]:
    for each in waivers:
        if datetime.fromisoformat(each["expiresAt"]) <= now + SOON:
            name = f"{each['name'] or 'a rule'} in {each['environmentName']}"
            said = f"It was granted for this reason: {each['reason']}. It ends"
            yield Need("open", "Waiver ends:", name, said, "approvals", {}, "#waivers", each["expiresAt"])


def _notices(notices: Sequence[Mapping[str, Any]]) -> Iterator[Need]:
    for each in notices:
        since = each["health"]["failingSince"]
        if since and not each["disabled"]:
            said = f"{each['health']['waiting']} deliveries wait; it fails since"
            yield Need(
                "bad", "Notice is not delivered:", each["name"], said, "notice", {"notice": each["name"]}, at=since
            )


def _archives(archives: Sequence[Mapping[str, Any]]) -> Iterator[Need]:
    for each in archives:
        if each["status"] == "FAILED":
            named = ("trailName", "flowName", "environmentName", "control")
            about = next((each[name] for name in named if each[name]), (each["fingerprint"] or "everything")[:12])
            yield Need("bad", "Archive failed:", about, each["failure"] or "", "archive", {"id": each["id"]})


def _keys(principals: Sequence[Mapping[str, Any]], now: datetime) -> Iterator[Need]:
    for principal in principals:
        if principal["disabled"]:
            continue
        for key in principal["keys"]:
            end = key["expiresAt"]
            if end and not key["revokedAt"] and now < datetime.fromisoformat(end) <= now + SOON:
                said = f"A key of {principal['name']} stops opening anything"
                yield Need("none", "Key expires:", key["description"], said, "settings", {}, "#keys", end)
