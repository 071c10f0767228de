"""Environments as a client of the API meets them: what it asks, and an organization with one of them."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from api.graphql.schema import SCHEMA
from record.artifacts import service as artifacts
from record.artifacts.service import ReportArtifact
from record.details import Commit
from record.flows import service as flows
from record.flows.service import CreateFlow
from record.settings import Settings
from record.trails import service as trails
from record.trails.service import BeginTrail
from tests.api.serving import MovableClock, Organization, Served, serving

CREATE = """mutation ($input: CreateEnvironmentInput!) { createEnvironment(input: $input) {
  ... on EnvironmentRecorded { receipt { index } environment { name type included { name } } }
  ... on Refusal { code message } } }"""
REPORT = """mutation ($input: ReportSnapshotInput!) { reportSnapshot(input: $input) {
  ... on SnapshotReported { number isNew refused { place name why } receipt { index replayed }
    snapshot { number partial artifactCount running(first: 10) { nodes { name instances } } } }
  ... on Refusal { code message } } }"""
DEPLOY = """mutation ($input: ReportDeploymentInput!) { reportDeployment(input: $input) {
  ... on DeploymentReported { deployment { name flowName seen { status } previous { name }
    commitsSince { isRollBack commits { sha } trailNames } } }
  ... on Refusal { code message } } }"""
CHANGE = """mutation ($input: ChangeEnvironmentInput!) { changeEnvironment(input: $input) {
  ... on EnvironmentRecorded { receipt { index } } ... on Refusal { code message } } }"""
CREATE_POLICY = """mutation ($input: CreatePolicyInput!) { createPolicy(input: $input) {
  ... on PolicyRecorded { receipt { index } policy { name } } ... on Refusal { code message } } }"""
KNOWN = "version: 1\nartifacts: {provenance: {required: true}}\n"


def digest(number: int) -> str:
    return f"{number:064x}"


class Client:
    """Asks one organization's questions and gives back what is below `record`, or the mutation's data."""

    def __init__(self, served: Served, organization: Organization, clock: MovableClock) -> None:
        self.served, self.organization, self.clock = served, organization, clock

    async def ask(self, query: str, **variables: Any) -> Any:
        response = await self.served.ask(self.organization, query, variables=variables)
        said = response.json()
        assert "errors" not in said, said
        return said["data"].get("record", said["data"])

    async def refused(self, query: str, **variables: Any) -> str:
        said = (await self.served.ask(self.organization, query, variables=variables)).json()
        return str(said["errors"][0]["message"])

    async def create(self, name: str, type: str = "K8S", **more: Any) -> Any:  # noqa: A002
        return (await self.ask(CREATE, input={"name": name, "type": type, **more}))["createEnvironment"]

    async def report(self, environment: str, *numbers: int, **more: Any) -> Any:
        members = [{"fingerprint": digest(number), "name": f"app-{number}"} for number in numbers]
        asked = {"environment": environment, "members": members, **more}
        return (await self.ask(REPORT, input=asked))["reportSnapshot"]

    async def build(self, *numbers: int) -> None:
        """Reports artifacts into a flow, each into a trail of its own."""
        record, ada = self.served.record, self.organization.operator
        await flows.create(record, ada, CreateFlow("delivery"))
        for number in numbers:
            commit = Commit(f"{number}" * 40)
            await trails.begin(record, ada, BeginTrail("delivery", f"t{number}", commit=commit))
            wish = ReportArtifact("delivery", f"t{number}", "app", digest(number), f"app-{number}")
            await artifacts.report(record, ada, wish)

    async def deploy(self, number: int) -> Any:
        asked = {"environment": "prod", "fingerprint": digest(number)}
        return (await self.ask(DEPLOY, input=asked))["reportDeployment"]


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    clock = MovableClock()
    async with serving(make_settings(), SCHEMA, clock=clock) as served:
        made = Client(served, await served.organization(), clock)
        await made.create("prod")
        yield made
