"""An environment that something runs in, builds of it by several authors, and people who may approve the next one."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from record.access import service as access
from record.access.rules import Caller, Grant, Role
from record.approvals import queries, service
from record.approvals.queries import Approval
from record.approvals.rules import Act, State
from record.approvals.service import RequestApproval
from record.artifacts import service as artifacts
from record.artifacts.service import ReportArtifact
from record.details import Commit
from record.ids import ApprovalId, PrincipalId
from record.ledger.entries import Receipt
from record.policies import presence
from record.policies import service as policies
from record.policies.service import CreatePolicy
from record.record import Record
from record.trails import service as trails
from record.trails.service import BeginTrail
from record.verdicts import Verdict
from tests.record.environments.places import Place, digest
from tests.record.organizations import Organization

AUTHORS = {1: "Ada <ada@acme.com>", 2: "Eve <eve@acme.com>", 3: "Eve <eve@acme.com>", 4: "Dan <dan@acme.com>"}


@dataclass
class Scene:
    """ada is admin and writer; bob and cyd are approvers; ci is a service account with every role."""

    organization: Organization
    people: dict[str, Caller] = field(default_factory=dict)

    @classmethod
    async def begin(cls, organization: Organization) -> "Scene":
        await organization.hire("bob", Role.APPROVER)
        await organization.hire("cyd", Role.APPROVER)
        await organization.hire("wes", Grant(Role.WRITER, environments=frozenset({"prod"})))
        scene = cls(organization)
        await scene.employ("ci", Role.WRITER, Role.APPROVER)
        await scene.recognise()
        scene.place = await Place.make(organization)
        return scene

    place: Place = field(init=False)

    @property
    def record(self) -> Record:
        return self.organization.record

    async def employ(self, name: str, *roles: Role) -> None:
        """A service account with a key."""
        added = await access.add_principal(
            self.record,
            self.organization.operator,
            name=name,
            kind="service_account",
            grants=[Grant(role) for role in roles],
        )
        await self.organization.give_key(name, PrincipalId(UUID(added.body["principal_id"])))

    async def recognise(self) -> None:
        """Everybody anew, as after each change of access."""
        self.people = {name: await self.organization.caller(name) for name in self.organization.tokens}

    async def build(self, *numbers: int, authors: dict[int, str] | None = None) -> None:
        """Artifacts of one flow, each in a trail of its own, of a commit of its own."""
        told = AUTHORS if authors is None else authors
        for number in numbers:
            commit = Commit(f"{number}" * 40, f"change {number}\n\nat length", told.get(number))
            await trails.begin(self.record, self.people["ada"], BeginTrail("delivery", f"t{number}", commit=commit))
            wish = ReportArtifact("delivery", f"t{number}", "app", digest(number), f"app-{number}")
            await artifacts.report(self.record, self.people["ada"], wish)

    async def request(self, number: int, *, by: str = "ada", **wish: Any) -> Approval:
        receipt = await service.request(
            self.record, self.people[by], RequestApproval(wish.pop("environment", "prod"), digest(number), **wish)
        )
        return await self.approval(receipt)

    async def review(self, approval: Approval, by: str, act: Act = Act.APPROVE, comment: str = "") -> Receipt:
        return await service.review(self.record, self.people[by], approval.approval_id, act, comment=comment)

    async def approval(self, asked: Receipt | Approval, size: int | None = None) -> Approval:
        approval_id = asked.approval_id if isinstance(asked, Approval) else UUID(asked.body["approval_id"])
        async with self.record.database.connection(self.organization.org_id) as connection:
            moment = await self.organization.moment(size)
            (found,) = await queries.by_ids(connection, moment, [ApprovalId(approval_id)])
        assert found is not None
        return found

    async def state(self, asked: Receipt | Approval, size: int | None = None) -> State:
        return (await self.approval(asked, size)).standing(self.record.clock.now()).state

    async def policy(self, document: str, name: str = "guarded") -> None:
        """Attaches a policy to the environment."""
        await policies.create(self.record, self.people["ada"], CreatePolicy(name, document))
        await policies.attach(self.record, self.people["ada"], policy=name, environment="prod")

    async def verdict(self, size: int | None = None) -> Verdict:
        """What the attached policies say of the environment."""
        environment = await self.place.environment()
        async with self.record.database.connection(self.organization.org_id) as connection:
            moment = await self.organization.moment(size)
            (judged,) = await presence.judged_by_attached(connection, moment, [environment.environment_id])
        assert judged is not None
        return judged.verdict
