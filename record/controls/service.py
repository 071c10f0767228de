"""Uses of controls: create a framework, give it a new list, import one from OSCAL, map a control to what meets it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from record.access.rules import Action, Caller
from record.controls import catalogs, mappings, queries
from record.controls.catalogs import Control
from record.controls.mappings import AttestationRequired, PolicyRequired, Requirement
from record.controls.queries import Framework
from record.controls.reports import framework_named
from record.database import Connection
from record.details import checked_text
from record.environments import queries as environments
from record.environments.service import unknown_environment
from record.evidence import service as evidence
from record.ids import CONTROL_ID, ENVIRONMENT_NAME, FRAMEWORK_NAME, checked_digest, checked_name, uuid7
from record.ledger.append import AlreadyRecorded
from record.ledger.entries import Draft, Idempotency, Receipt
from record.moment import Moment
from record.policies import queries as policies
from record.policies.service import unknown_policy
from record.record import Record
from record.refusals import InvalidInput, NameTaken, NotFound

ENVIRONMENTS_MAX = 100


@dataclass(frozen=True, slots=True)
class CreateFramework:
    """A framework written by hand: its name here, its title, and its controls."""

    name: str
    title: str
    controls: Sequence[Control]
    description: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class ChangeFramework:
    """A new version: the whole list again. A title or description that is None stays as it is; `comment` says why."""

    name: str
    controls: Sequence[Control]
    title: str | None = None
    description: str | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class ImportControls:
    """An OSCAL catalogue in the vault, and the framework that it is imported as: a new one, or a new version."""

    framework: str
    digest: str
    file_name: str = "catalog.json"
    title: str | None = None
    description: str | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class MapControl:
    """What meets a control from now on: all of `requirements`, in these environments (None: in all). None at all unmaps it."""

    framework: str
    control: str
    requirements: Sequence[Requirement]
    environments: Sequence[str] | None = None
    comment: str = ""


async def create_framework(
    record: Record, caller: Caller, wish: CreateFramework, *, idempotency: Idempotency | None = None
) -> Receipt:
    """Creates a framework with the first version of its list."""
    caller.require(Action.WRITE)
    checked_name(wish.name, FRAMEWORK_NAME, field="framework name")
    drafts = _drafts(
        None,
        name=wish.name,
        controls=catalogs.checked(wish.controls),
        said={"title": _title(wish.title), "description": wish.description, "comment": wish.comment},
    )
    try:
        return await record.ledger.append_together(caller, drafts, idempotency=idempotency)
    except AlreadyRecorded as error:
        raise NameTaken(
            f"A framework called {wish.name} exists already. Change it with changeFramework, or choose another name."
        ) from error


async def change_framework(
    record: Record, caller: Caller, wish: ChangeFramework, *, idempotency: Idempotency | None = None
) -> Receipt:
    """Records a new version of a framework's list. What its controls are mapped to stays, by their ids."""
    caller.require(Action.WRITE)
    controls = catalogs.checked(wish.controls)

    async def decide() -> list[Draft]:
        before = await _named(record, caller, wish.name)
        return _drafts(
            before,
            name=wish.name,
            controls=controls,
            said={
                "title": before.title if wish.title is None else _title(wish.title),
                "description": before.description if wish.description is None else wish.description,
                "comment": wish.comment,
            },
        )

    return await record.ledger.append_next(caller, decide, idempotency=idempotency)


async def import_controls(
    record: Record, caller: Caller, wish: ImportControls, *, idempotency: Idempotency | None = None
) -> Receipt:
    """Reads an OSCAL catalogue from the vault and records its controls. What cannot be read is refused and records nothing."""
    caller.require(Action.WRITE)
    checked_name(wish.framework, FRAMEWORK_NAME, field="framework name")
    [stored] = await evidence.required(record, caller, [checked_digest(wish.digest)])
    read = await record.sandbox.read_catalog(await evidence.whole(record, stored))
    controls = [Control(**each) for each in read["controls"]]
    file = {
        "sha256": stored.digest,
        "name": checked_text(wish.file_name, field="file name", most=255),
        "media_type": stored.media_type,
        "size": stored.size,
    }

    async def decide() -> list[Draft]:
        before = await _find(record, caller, wish.framework)
        if before is not None and before.digest == stored.digest:
            raise InvalidInput(
                f"Version {before.version} of the framework {before.name} was imported from this very file. "
                "There is nothing to do; upload the new catalogue first.",
                field="digest",
            )
        return _drafts(
            before,
            name=wish.framework,
            controls=controls,
            said={
                "title": read["title"] if wish.title is None else _title(wish.title),
                "description": wish.description or ("" if before is None else before.description),
                "comment": wish.comment,
                "evidence": [file],
                "catalog": {key: read[key] for key in ("uuid", "version", "oscal_version")},
            },
        )

    return await record.ledger.append_next(caller, decide, idempotency=idempotency)


