"""Uses of deployments: report one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from record import details
from record.access.rules import Action, Caller
from record.artifacts import queries as artifacts
from record.artifacts.queries import Built
from record.clock import to_rfc3339
from record.deployments.rules import unit_of
from record.environments.service import archived, environment_named
from record.ids import COMMIT, FLOW_NAME, TEMPLATE_ARTIFACT_NAME, checked_fingerprint, checked_name, uuid7
from record.ledger.entries import Draft, Idempotency, Receipt
from record.moment import Moment
from record.record import Record
from record.refusals import InvalidInput, NotFound


@dataclass(frozen=True, slots=True)
class ReportDeployment:
    """An artifact by `fingerprint`, or the newest that `flow` made under its template's name `artifact` (of `commit`).

    `deployed_by` None: whoever reports it. `deployed_at` None: now.
    """

    environment: str
    fingerprint: str | None = None
    flow: str | None = None
    artifact: str | None = None
    commit: str | None = None
    name: str | None = None
    build_url: str | None = None
    description: str = ""
    deployed_by: str | None = None
    deployed_at: datetime | None = None


async def report(
    record: Record, caller: Caller, wish: ReportDeployment, *, idempotency: Idempotency | None = None
) -> Receipt:
    """Records that an artifact was put into an environment. An artifact that no flow knows may be deployed: it is said so."""
    caller.require(Action.WRITE, environment=wish.environment)
    environment = await environment_named(record, caller, wish.environment)
    if environment.archived:
        raise archived(environment)
    if environment.is_logical:
        raise InvalidInput(
            f"{wish.environment} is logical: nothing is deployed to it. Name the environment that it was deployed to.",
            field="environment",
        )
    body: dict[str, Any] = {
        "deployment_id": str(uuid7()),
        "environment_id": str(environment.environment_id),
        "environment": environment.name,
        "description": details.checked_text(wish.description, field="description"),
    }
    if wish.build_url is not None:
        body["build_url"] = details.checked_url(wish.build_url, field="build URL")
    if wish.deployed_by is not None:
        body["deployed_by"] = details.checked_text(wish.deployed_by, field="deployer", most=512)
    if wish.deployed_at is not None:
        body["deployed_at"] = to_rfc3339(
            details.checked_past(wish.deployed_at, now=record.clock.now(), field="deployedAt")
        )
    body |= await _artifact(record, caller, wish)
    return await record.ledger.append(caller, Draft("deployment.reported", body), idempotency=idempotency)


async def _artifact(record: Record, caller: Caller, wish: ReportDeployment) -> dict[str, Any]:
    """Which artifact it is, and where it came from."""
    if (wish.fingerprint is None) == (wish.artifact is None):
        raise InvalidInput(
            "Name the artifact either by its fingerprint, or by its flow and what the flow's template calls it.",
            field="fingerprint",
        )
    if wish.flow is not None:
        checked_name(wish.flow, FLOW_NAME, field="flow name")
        caller.require(Action.READ, flow=wish.flow)
    found = await (
        _by_name(record, caller, wish) if wish.fingerprint is None else _by_fingerprint(record, caller, wish)
    )
    if found is None:
        fingerprint = checked_fingerprint(wish.fingerprint or "")
        name = details.checked_text(wish.name or fingerprint, field="artifact name", most=1_024)
        return {"fingerprint": fingerprint, "name": name, "unit": unit_of(None, None, fingerprint)}
    body: dict[str, Any] = {
        "fingerprint": found.fingerprint,
        "name": details.checked_text(wish.name or found.name, field="artifact name", most=1_024),
        "unit": unit_of(found.flow, found.template_name, found.fingerprint),
        "flow_id": str(found.flow_id),
        "flow": found.flow,
        "trail_id": str(found.trail_id),
        "trail": found.trail,
        "template_name": found.template_name,
    }
    if found.commit is not None:
        body["commit"] = found.commit
    return body


async def _by_fingerprint(record: Record, caller: Caller, wish: ReportDeployment) -> Built | None:
    fingerprint = checked_fingerprint(wish.fingerprint or "")
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        found = await artifacts.built(connection, moment, fingerprint, flow=wish.flow)
    if found is None and wish.flow is not None:
        raise NotFound(
            f"No artifact with the fingerprint {fingerprint} was reported in the flow {wish.flow}. "
            "Report it first, or leave the flow out."
        )
    return found


async def _by_name(record: Record, caller: Caller, wish: ReportDeployment) -> Built:
    if wish.flow is None:
        raise InvalidInput("An artifact's name means something only in its flow. Name the flow as well.", field="flow")
    name = checked_name(wish.artifact or "", TEMPLATE_ARTIFACT_NAME, field="template name")
    commit = None if wish.commit is None else checked_name(wish.commit, COMMIT, field="commit")
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        found = await artifacts.built_in_flow(connection, moment, wish.flow, name, commit=commit)
    if found is None:
        of_commit = "" if commit is None else f" of commit {commit}"
        raise NotFound(
            f"The flow {wish.flow} has no artifact called {name}{of_commit}. Report it with reportArtifact, or check the names."
        )
    return found
