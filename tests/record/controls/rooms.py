"""An organization that delivers: a flow, two environments, a framework, and short ways to move time and things."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from record.access.rules import Caller
from record.artifacts import service as artifacts
from record.artifacts.service import ReportArtifact
from record.attestations.service import attest
from record.attestations.service.attest import About
from record.controls import service
from record.controls.catalogs import Control
from record.controls.mappings import AttestationRequired, Requirement
from record.controls.reports import Compliance, compliance
from record.controls.rules import Window
from record.controls.service import CreateFramework, MapControl
from record.deployments import service as deployments
from record.deployments.service import ReportDeployment
from record.environments import service as environments
from record.environments.service import ChangeEnvironment
from record.ids import DeploymentId
from record.record import Record
from tests.record.clocks import MovableClock
from tests.record.environments.places import Place, digest
from tests.record.organizations import Organization

TESTS = AttestationRequired("unit-tests", "generic")
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@dataclass
class Shop:
    """`prod` and `staging`, the flow `delivery`, and a clock that tests move."""

    organization: Organization
    caller: Caller
    clock: MovableClock
    prod: Place
    staging: Place
    began: datetime

    @property
    def record(self) -> Record:
        return self.organization.record

    @classmethod
    async def open(cls, organization: Organization, clock: MovableClock) -> "Shop":
        began = clock.stop()
        prod = await Place.make(organization, "prod")
        staging = await Place.make(organization, "staging")
        await organization.flow(prod.caller)
        return cls(organization, prod.caller, clock, prod, staging, began)

    def wait(self, duration: timedelta = MINUTE) -> datetime:
        return self.clock.stop(self.clock.now() + duration)

    async def build(self, number: int, *, tested: bool | None = True, flow: str = "delivery") -> None:
        """An artifact in a trail of its own, tested well, badly, or not at all."""
        await self.organization.trail(self.caller, f"t{number}", flow=flow)
        wish = ReportArtifact(flow, f"t{number}", "app", digest(number), f"app-{number}")
        await artifacts.report(self.record, self.caller, wish)
        if tested is not None:
            await self.attest(number, compliant=tested, flow=flow)

    async def attest(
        self, number: int, *, compliant: bool = True, flow: str = "delivery", name: str = "unit-tests"
    ) -> None:
        about = About(flow, f"t{number}", name, fingerprint=digest(number))
        await attest.generic(self.record, self.caller, about, compliant=compliant)

    async def deploy(self, number: int, where: str = "prod", **wish: Any) -> DeploymentId:
        asked = ReportDeployment(where, digest(number), **wish)
        receipt = await deployments.report(self.record, self.caller, asked)
        return DeploymentId(UUID(receipt.body["deployment_id"]))

    async def framework(self, *ids: str, name: str = "soc2") -> None:
        controls = [Control(each, f"Objective {each}") for each in ids or ("CC8.1", "CC6.1")]
        await service.create_framework(self.record, self.caller, CreateFramework(name, "Trust services", controls))

    async def map(self, control: str = "CC8.1", *requirements: Requirement, **wish: Any) -> None:
        asked = MapControl("soc2", control, requirements or (TESTS,), **wish)
        await service.map_control(self.record, self.caller, asked)

    async def asked(self, name: str = "soc2", *, size: int | None = None, **window: datetime) -> Compliance:
        """The report of everything since the shop opened."""
        moment = await self.organization.moment(size)
        period = Window.checked(window.get("since", self.began), window.get("until", self.clock.now() + HOUR))
        async with self.record.database.connection(self.caller.org_id) as connection:
            return await compliance(connection, moment, name, period)

    async def grace(self, seconds: int, where: str = "prod") -> None:
        await environments.change(self.record, self.caller, ChangeEnvironment(where, grace_seconds=seconds))
