"""Defining custom attestation types. A type defined again gets the next version; attestations name the one they were judged by."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from record import details
from record.access.rules import Action, Caller
from record.attestations import queries
from record.attestations.reports import strict_json
from record.ids import TYPE_NAME, checked_name
from record.ledger.entries import Draft, Idempotency, Receipt
from record.moment import Moment
from record.record import Record


@dataclass(frozen=True, slots=True)
class DefineType:
    """`json_schema` None leaves it to the rules; each of `rules` is a jq expression that must yield true."""

    name: str
    description: str = ""
    json_schema: Any = None
    rules: Sequence[str] = ()


async def define(
    record: Record, caller: Caller, wish: DefineType, *, idempotency: Idempotency | None = None
) -> Receipt:
    """Defines the next version of a custom type, or its first. Refuses schemas and rules that cannot be used."""
    caller.require(Action.WRITE)
    checked_name(wish.name, TYPE_NAME, field="type name")
    schema = {} if wish.json_schema is None else wish.json_schema
    strict_json.check_value(schema, field="jsonSchema")
    await record.sandbox.check_type(wish.json_schema, wish.rules)
    body = {
        "name": wish.name,
        "description": details.checked_text(wish.description, field="description"),
        "json_schema": schema,
        "rules": list(wish.rules),
    }

    async def decide() -> list[Draft]:
        moment = Moment.latest(caller.org_id, record.clock.now())
        async with record.database.connection(caller.org_id) as connection:
            known = await queries.custom_type(connection, moment, wish.name)
        version = {"version": 1 if known is None else known.version + 1}
        return [Draft("attestation_type.defined", body | version)]

    return await record.ledger.append_next(caller, decide, idempotency=idempotency)
