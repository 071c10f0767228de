"""Everything that can be asked, asked by readers whose roles are narrowed: no answer names what they may not read."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import pytest
import pytest_asyncio
from graphql import GraphQLObjectType

from api.graphql.schema import SCHEMA
from record.access.rules import Grant, Role
from record.approvals import service as approvals
from record.approvals.rules import Act
from record.approvals.service import RequestApproval
from record.artifacts import service as artifacts
from record.artifacts.service import ReportArtifact
from record.attestations.service import attest
from record.attestations.service.attest import About
from record.deployments import service as deployments
from record.deployments.service import ReportDeployment
from record.details import Commit
from record.ids import ApprovalId
from record.policies import service as policies
from record.policies.service import CreatePolicy
from record.record import open_record
from record.settings import Settings
from record.trails import service as trails
from record.trails.service import BeginTrail
from record.waivers import service as waivers
from record.waivers.service import RequestWaiver
from tests.api.everything import Walk, naming, paths_of
from tests.api.serving import Served, serving
from tests.record.clocks import MovableClock
from tests.record.environments.places import Place, digest
from tests.record.judgements.court import Court
from tests.record.organizations import Organization

# A refusal ends an answer early, and leaves resolvers of its siblings unasked.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
TEMPLATE: Final = (
    "version: 1\ntrail:\n  artifacts:\n    - {name: hiddenunit, attestations: [{name: hiddencheck, type: generic}]}\n"
)
POLICY: Final = """\
version: 1
artifacts:
  provenance: {required: true}
  trail-compliance: {required: true}
  attestations: [{name: tests, type: generic}]
  approvals: {min: 1, not-author: true}
