"""Uses of environments: create one, change it, archive it."""

from dataclasses import dataclass, field
from typing import Any, Final

from record import details
from record.access.rules import Action, Caller
from record.environments import queries
from record.environments.members import LOGICAL, TYPES
from record.environments.queries import Environment
from record.ids import ENVIRONMENT_NAME, checked_name, uuid7
from record.ledger.append import AlreadyRecorded
from record.ledger.entries import Draft, Idempotency, Receipt
from record.moment import Moment
from record.record import Record
from record.refusals import InvalidInput, NameTaken, NotFound

INCLUDED_MAX: Final = 200
CADENCE_MAX: Final = 366 * 86_400
GRACE_SECONDS: Final = 900


@dataclass(frozen=True, slots=True)
class CreateEnvironment:
    """`included` names the environments that a logical one unites. `cadence_seconds` None: no report is ever overdue."""

    name: str
    type: str
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    included: tuple[str, ...] = ()
    cadence_seconds: int | None = None
    grace_seconds: int = GRACE_SECONDS


@dataclass(frozen=True, slots=True)
class ChangeEnvironment:
    """What is None stays as it is; a cadence of 0 lifts it. `archived` False brings an archived environment back."""

    name: str
    description: str | None = None
    tags: dict[str, str] | None = None
    included: tuple[str, ...] | None = None
    cadence_seconds: int | None = None
    grace_seconds: int | None = None
    archived: bool | None = None


async def create(
    record: Record, caller: Caller, wish: CreateEnvironment, *, idempotency: Idempotency | None = None
) -> Receipt:
    """Creates an environment. Its name and type stay for good."""
    caller.require(Action.WRITE, environment=wish.name)
    checked_name(wish.name, ENVIRONMENT_NAME, field="environment name")
    if wish.type not in TYPES:
        raise InvalidInput(
            f"{wish.type[:80]!r} is no type of environment. Use one of {', '.join(TYPES)}.", field="type"
        )
    body: dict[str, Any] = {
        "environment_id": str(uuid7()),
        "version": 1,
        "name": wish.name,
        "type": wish.type,
        "description": details.checked_text(wish.description, field="description"),
        "tags": details.checked_tags(wish.tags),
        "included": await _included(record, caller, wish.type, wish.included),
        "grace_seconds": _checked_seconds(wish.grace_seconds, field="graceSeconds"),
        "archived": False,
    }
    if wish.cadence_seconds:
        body["cadence_seconds"] = _checked_cadence(wish.type, wish.cadence_seconds)
    try:
        return await record.ledger.append(caller, Draft("environment.created", body), idempotency=idempotency)
    except AlreadyRecorded as error:
        raise NameTaken(
            f"An environment called {wish.name} exists already. Change it with changeEnvironment, or choose another name."
        ) from error


async def change(
    record: Record, caller: Caller, wish: ChangeEnvironment, *, idempotency: Idempotency | None = None
) -> Receipt:
    """Records the environment anew. Archiving is a change too: nothing is ever deleted, and it can be taken back."""
    caller.require(Action.WRITE, environment=wish.name)

    async def decide() -> list[Draft]:
        environment = await environment_named(record, caller, wish.name)
        if environment.archived and wish.archived is not False:
            raise archived(environment)
        body = _as_it_is(environment) | {"version": environment.version + 1}
        if wish.description is not None:
            body["description"] = details.checked_text(wish.description, field="description")
        if wish.tags is not None:
            body["tags"] = details.checked_tags(wish.tags)
        if wish.included is not None:
            body["included"] = await _included(record, caller, environment.type, wish.included)
        if wish.grace_seconds is not None:
            body["grace_seconds"] = _checked_seconds(wish.grace_seconds, field="graceSeconds")
        if wish.cadence_seconds is not None:
            body.pop("cadence_seconds", None)
            if wish.cadence_seconds:
                body["cadence_seconds"] = _checked_cadence(environment.type, wish.cadence_seconds)
        if wish.archived is not None:
            body["archived"] = wish.archived
        kind = "environment.archived" if wish.archived else "environment.changed"
        return [Draft(kind, body)]

    return await record.ledger.append_next(caller, decide, idempotency=idempotency)


async def archive(record: Record, caller: Caller, name: str, *, idempotency: Idempotency | None = None) -> Receipt:
    """Takes an environment out of use: it takes no more reports, and keeps everything that was recorded of it."""
    return await change(record, caller, ChangeEnvironment(name, archived=True), idempotency=idempotency)


async def environment_named(record: Record, caller: Caller, name: str) -> Environment:
    """The environment of this name as it is now; refuses when there is none."""
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        environment = await queries.by_name(connection, moment, name)
    if environment is None:
        raise unknown_environment(name)
    return environment


def unknown_environment(name: str) -> NotFound:
    """The one sentence for an environment that is not there (or not yours)."""
    return NotFound(
        f"There is no environment called {name[:80]} in this organization. "
        "Create it with createEnvironment, or check the name."
    )


def archived(environment: Environment) -> InvalidInput:
    """The one sentence for an environment that is out of use."""
    return InvalidInput(
        f"The environment {environment.name} is archived. Bring it back with changeEnvironment(archived: false), "
        "or use another.",
        field="environment",
    )


def _as_it_is(environment: Environment) -> dict[str, Any]:
    body: dict[str, Any] = {
        "environment_id": str(environment.environment_id),
        "name": environment.name,
        "type": environment.type,
        "description": environment.description,
        "tags": environment.tags,
        "included": [str(each) for each in environment.included],
        "grace_seconds": environment.grace_seconds,
        "archived": environment.archived,
    }
    if environment.cadence_seconds is not None:
        body["cadence_seconds"] = environment.cadence_seconds
    return body


async def _included(record: Record, caller: Caller, kind: str, names: tuple[str, ...]) -> list[str]:
    """Ids of the environments that a logical one unites: existing ones, in use, and none of them logical."""
    if kind != LOGICAL:
        if names:
            raise InvalidInput(
                f"Only a logical environment includes others, and this one's type is {kind}. Leave `included` out.",
                field="included",
            )
        return []
    wanted = list(dict.fromkeys(names))
    if not 1 <= len(wanted) <= INCLUDED_MAX:
        raise InvalidInput(
            f"A logical environment includes 1 to {INCLUDED_MAX} others, not {len(wanted)}. Name them.",
            field="included",
        )
    for name in wanted:
        caller.require(Action.READ, environment=name)
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        found = await queries.by_names(connection, moment, wanted)
    for name, environment in zip(wanted, found, strict=True):
        if environment is None:
            raise unknown_environment(name)
        if environment.archived:
            raise archived(environment)
        if environment.is_logical:
            raise InvalidInput(
                f"{name} is itself logical. Include the environments that it unites instead.", field="included"
            )
    return [str(environment.environment_id) for environment in found if environment is not None]


def _checked_seconds(seconds: int, *, field: str) -> int:
    if not 0 <= seconds <= CADENCE_MAX:
        raise InvalidInput(f"{seconds} seconds are out of range. Use 0 to {CADENCE_MAX}.", field=field)
    return seconds


def _checked_cadence(kind: str, seconds: int) -> int:
    if kind == LOGICAL:
        raise InvalidInput(
            "Nothing reports to a logical environment, so no report can be overdue. Set the cadence of those that it includes.",
            field="cadenceSeconds",
        )
    return _checked_seconds(seconds, field="cadenceSeconds")
