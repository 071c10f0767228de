"""Real worker processes judge within two seconds of the cause, whatever befalls them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from embedded.servers import Stack
from record.access.rules import Caller, Role
from record.artifacts import service as artifacts
from record.artifacts.service import ReportArtifact
from record.attestations.service import attest
from record.attestations.service.attest import About
from record.policies import service as policies
from record.policies.service import CreatePolicy
from record.record import Record, open_record
from record.refusals import Refusal
from record.settings import Settings
from tests.record.archives.superuser import behind_its_back
from tests.record.environments.places import Place, digest
from tests.record.judgements.court import TEMPLATE, TESTED
from tests.record.organizations import Organization
from tests.servers import TestDatabase
from tests.workers.conftest import Begin

PATIENCE_SECONDS = 60
LAG_SECONDS_MAX = 2.0


@dataclass
class Bench:
    """An organization, and what is recorded of its verdicts."""

    organization: Organization
    caller: Caller

    @property
    def record(self) -> Record:
        return self.organization.record

    async def attest(
        self, trail: str, *, compliant: bool = True, name: str = "review", number: int | None = None
    ) -> None:
        about = About("delivery", trail, name, fingerprint=None if number is None else digest(number))
        await attest.generic(self.record, self.caller, about, compliant=compliant)

    async def override(self, trail: str, *, lasts: timedelta) -> datetime:
        expires_at = self.record.clock.now() + lasts
        await attest.override(
            self.record,
            self.caller,
            About("delivery", trail, "an-override"),
            overrides="review",
            compliant=True,
            reason="It is known.",
            expires_at=expires_at,
        )
        return expires_at

    async def judgements(self) -> list[asyncpg.Record]:
        async with self.record.database.connection(self.caller.org_id) as connection:
            rows: list[asyncpg.Record] = await connection.fetch(
                "SELECT *, extract(epoch FROM at - instant)::float AS lag FROM record.judgements "
                "WHERE org_id = $1 ORDER BY entry_index",
                self.caller.org_id,
            )
            return rows

    async def until(self, holds: Callable[[list[asyncpg.Record]], bool]) -> list[asyncpg.Record]:
        """The judgements as soon as this holds of them."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    if holds(found := await self.judgements()):
                        return found
                except Refusal:
                    pass
                await asyncio.sleep(0.02)

    async def count(self, count: int) -> list[asyncpg.Record]:
        return await self.until(lambda found: len(found) >= count)


@pytest.fixture
async def bench(settings: Settings) -> AsyncIterator[Bench]:
    opened = open_record(settings)
    organization = await Organization.begin(opened)
    caller = await organization.hired("grace", Role.ADMIN, Role.APPROVER)
    await organization.flow(caller, template=TEMPLATE)
    yield Bench(organization, caller)
    await opened.close()


def statuses(found: list[asyncpg.Record], subject: UUID) -> list[str]:
    return [row["status"] for row in found if row["subject_id"] == subject]


def told(name: str, found: list[asyncpg.Record]) -> None:
    lags = sorted(row["lag"] for row in found)
    print(
        f"{name}: {len(lags)} judgements, median {lags[len(lags) // 2]:.3f} s, worst {lags[-1]:.3f} s after the cause"
    )


async def test_under_light_load_every_judgement_follows_its_cause_within_two_seconds(
    bench: Bench, begin: Begin
) -> None:
    begin()
    await bench.organization.trail(bench.caller, "warm")
    await bench.attest("warm")
    await bench.count(1)
    prod = await Place.make(bench.organization)
    await bench.organization.trail(bench.caller, "t1")
    await artifacts.report(
        bench.record, bench.caller, ReportArtifact("delivery", "t1", "app", digest(1), "app-1", "docker")
    )
    await policies.create(bench.record, bench.caller, CreatePolicy("production", TESTED))
    await policies.attach(bench.record, bench.caller, policy="production", environment="prod")
    await prod.runs(1)
    for number in range(20):
        before = len(await bench.judgements())
        await bench.attest("t1", compliant=number % 2 == 0, name="tests", number=1)
        await bench.count(before + 1)
    await bench.attest("warm", compliant=False)
    expires_at = await bench.override("warm", lasts=timedelta(seconds=1.5))

    found = (await bench.until(lambda found: any(row["instant"] == expires_at for row in found)))[1:]

    told("light load", found)
    assert max(row["lag"] for row in found) < LAG_SECONDS_MAX
    environment = (await prod.environment()).environment_id
    assert statuses(found, environment) == ["INCOMPLETE", *["COMPLIANT", "NON_COMPLIANT"] * 10]


async def test_a_thousand_trails_at_once_are_judged_each_once(bench: Bench, begin: Begin) -> None:
    count = 1_000
    begin()
    await bench.organization.trail(bench.caller, "warm")
    await bench.attest("warm")
    await bench.count(1)
    await asyncio.gather(*(bench.organization.trail(bench.caller, f"t{number}") for number in range(count)))
    await asyncio.gather(*(bench.attest(f"t{number}") for number in range(count)))
    found = (await bench.count(1 + count))[1:]

    told("a thousand trails", found)
    assert len({row["subject_id"] for row in found}) == len(found) == count
    assert {(row["number"], row["status"]) for row in found} == {(1, "COMPLIANT")}
    assert max(row["lag"] for row in found) < 10


async def test_workers_that_are_killed_and_replaced_record_every_change_once(bench: Bench, begin: Begin) -> None:
    trails = [
        UUID((await bench.organization.trail(bench.caller, f"t{number}")).body["trail_id"]) for number in range(30)
    ]
    workers = [begin(), begin()]

    for rounds in range(6):
        await asyncio.gather(*(bench.attest(f"t{number}", compliant=rounds % 2 == 0) for number in range(30)))
        workers.pop(0).kill()
        workers.append(begin())
    found = await bench.count(30 * 6)

    expected = ["COMPLIANT", "NON_COMPLIANT"] * 3
    assert [statuses(found, trail) for trail in trails] == [expected] * 30


async def test_neither_redis_nor_ops_is_needed_to_go_on(
    bench: Bench, begin: Begin, stack: Stack, database: TestDatabase
) -> None:
    begin()
    await bench.organization.trail(bench.caller, "t1")
    stack.stop_redis()
    try:
        await bench.attest("t1")
        await bench.count(1)
        async with behind_its_back(database) as superuser:
            await superuser.execute("TRUNCATE ops.judging, ops.judging_due")
        await bench.attest("t1", compliant=False)
        found = await bench.count(2)
    finally:
        stack.start_redis()

    assert [row["status"] for row in found] == ["COMPLIANT", "NON_COMPLIANT"]


async def test_a_restarted_postgresql_is_a_pause(bench: Bench, begin: Begin, stack: Stack) -> None:
    worker = begin()
    await bench.organization.trail(bench.caller, "t1")
    await bench.attest("t1")
    await bench.count(1)

    await asyncio.to_thread(stack.restart_postgres, kill=True)
    await again(lambda: bench.attest("t1", compliant=False))

    assert [row["status"] for row in await bench.count(2)] == ["COMPLIANT", "NON_COMPLIANT"]
    assert worker.running


async def again(work: Callable[[], Awaitable[Any]]) -> None:
    """Does it as soon as PostgreSQL answers."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                await work()
            except (Refusal, asyncpg.PostgresError):
                await asyncio.sleep(0.1)
            else:
                return
