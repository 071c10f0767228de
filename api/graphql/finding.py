"""Whatever has an id, found again by it."""

from uuid import UUID

from api.graphql.access import Principal, key_of
from api.graphql.approvals import approval_of
from api.graphql.archives import archive_of
from api.graphql.artifacts import artifact_of
from api.graphql.attestations import Attestation
from api.graphql.context import Info
from api.graphql.controls import control_of, framework_of
from api.graphql.deployments import deployment_of
from api.graphql.environments import environment_of
from api.graphql.flows import Flow
from api.graphql.judgements import judgement_of
from api.graphql.ledger import Entry
from api.graphql.loaders import loaders_at
from api.graphql.nodes import Node, split_id
from api.graphql.notices import delivery_of, notice_of
from api.graphql.policies import policy_of
from api.graphql.trails import Trail
from api.graphql.waivers import waiver_of
from record.access import queries as access
from record.access.rules import Action
from record.attestations import queries as attestations
from record.ids import (
    ApprovalId,
    AttestationId,
    DeploymentId,
    EntryIndex,
    EnvironmentId,
    Fingerprint,
    FlowId,
    FrameworkId,
    KeyId,
    PolicyId,
    PrincipalId,
    TrailId,
    WaiverId,
)
from record.ledger import queries as ledger
from record.moment import Moment
from record.refusals import InvalidInput


async def node(info: Info, node_id: str) -> Node | None:
    """Whatever has this id, as of now, if the caller may see it."""
    kind, key = split_id(node_id)
    find = _FINDERS.get(kind)
    if find is None:
        raise InvalidInput(
            f"{node_id[:80]!r} is no id of this server. Use one that an answer gave you, unchanged.", field="id"
        )
    try:
        return await find(info, info.context.moment, key)
    except ValueError:
        return None


async def _flow(info: Info, moment: Moment, key: str) -> Node | None:
    row = await loaders_at(info, moment).flows.load(FlowId(UUID(key)))
    return Flow.of(row, moment) if row is not None and info.context.caller.may(Action.READ, flow=row.name) else None


async def _trail(info: Info, moment: Moment, key: str) -> Node | None:
    row = await loaders_at(info, moment).trails.load(TrailId(UUID(key)))
    return Trail.of(row, moment) if row is not None and info.context.caller.may(Action.READ, flow=row.flow) else None


async def _artifact(info: Info, moment: Moment, key: str) -> Node | None:
    return await artifact_of(info, moment, Fingerprint(key))


async def _attestation(info: Info, moment: Moment, key: str) -> Node | None:
    async with info.context.record.database.connection(moment.org_id) as connection:
        row = (await attestations.by_ids(connection, moment, [AttestationId(UUID(key))]))[0]
    return (
        Attestation.of(row, moment) if row is not None and info.context.caller.may(Action.READ, flow=row.flow) else None
    )


async def _entry(info: Info, moment: Moment, key: str) -> Node | None:
    info.context.caller.require(Action.READ)
    if not key.isascii() or not key.isdecimal() or len(key) > 16:
        return None
    async with info.context.record.database.connection(moment.org_id) as connection:
        row = await ledger.entry(connection, moment, EntryIndex(int(key)))
    return None if row is None else Entry.of(row)


async def _principal(info: Info, moment: Moment, key: str) -> Node | None:
    info.context.caller.require(Action.READ)
    async with info.context.record.database.connection(moment.org_id) as connection:
        found = await access.principals(connection, moment, ids=[PrincipalId(UUID(key))])
    return Principal.of(found[0], moment) if found else None


async def _key(info: Info, moment: Moment, key: str) -> Node | None:
    return await key_of(info, moment, KeyId(UUID(key)))


async def _environment(info: Info, moment: Moment, key: str) -> Node | None:
    return await environment_of(info, moment, EnvironmentId(UUID(key)))


async def _deployment(info: Info, moment: Moment, key: str) -> Node | None:
    return await deployment_of(info, moment, DeploymentId(UUID(key)))


async def _approval(info: Info, moment: Moment, key: str) -> Node | None:
    return await approval_of(info, moment, ApprovalId(UUID(key)))


async def _waiver(info: Info, moment: Moment, key: str) -> Node | None:
    return await waiver_of(info, moment, WaiverId(UUID(key)))


async def _policy(info: Info, moment: Moment, key: str) -> Node | None:
    return await policy_of(info, moment, PolicyId(UUID(key)))


async def _framework(info: Info, moment: Moment, key: str) -> Node | None:
    return await framework_of(info, moment, FrameworkId(UUID(key)))


async def _control(info: Info, moment: Moment, key: str) -> Node | None:
    framework_id, _, control = key.partition("/")
    return await control_of(info, moment, FrameworkId(UUID(framework_id)), control)


async def _notice(info: Info, moment: Moment, key: str) -> Node | None:
    return await notice_of(info, moment, UUID(key))


async def _delivery(info: Info, moment: Moment, key: str) -> Node | None:
    return await delivery_of(info, moment, UUID(key))


async def _archive(info: Info, moment: Moment, key: str) -> Node | None:
    return await archive_of(info, moment, UUID(key))


_FINDERS = {
    "ApiKey": _key,
    "Approval": _approval,
    "Archive": _archive,
    "Control": _control,
    "Delivery": _delivery,
    "Deployment": _deployment,
    "Environment": _environment,
    "Flow": _flow,
    "Framework": _framework,
    "Judgement": judgement_of,
    "Notice": _notice,
    "Policy": _policy,
    "Trail": _trail,
    "Artifact": _artifact,
    "Waiver": _waiver,
    "Attestation": _attestation,
    "Entry": _entry,
    "Principal": _principal,
}