"""
OF_FLOWS: Final = ("hiddenflow", "hiddentrail", "hiddenunit", "hiddencheck", "hiddenauthor", "hiddenchange", "b0b0b0b0")
OF_PLACES: Final = ("hiddenplace",)


@dataclass
class Told:
    """A served organization whose readers ask everything."""

    served: Served
    organization: Organization
    arguments: dict[tuple[str, str], list[dict[str, Any]]]

    async def everything(self, name: str, *fields: str) -> tuple[dict[str, Any], int]:
        """By field of the record, all that this person is told of it; and how many questions were refused somewhere."""
        headers = {"authorization": f"Bearer {self.organization.tokens[name]}"}
        told: dict[str, Any] = {}
        refusals = 0
        asked = SCHEMA._schema.type_map["Record"]
        assert isinstance(asked, GraphQLObjectType)
        for field in fields or asked.fields:
            walk = Walk(self.arguments)
            new: set[tuple[str, ...]] = {()}
            while new:
                answers = [await self._answer(question, headers) for question in walk.below_record(field)]
                new = {path for answer in answers for path in paths_of(answer.get("errors", []))} - walk.left_out
                walk.left_out |= new
                refusals += len(new)
            told[field] = [answer.get("data") for answer in answers]
        return told, refusals

    async def _answer(self, question: str, headers: dict[str, str]) -> Any:
        response = await self.served.client.post("/graphql", json={"query": question}, headers=headers, timeout=120)
        answer = response.json()
        assert all(error.get("path") for error in answer.get("errors", [])), answer
        return answer


@pytest_asyncio.fixture
async def town(make_settings: Callable[..., Settings]) -> AsyncIterator[Told]:
    """What a hidden flow built runs in prod, where it drifted, and in a hidden place; `all` unites the two."""
    limits = {"graphql_body_bytes_max": 10**7, "graphql_tokens_max": 10**6, "graphql_depth_max": 60}
    more = {
        "graphql_cost_max": 10**12,
        "graphql_aliases_max": 10**5,
        "graphql_timeout_seconds": 120,
        "page_size_max": 10,
    }
    settings = make_settings(**limits, **more)
    clock = MovableClock(timedelta(days=-2))
    async with serving(settings, SCHEMA, record=open_record(settings, clock=clock)) as served:
        organization = await Organization.begin(served.record)
        await organization.hire("enid", Grant(Role.READER, environments=frozenset({"prod", "all"})))
        await organization.hire("flo", Grant(Role.READER, flows=frozenset({"open"})))
        await organization.hire("sam", Role.SNAPSHOTTER)
        court = await Court.begin(organization, clock)
        await organization.hire("bob", Role.APPROVER)
        await _happen(organization, await organization.caller("grace"), clock, court)
        yield Told(served, organization, _arguments())


async def _happen(organization: Organization, grace: Any, clock: MovableClock, court: Court) -> None:
    record = organization.record
    court.caller = grace
    await organization.flow(grace, "hiddenflow", TEMPLATE)
    await organization.flow(grace, "open")
    await organization.trail(grace, "t1", flow="open")
    for number in (1, 2):
        commit = Commit("b0b0b0b0" * 5, "hiddenchange", "hiddenauthor <a@example.com>")
        await trails.begin(record, grace, BeginTrail("hiddenflow", f"hiddentrail{number}", commit=commit))
        wish = ReportArtifact("hiddenflow", f"hiddentrail{number}", "hiddenunit", digest(number), f"app-{number}")
        await artifacts.report(record, grace, wish)
    await attest.generic(record, grace, About("hiddenflow", "hiddentrail1", "hiddencheck"), compliant=False)
    await artifacts.report(record, grace, ReportArtifact("open", "t1", "app", digest(1), "app-1"))
    place = await Place.make(organization, "prod", grace_seconds=60, cadence_seconds=3600)
    hidden = await Place.make(organization, "hiddenplace", grace_seconds=60)
    await Place.make(organization, "all", "logical", included=("prod", "hiddenplace"))
    await policies.create(record, grace, CreatePolicy("guarded", POLICY))
    for name in ("prod", "hiddenplace", "all"):
        await policies.attach(record, grace, policy="guarded", environment=name)
    bob = await organization.caller("bob")
    for name in ("prod", "hiddenplace"):
        asked = await approvals.request(record, grace, RequestApproval(name, digest(2)))
        await approvals.review(record, bob, ApprovalId(UUID(asked.body["approval_id"])), Act.APPROVE)
        until = clock.now() + timedelta(days=9)
        await waivers.request(record, grace, RequestWaiver(name, "Until it is mended.", until, fingerprint=digest(1)))
        for number in (1, 2):
            await deployments.report(record, grace, ReportDeployment(name, fingerprint=digest(number)))
    for each in (place, hidden):
        await each.runs(1, 3)
        await each.runs(1, 4)
    clock.ahead += timedelta(hours=3)
    await court.judge()
    clock.ahead = timedelta()
    await court.judge()


def _arguments() -> dict[tuple[str, str], list[dict[str, Any]]]:
    began, now = datetime.now(UTC) - timedelta(days=3), datetime.now(UTC)
    window = {"from": began, "to": now}
    tried = [{"document": POLICY, "environment": name} for name in ("prod", "all")]
    gates: list[dict[str, Any]] = [
        {"environment": "prod"},
        {"environment": "all"},
        {"policies": ["guarded"]},
        {"templates": True},
    ]
    asserted = [{"fingerprint": digest(number), **by} for number in (1, 2) for by in gates]
    searched = ["hidden", "app", "guarded", "prod", digest(1)[:40], digest(2), "b0b0b0b"]
    snapshots = ["prod", "prod#1", "all", "hiddenplace"]
    return {
        ("Record", "flow"): [{"name": "hiddenflow"}, {"name": "open"}],
        ("Record", "trail"): [{"flow": "hiddenflow", "name": "hiddentrail1"}, {"flow": "open", "name": "t1"}],
        ("Record", "artifact"): [{"fingerprint": digest(number)} for number in (1, 2, 3)],
        ("Record", "environment"): [{"name": name} for name in ("prod", "all", "hiddenplace")],
        ("Record", "policy"): [{"name": "guarded"}],
        ("Record", "snapshot"): [{"expression": each} for each in snapshots],
        ("Record", "diff"): [{"first": "prod#1", "second": other} for other in ("prod#2", "all", "hiddenplace")],
        ("Record", "tryPolicy"): tried,
        ("Record", "assertArtifact"): asserted,
        ("Record", "search"): [{"query": each} for each in searched],
        ("Record", "compliance"): [{"framework": "soc2", **window}],
        ("Record", "adoption"): [window],
        ("Flow", "trail"): [{"name": "hiddentrail1"}, {"name": "t1"}],
        ("Deployment", "approvals"): [{"others": True}],
        ("Environment", "judgements"): [{"unchanged": True}],
    }


HIDDEN: Final = (*OF_FLOWS, *OF_PLACES)


async def test_a_reader_of_environments_is_told_of_no_flow_and_of_no_other_environment(town: Told) -> None:
    told, refusals = await town.everything("enid")

    assert refusals > 0
    assert naming(told["environment"], ("OTHER_VERSION",))  # there is something that a hidden name could stand in
    assert naming(told["environments"], ("app-2",))
    assert sorted(set(naming(told, HIDDEN))) == []


async def test_a_reader_of_a_flow_is_told_of_no_other_flow_and_of_no_environment(town: Told) -> None:
    told, _ = await town.everything("flo")

    assert naming(told["artifact"], ("app-1",))
    assert sorted(set(naming(told, HIDDEN))) == []


async def test_whoever_may_read_nothing_is_told_nothing(town: Told) -> None:
    told, _ = await town.everything("sam")

    assert sorted(set(naming(told, (*HIDDEN, "guarded", "app-1")))) == []


async def test_the_walk_reaches_what_is_hidden_where_somebody_may_read_it(town: Told) -> None:
    told, _ = await town.everything("grace", "environments", "flows", "search")

    found = " ".join(naming(told, HIDDEN))
    assert [name for name in HIDDEN if name not in found] == []
