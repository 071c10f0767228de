"""Uses of flows: create one, change it."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

from record import details
from record.access import queries as access
from record.access.rules import Action, Caller, pattern_as_schema
from record.flows import queries, templates
from record.ids import FLOW_NAME, checked_name, uuid7
from record.ledger.append import AlreadyRecorded
from record.ledger.entries import Draft, Idempotency, Receipt
from record.moment import Moment
from record.record import Record
from record.refusals import InvalidInput, NameTaken, NotFound

EMPTY_TEMPLATE: Final = "version: 1\n"


@dataclass(frozen=True, slots=True)
class CreateFlow:
    """`template` is YAML; None begins with a template that asks for nothing."""

    name: str
    description: str = ""
    template: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    public: bool = False


@dataclass(frozen=True, slots=True)
class ChangeFlow:
    """What is None stays as it is."""

    name: str
    description: str | None = None
    template: str | None = None
    tags: dict[str, str] | None = None
    public: bool | None = None


async def create(
    record: Record, caller: Caller, wish: CreateFlow, *, idempotency: Idempotency | None = None
) -> Receipt:
    """Creates a flow with the first version of its template."""
    caller.require(Action.WRITE, flow=wish.name)
    checked_name(wish.name, FLOW_NAME, field="flow name")
    source = EMPTY_TEMPLATE if wish.template is None else wish.template
    parsed = await asyncio.to_thread(templates.parse, source)
    await _check_house_rules(record, caller, parsed, name=wish.name)
    body = {
        "flow_id": str(uuid7()),
        "version": 1,
        "name": wish.name,
        "description": details.checked_text(wish.description, field="description"),
        "tags": details.checked_tags(wish.tags),
        "public": wish.public,
        "template_version": 1,
        "template": {"source": source, "parsed": templates.to_json(parsed)},
    }
    try:
        return await record.ledger.append(caller, Draft("flow.created", body), idempotency=idempotency)
    except AlreadyRecorded as error:
        raise NameTaken(
            f"A flow called {wish.name} exists already. Change it with changeFlow, or choose another name."
        ) from error


async def change(
    record: Record, caller: Caller, wish: ChangeFlow, *, idempotency: Idempotency | None = None
) -> Receipt:
    """Records the flow anew. A template whose text differs gets the next number and is in force for trails begun from now on."""
    caller.require(Action.WRITE, flow=wish.name)

    async def decide() -> list[Draft]:
        flow = await _named(record, caller, wish.name)
        body: dict[str, Any] = {
            "flow_id": str(flow.flow_id),
            "version": flow.version + 1,
            "name": flow.name,
            "description": flow.description
            if wish.description is None
            else details.checked_text(wish.description, field="description"),
            "tags": flow.tags if wish.tags is None else details.checked_tags(wish.tags),
            "public": flow.public if wish.public is None else wish.public,
            "template_version": flow.template_version,
        }
        if wish.template is not None and wish.template != flow.template_source:
            parsed = await asyncio.to_thread(templates.parse, wish.template)
            await _check_house_rules(record, caller, parsed, name=None)
            body["template_version"] = flow.template_version + 1
            body["template"] = {"source": wish.template, "parsed": templates.to_json(parsed)}
        return [Draft("flow.changed", body)]

    return await record.ledger.append_next(caller, decide, idempotency=idempotency)


async def _named(record: Record, caller: Caller, name: str) -> queries.Flow:
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        flow = await queries.by_name(connection, moment, name)
    if flow is None:
        raise unknown_flow(name)
    return flow


def unknown_flow(name: str) -> NotFound:
    """The one sentence for a flow that is not there (or not yours)."""
    return NotFound(
        f"There is no flow called {name[:80]} in this organization. Create it with createFlow, or check the name."
    )


async def _check_house_rules(record: Record, caller: Caller, template: templates.Template, *, name: str | None) -> None:
    """The organization's pattern for flow names, and the attestation types that every template must ask for."""
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        organization = await access.organization(connection, moment)
    if organization is None:
        return
    pattern = organization.flow_name_pattern
    if name is not None and pattern is not None and not await _matches(record, pattern, name):
        raise InvalidInput(
            f"{name} does not match this organization's pattern for flow names. Use a name that matches {pattern}.",
            field="name",
        )
    missing = templates.missing_required_types(template, organization.required_types)
    if missing:
        raise InvalidInput(
            f"This organization asks every template for attestations of type {', '.join(missing)}. Add them to the template.",
            field="template",
        )


async def _matches(record: Record, pattern: str, name: str) -> bool:
    judged = await record.sandbox.read_custom(name, schema=pattern_as_schema(pattern), rules=[])
    return judged.compliant
