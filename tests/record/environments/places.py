"""Environments for tests, what reporters say of them, and what readers see."""

from dataclasses import dataclass
from typing import Any

from record.access.rules import Caller
from record.environments import queries, reporting, service, snapshots
from record.environments.members import Reported
from record.environments.queries import Environment
from record.environments.reporting import ReportSnapshot, SnapshotReported
from record.environments.rules import Run, Running
from record.environments.service import CreateEnvironment
from record.environments.snapshots import Event, Snapshot
from record.ids import Fingerprint
from tests.record.organizations import Organization


def digest(number: int) -> Fingerprint:
    return Fingerprint(f"{number:064x}")


def member(number: int, *, name: str | None = None, instances: int | None = None, **said: Any) -> Reported:
    return Reported(digest(number), name or f"app-{number}", instances, **said)


@dataclass
class Place:
    """An environment of an organization, through somebody who may do everything there."""

    organization: Organization
    caller: Caller
    name: str

    @classmethod
    async def make(cls, organization: Organization, name: str = "prod", type: str = "k8s", **wish: Any) -> "Place":  # noqa: A002
        caller = await organization.caller()
        await service.create(organization.record, caller, CreateEnvironment(name, type, **wish))
        return cls(organization, caller, name)

    async def report(self, *members: Reported) -> SnapshotReported:
        return await reporting.report(self.organization.record, self.caller, ReportSnapshot(self.name, members))

    async def runs(self, *numbers: int) -> SnapshotReported:
        return await self.report(*(member(number) for number in numbers))

    async def environment(self, size: int | None = None) -> Environment:
        async with self.organization.record.database.connection(self.caller.org_id) as connection:
            found = await queries.by_name(connection, await self.organization.moment(size), self.name)
        assert found is not None
        return found

    async def newest(self, size: int | None = None) -> Snapshot | None:
        environment = await self.environment(size)
        async with self.organization.record.database.connection(self.caller.org_id) as connection:
            moment = await self.organization.moment(size)
            return (await snapshots.newest(connection, moment, [environment.environment_id]))[0]

    async def running(self, size: int | None = None) -> list[Running]:
        environment = await self.environment(size)
        async with self.organization.record.database.connection(self.caller.org_id) as connection:
            moment = await self.organization.moment(size)
            return (await snapshots.running_now(connection, moment, [environment.environment_id]))[0]

    async def running_names(self, size: int | None = None) -> list[str]:
        return [each.member.name for each in await self.running(size)]

    async def at_number(self, number: int) -> list[Running]:
        environment = await self.environment()
        async with self.organization.record.database.connection(self.caller.org_id) as connection:
            moment = await self.organization.moment()
            snapshot = await snapshots.numbered(connection, moment, environment.environment_id, number)
            assert snapshot is not None
            return (await snapshots.running_in(connection, moment, [snapshot]))[0]

    async def events(self, size: int | None = None, **asked: Any) -> list[Event]:
        environment = await self.environment()
        async with self.organization.record.database.connection(self.caller.org_id) as connection:
            moment = await self.organization.moment(size)
            return await snapshots.events(
                connection, moment, [environment.environment_id], limit=asked.pop("limit", 1000), **asked
            )

    async def runs_of(self, number: int, size: int | None = None) -> list[Run]:
        environment = await self.environment()
        async with self.organization.record.database.connection(self.caller.org_id) as connection:
            moment = await self.organization.moment(size)
            ids = [environment.environment_id]
            return (await snapshots.runs_of(connection, moment, [digest(number)], environments=ids))[0]
