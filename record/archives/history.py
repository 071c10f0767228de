"""What happened in an environment in the period of its archive, for `index.html`: its entries in sentences, and its drift.

    what happened    one row for each entry about it in the period: policies, waivers, approvals, deployments, snapshots, verdicts
    drift            one row for each drift that began in the period, derived from deployments and snapshots that are inside
    policies         those that were attached when the period ended, each in the version of then

Rows are written on the way, the first `ROWS_SHOWN` of each table; the entries have all, and each row points at its proof.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from record.archives import pages, sections
from record.archives.pages import DriftRow, Happened, PolicyInForce
from record.archives.rules import ArchiveKind
from record.archives.selection import Selection
from record.archives.spool import Spool
from record.database import Database
from record.drift import queries as drift
from record.drift.rules import DriftEvent
from record.environments import queries as environments
from record.environments.queries import Environment
from record.ids import LedgerSize
from record.ledger.entries import Entry
from record.ledger.queries import size_at
from record.moment import Moment
from record.policies import queries as policies

ROWS_SHOWN: Final = 2_000
DRIFTS_A_PAGE: Final = 200
Body = Mapping[str, Any]


@dataclass(slots=True)
class History:
    """What the page tells of an environment's period. Counts are of everything, spools of what is shown."""

    happened: Spool
    drifted: Spool
    in_force: list[PolicyInForce] = field(default_factory=list)
    happened_count: int = 0
    drift_count: int = 0

    @property
    def figures(self) -> pages.History:
        """What the page says beside the rows."""
        return pages.History(
            in_force=self.in_force,
            happened=self.happened_count,
            drifts=self.drift_count,
            is_cut=self.happened_count > ROWS_SHOWN,
            is_drift_cut=self.drift_count > ROWS_SHOWN,
        )


async def told(database: Database, chosen: Selection, kept: ExitStack) -> History | None:
    """Goes through the archive's entries once; None for questions that are not about an environment. `kept` closes the spools."""
    question, moment = chosen.question, chosen.moment
    if question.kind is not ArchiveKind.ENVIRONMENT or chosen.entries is None or question.environment is None:
        return None
    async with database.connection(moment.org_id) as connection:
        place = await environments.by_name(connection, moment, question.environment)
        assert place is not None, "what is archived was there"
        found = await environments.by_ids(connection, moment, place.places)
    parts = [each for each in found if each is not None and not each.is_logical]
    history = History(kept.enter_context(Spool()), kept.enter_context(Spool()))
    names = {place.name, *(part.name for part in parts)}
    async for page in sections.entry_pages(database, moment, chosen.entries):
        entries = [each.decoded() for each in page if each.kind in SENTENCES]
        _happened(history, [each for each in entries if _concerns(each, names, chosen)])
    async for events in _drifts(database, chosen, parts):
        _drifted(history, events, {part.environment_id: part.name for part in parts})
    history.in_force += await _in_force(database, moment, question.until, [place, *parts])
    return history


def _concerns(entry: Entry, names: set[str], chosen: Selection) -> bool:
    """Whether it happened in the period, to one of these environments or to a policy of theirs."""
    window = chosen.question.window
    where = entry.body.get("environment", entry.body.get("name"))
    is_policy = entry.kind in ("policy.created", "policy.changed")
    return window.since <= entry.at < window.until and (is_policy or where in names)


def _happened(history: History, entries: Sequence[Entry]) -> None:
    room = max(0, ROWS_SHOWN - history.happened_count)
    rows = [
        Happened(
            entry.index,
            entry.at,
            str(entry.body.get("environment") or entry.body.get("name")),
            SENTENCES[entry.kind](entry.body),
            entry.by.principal,
        )
        for entry in entries[:room]
    ]
    history.happened.write(pages.happened_rows(rows))
    history.happened_count += len(entries)