async def map_control(
    record: Record, caller: Caller, wish: MapControl, *, idempotency: Idempotency | None = None
) -> Receipt:
    """Records what meets a control. Refuses flows, policies and environments that nobody knows: nothing would ever meet them."""
    caller.require(Action.WRITE)
    checked_name(wish.control, CONTROL_ID, field="control id")
    requirements = mappings.checked(wish.requirements)
    named = _environment_names(wish.environments)
    said: dict[str, Any] = {
        "requirements": [each.to_json() for each in requirements],
        "comment": checked_text(wish.comment, field="comment"),
        **({} if named is None else {"environments": named}),
    }

    async def decide() -> list[Draft]:
        moment = Moment.latest(caller.org_id, record.clock.now())
        async with record.database.connection(caller.org_id) as connection:
            framework, control = await _control_named(connection, moment, wish.framework, wish.control)
            before = await queries.mapping_versions(
                connection, moment, framework.framework_id, control.control, limit=1
            )
            await _require_known(connection, moment, requirements, named or ())
        places = None if named is None else tuple(named)
        if (before[0].requirements, before[0].environments) == (requirements, places) if before else not requirements:
            raise InvalidInput(
                f"The control {wish.control} is mapped to this already. There is nothing to do.", field="requirements"
            )
        body = {
            "framework_id": str(framework.framework_id),
            "framework": framework.name,
            "framework_version": framework.version,
            "control": control.control,
            "version": before[0].version + 1 if before else 1,
            **said,
        }
        return [Draft("control.mapped", body)]

    return await record.ledger.append_next(caller, decide, idempotency=idempotency)


def _drafts(before: Framework | None, *, name: str, controls: Sequence[Control], said: dict[str, Any]) -> list[Draft]:
    """The entries of the version that follows `before`."""
    for field in ("description", "comment"):
        checked_text(said[field], field=field)
    of_all = {
        "framework_id": str(uuid7() if before is None else before.framework_id),
        "framework": name,
        "version": 1 if before is None else before.version + 1,
    }
    closing = {**said, "control_count": len(controls)}
    return [Draft(kind, body) for kind, body in catalogs.bodies(of_all, closing, controls)]


def _title(title: str) -> str:
    if not title.strip():
        raise InvalidInput("A framework needs a title. Say what it is, in a few words.", field="title")
    return checked_text(title, field="title", most=catalogs.TITLE_MAX)


async def _find(record: Record, caller: Caller, name: str) -> Framework | None:
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        return await queries.by_name(connection, moment, name)


async def _named(record: Record, caller: Caller, name: str) -> Framework:
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        return await framework_named(connection, moment, name)


def _environment_names(wished: Sequence[str] | None) -> list[str] | None:
    if wished is None:
        return None
    named = sorted({checked_name(each, ENVIRONMENT_NAME, field="environment name") for each in wished})
    if not 1 <= len(named) <= ENVIRONMENTS_MAX:
        raise InvalidInput(
            f"A control cannot be asked of {len(named)} environments. Name 1 to {ENVIRONMENTS_MAX}, or leave them out for all.",
            field="environments",
        )
    return named


async def _control_named(
    connection: Connection, moment: Moment, name: str, control: str
) -> tuple[Framework, queries.Control]:
    framework = await framework_named(connection, moment, name)
    found = await queries.control(connection, moment, framework, control)
    if found is None:
        raise NotFound(
            f"Version {framework.version} of the framework {framework.name} has no control {control}. "
            "Check the id, upper and lower case included."
        )
    return framework, found


async def _require_known(
    connection: Connection, moment: Moment, requirements: Sequence[Requirement], places: Sequence[str]
) -> None:
    """Refuses what a mapping names and nobody knows."""
    asked = sorted({f for each in requirements if isinstance(each, AttestationRequired) for f in each.flows or ()})
    known = await queries.flows_known(connection, moment, asked)
    for flow in asked:
        if flow not in known:
            raise NotFound(f"There is no flow called {flow} in this organization. Create it with createFlow first.")
    named = sorted({each.name for each in requirements if isinstance(each, PolicyRequired)})
    for name, policy in zip(named, await policies.by_names(connection, moment, named), strict=True):
        if policy is None:
            raise unknown_policy(name)
    for name, place in zip(places, await environments.by_names(connection, moment, places), strict=True):
        if place is None:
            raise unknown_environment(name)
        if place.is_logical:
            raise InvalidInput(
                f"{name} is logical: nothing is deployed to it. Name the environments that it includes.",
                field="environments",
            )
