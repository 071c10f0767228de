"""An organization whose worker judges when a test says so, and what it has recorded."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from record.access.rules import Caller, Role
from record.artifacts import service as artifacts
from record.artifacts.service import ReportArtifact
from record.attestations.service import attest
from record.attestations.service.attest import About
from record.flows import service as flows
from record.flows.service import CreateFlow
from record.ids import EnvironmentId, TrailId
from record.judgements import queries, service
from record.judgements.queries import Judgement
from record.ledger.entries import Receipt
from record.moment import Moment
from record.policies import service as policies
from record.policies.presence import judged_by_attached
from record.policies.service import CreatePolicy
from record.record import Record
from record.verdicts import Status
from tests.record.clocks import MovableClock
from tests.record.environments.places import digest
from tests.record.organizations import Organization

TEMPLATE = """\
version: 1
trail:
  attestations:
    - {name: review, type: generic}
"""
TESTED = "version: 1\nartifacts: {attestations: [{name: tests, type: generic}]}\n"
KNOWN = "version: 1\nartifacts: {provenance: {required: true}}\n"
FRESH = "version: 1\nartifacts: {attestations: [{name: tests, type: generic, max-age: 1d}]}\n"
STAGED = "version: 1\nartifacts: {deployed-to: {environment: staging, for: 1h}}\n"


@dataclass
class Court:
    """The organization, somebody who may do everything, and the clock."""

    organization: Organization
    caller: Caller
    clock: MovableClock

    @classmethod
    async def begin(cls, organization: Organization, clock: MovableClock) -> "Court":
        caller = await organization.hired("grace", Role.ADMIN, Role.APPROVER)
        return cls(organization, caller, clock)

    @property
    def record(self) -> Record:
        return self.organization.record

    # --- what happens

    async def flow(self, name: str = "delivery", template: str | None = TEMPLATE) -> Receipt:
        return await flows.create(self.record, self.caller, CreateFlow(name, template=template))

    async def trail(self, name: str = "t1", *, flow: str = "delivery") -> TrailId:
        return TrailId(UUID((await self.organization.trail(self.caller, name, flow=flow)).body["trail_id"]))

    async def artifact(self, number: int, *, trail: str = "t1") -> Receipt:
        wish = ReportArtifact("delivery", trail, "app", digest(number), f"app-{number}", "docker")
        return await artifacts.report(self.record, self.caller, wish)

    async def attest(
        self,
        name: str = "review",
        *,
        compliant: bool = True,
        trail: str = "t1",
        number: int | None = None,
        flow: str = "delivery",
    ) -> Receipt:
        about = About(flow, trail, name, fingerprint=None if number is None else digest(number))
        return await attest.generic(self.record, self.caller, about, compliant=compliant)

    async def override(self, name: str, *, lasts: timedelta, compliant: bool = True, trail: str = "t1") -> Receipt:
        return await attest.override(
            self.record,
            self.caller,
            About("delivery", trail, "an-override"),
            overrides=name,
            compliant=compliant,
            reason="It is known.",
            expires_at=self.clock.now() + lasts,
        )

    async def policy(self, document: str, *environments: str, name: str = "production") -> None:
        await policies.create(self.record, self.caller, CreatePolicy(name, document))
        for environment in environments:
            await policies.attach(self.record, self.caller, policy=name, environment=environment)

    def pass_time(self, **much: float) -> datetime:
        """Moves the clock; what is due by then has settled."""
        self.clock.ahead += timedelta(**much) + 2 * service.SETTLING
        return self.clock.now()

    # --- judging

    async def judge(self, record: Record | None = None) -> int:
        """Rounds, until there is nothing more to look at. How many judgements they recorded."""
        recorded = 0
        while True:
            done = await service.judge(record or self.record, self.organization.org_id, self.organization.name)
            assert done is not None, "somebody else holds the lock"
            recorded += done.recorded
            if not done.is_behind:
                return recorded

    async def lose_ops(self) -> None:
        """Takes away everything that judging keeps outside of the record."""
        async with self.record.database.connection(self.caller.org_id) as connection:
            await connection.execute("DELETE FROM ops.judging WHERE org_id = $1", self.caller.org_id)
            await connection.execute("DELETE FROM ops.judging_due WHERE org_id = $1", self.caller.org_id)
            await connection.execute("DELETE FROM ops.environment_reports WHERE org_id = $1", self.caller.org_id)

    async def forget_the_last_round(self, size: int, instant: datetime) -> None:
        """As if the worker had died after recording, before it moved on."""
        async with self.record.database.connection(self.caller.org_id) as connection:
            await connection.execute(
                "UPDATE ops.judging SET size = $2, instant = $3 WHERE org_id = $1", self.caller.org_id, size, instant
            )

    async def progress(self) -> Any:
        async with self.record.database.connection(self.caller.org_id) as connection:
            return await connection.fetchrow("SELECT * FROM ops.judging WHERE org_id = $1", self.caller.org_id)

    # --- what is recorded

    async def of(self, subject: UUID, size: int | None = None, **asked: Any) -> list[Judgement]:
        """The judgements of a subject, oldest first."""
        async with self.record.database.connection(self.caller.org_id) as connection:
            moment = await self.organization.moment(size)
            found = await queries.page(connection, moment, subject, limit=asked.pop("limit", 1000), **asked)
        return found[::-1]

    async def statuses(self, subject: UUID, **asked: Any) -> list[str]:
        return [each.status.value for each in await self.of(subject, **asked)]

    async def lately(self, **asked: Any) -> list[Judgement]:
        async with self.record.database.connection(self.caller.org_id) as connection:
            return await queries.lately(connection, await self.organization.moment(), limit=1000, **asked)

    async def verdict_at(self, judgement: Judgement) -> Status:
        """What the policies say at the point of a judgement of an environment, asked anew."""
        async with self.record.database.connection(self.caller.org_id) as connection:
            moment = Moment(self.caller.org_id, judgement.size, judgement.instant)
            (found,) = await judged_by_attached(connection, moment, [EnvironmentId(judgement.subject_id)])
        assert found is not None
        return found.verdict.status