def _drifted(history: History, events: Sequence[DriftEvent], names: Mapping[Any, str]) -> None:
    room = max(0, ROWS_SHOWN - history.drift_count)
    rows = [DriftRow(event, names[event.environment_id]) for event in events[:room]]
    history.drifted.write(pages.drift_rows(rows))
    history.drift_count += len(events)


async def _drifts(
    database: Database, chosen: Selection, parts: Sequence[Environment]
) -> AsyncIterator[Sequence[DriftEvent]]:
    """The drifts that began in the period, the newest first."""
    moment, question = chosen.moment, chosen.question
    older_than = None
    while parts:
        async with database.connection(moment.org_id) as connection:
            page = await drift.page(
                connection,
                moment,
                parts,
                limit=DRIFTS_A_PAGE,
                since=question.since,
                until=question.until,
                older_than=older_than,
            )
        yield page.events
        if page.reached is None and len(page.events) < DRIFTS_A_PAGE:
            return
        older_than = page.reached or page.events[-1].place


async def _in_force(
    database: Database, moment: Moment, until: datetime | None, places: Sequence[Environment]
) -> list[PolicyInForce]:
    async with database.connection(moment.org_id) as connection:
        if until is not None and until <= moment.instant:
            size = await size_at(connection, moment.org_id, until)
            moment = replace(moment, size=LedgerSize(min(size, moment.size)), instant=until)
        found = await policies.attached_to(connection, moment, [place.environment_id for place in places])
    return [
        PolicyInForce(place.name, policy.name, policy.version, policy.entry_index)
        for place, attached in zip(places, found, strict=True)
        for policy in attached
    ]


def _named(body: Body) -> str:
    return str(body.get("name") or body.get("fingerprint") or "")


def _excused(body: Body) -> str:
    rule = f"{body['policy']}/{body['rule']}" if "rule" in body else None
    return " and ".join(each for each in (_named(body), rule) if each)


def _commented(body: Body) -> str:
    return f": {body['comment']}" if body.get("comment") else "."


def _snapshot(body: Body) -> str:
    changed = [member["name"] for member in body["members"] if member["change"] in ("started", "stopped")]
    return f"Snapshot {body['number']}" + (f": {', '.join(changed[:10])}" if changed else "") + "."


def _judged(body: Body) -> str:
    was = "" if body["previous"] in (None, body["status"]) else f", was {body['previous']}"
    silent = f"; silent since {body['stale_since']}" if body.get("stale") else ""
    return f"Judged {body['status']}{was}{silent}."


_REVIEWED: Final = {"approve": "approved", "reject": "rejected", "comment": "commented on"}

SENTENCES: Final[Mapping[str, Callable[[Body], str]]] = MappingProxyType(
    {
        "environment.created": lambda body: "The environment was created.",
        "environment.changed": lambda body: "The environment was changed.",
        "policy.created": lambda body: f"The policy {body['name']} was created.",
        "policy.changed": lambda body: f"The policy {body['name']} was changed to version {body['version']}.",
        "policy.attached": lambda body: f"The policy {body['policy']} was attached.",
        "policy.detached": lambda body: f"The policy {body['policy']} was detached.",
        "waiver.requested": lambda body: f"A waiver of {_excused(body)} was requested: {body['reason']}",
        "waiver.accepted": lambda body: f"The waiver of {_excused(body)} was accepted{_commented(body)}",
        "waiver.revoked": lambda body: f"The waiver of {_excused(body)} was revoked{_commented(body)}",
        "approval.requested": lambda body: f"Approval of {_named(body)} was requested.",
        "approval.reviewed": lambda body: f"{_named(body)} was {_REVIEWED[body['act']]}{_commented(body)}",
        "approval.withdrawn": lambda body: f"The request for {_named(body)} was withdrawn{_commented(body)}",
        "deployment.reported": lambda body: f"{_named(body)} was reported as deployed.",
        "snapshot.reported": _snapshot,
        "judgement.recorded": _judged,
    }
)
