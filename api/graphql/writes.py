"""How a mutation writes: once for each idempotency key, as the caller who is recognised at that moment.

    receipt = await perform(info, lambda caller, once: flows.create(record, caller, wish, idempotency=once), input=input, key=key)

A repeated request (same key, same input) is answered before anything is decided again: by then the rules might refuse what they
allowed the first time, such as a name that is taken now because the first request took it.
"""

import dataclasses
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Final, TypeAlias
from uuid import UUID

import strawberry

from api.graphql.context import Info
from api.recognising import decided_again
from muniment.proof import canonical
from record.access.rules import Caller
from record.clock import to_rfc3339
from record.ledger.append import AlreadyRecorded
from record.ledger.entries import Idempotency, Receipt
from record.refusals import InvalidInput, NameTaken

Write: TypeAlias = Callable[[Caller, Idempotency | None], Awaitable[Receipt]]
Showing: TypeAlias = Callable[[Caller, Idempotency | None], Awaitable[tuple[Receipt, str | None]]]

KEY_LENGTH_MAX: Final = 255


async def perform(info: Info, write: Write, *, input: object, key: str | None) -> Receipt:  # noqa: A002
    """The receipt of `write`, or of the earlier request with the same key; what is read afterwards sees the write."""
    context = info.context
    once = None if key is None else Idempotency(_checked(key), fingerprint(info.field_name, input))
    if once is not None:
        prior = await context.record.ledger.prior(context.caller, once)
        if prior is not None:
            context.advance(prior)
            return prior
    receipt = await _attempt(info, write, once)
    context.advance(receipt)
    return receipt


async def perform_showing(
    info: Info,
    write: Showing,
    *,
    input: object,  # noqa: A002
    key: str | None,
) -> tuple[Receipt, str | None]:
    """As `perform`, with the secret that is shown this once: None for a repeated request. The receipt must not know it."""
    shown: list[str | None] = [None]

    async def carried_past(caller: Caller, once: Idempotency | None) -> Receipt:
        receipt, secret = await write(caller, once)
        shown.append(secret)
        return receipt

    receipt = await perform(info, carried_past, input=input, key=key)
    return receipt, shown[-1]


def fingerprint(mutation: str, input: object) -> str:  # noqa: A002
    """SHA-256 of what a mutation was asked for: the same however it was written down."""
    try:
        return hashlib.sha256(canonical.encode({"mutation": mutation, "input": plain(input)})).hexdigest()
    except canonical.CanonicalError as error:
        raise InvalidInput(f"This cannot be recorded: {error}") from None


def plain(value: Any) -> Any:
    """An input as JSON values: fields that were left out are left out, each kind of value has one spelling."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if getattr(value, field.name) is not strawberry.UNSET
        }
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, datetime):
        return to_rfc3339(value)
    if isinstance(value, UUID):
        return str(value)
    return value


async def _attempt(info: Info, write: Write, once: Idempotency | None) -> Receipt:
    context = info.context

    async def attempt(again: bool) -> Receipt:
        if again:
            context.renew(await context.recognise_again())
        return await write(context.caller, once)

    try:
        return await decided_again(attempt)
    except AlreadyRecorded as error:
        raise NameTaken(
            "Something else was recorded under that name at the same moment. Look at what is there, then try again."
        ) from error


def _checked(key: str) -> str:
    if not 1 <= len(key) <= KEY_LENGTH_MAX:
        raise InvalidInput(
            f"An idempotency key has 1 to {KEY_LENGTH_MAX} characters. Use a new UUID for each request that you mean.",
            field="idempotencyKey",
        )
    return key
