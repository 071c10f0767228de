"""Uses of trails: begin one, or begin it again with newer details."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from record import details
from record.access.rules import Action, Caller
from record.details import Commit, Link
from record.flows import queries as flows
from record.flows import templates
from record.flows.service import unknown_flow
from record.ids import TRAIL_NAME, checked_name, uuid7
from record.ledger.append import AlreadyRecorded
from record.ledger.entries import Draft, Idempotency, Receipt
from record.moment import Moment
from record.record import Record
from record.refusals import NotFound
from record.trails import queries


@dataclass(frozen=True, slots=True)
class BeginTrail:
    """`template` replaces the flow's for this trail alone."""

    flow: str
    name: str
    description: str = ""
    commit: Commit | None = None
    origin_url: str | None = None
    external_urls: tuple[Link, ...] = ()
    user_data: Mapping[str, Any] = field(default_factory=dict)
    template: str | None = None


async def begin(record: Record, caller: Caller, wish: BeginTrail, *, idempotency: Idempotency | None = None) -> Receipt:
    """Begins a trail, under the template that its flow has now. An existing trail gets these details and that template.

    Its commit stays when none is given: what awaits an artifact of that commit must not be cut loose by accident.
    """
    caller.require(Action.WRITE, flow=wish.flow)
    checked_name(wish.name, TRAIL_NAME, field="trail name")
    body: dict[str, Any] = {
        "flow": wish.flow,
        "name": wish.name,
        "description": details.checked_text(wish.description, field="description"),
        **details.commit_details(wish.commit),
        "external_urls": details.links(wish.external_urls),
        "user_data": details.attached(wish.user_data, field="user data"),
    }
    if wish.origin_url is not None:
        body["origin_url"] = details.checked_url(wish.origin_url, field="origin URL")
    if wish.template is not None:
        body["own_template"] = templates.to_json(await asyncio.to_thread(templates.parse, wish.template))
    while True:
        try:
            return await record.ledger.append(
                caller, Draft("trail.begun", body | await _identity(record, caller, wish)), idempotency=idempotency
            )
        except AlreadyRecorded:
            continue  # somebody began it in between: build on what is there now


async def _identity(record: Record, caller: Caller, wish: BeginTrail) -> dict[str, Any]:
    """Which trail this is, the commit that it keeps, and its template: that of the flow as it is now."""
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        flow = await flows.by_name(connection, moment, wish.flow)
        if flow is None:
            raise unknown_flow(wish.flow)
        trail = await queries.by_name(connection, moment, wish.flow, wish.name)
    kept: dict[str, Any] = {}
    if wish.commit is None and trail is not None and trail.commit is not None:
        kept["commit"] = trail.commit
        if trail.commit_info is not None:
            kept["commit_info"] = trail.commit_info
    return {
        **kept,
        "flow_id": str(flow.flow_id),
        "template_version": flow.template_version,
        "trail_id": str(uuid7() if trail is None else trail.trail_id),
        "version": 1 if trail is None else trail.version + 1,
    }


async def placed(
    record: Record, caller: Caller, *, flow: str, trail: str, fingerprint: str | None = None
) -> queries.Place:
    """The trail that something is to be reported into; refuses unknown flows, trails and artifacts."""
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        where, has_flow, has_artifact = await queries.place(connection, moment, flow, trail, fingerprint=fingerprint)
    if not has_flow:
        raise unknown_flow(flow)
    if where is None:
        raise NotFound(
            f"There is no trail called {trail[:80]} in the flow {flow}. Begin it with beginTrail, or check the name."
        )
    if not has_artifact:
        raise NotFound(
            f"No artifact with the fingerprint {fingerprint} was reported into the trail {trail}. Report it first, or attest "
            "to it by its template name and commit."
        )
    return where
