"""What environments know of a fingerprint that no flow reported, and who is told of it."""

from typing import Any
from uuid import UUID

from record.access import service as access
from record.access.rules import Grant, Role
from record.ids import PrincipalId
from tests.api.places import Client, client, digest
from tests.api.serving import Organization

__all__ = ["client"]

ASKED = """query ($fingerprint: Fingerprint!, $size: LedgerSize) { record(size: $size) {
  artifact(fingerprint: $fingerprint) { name }
  whereabouts(fingerprint: $fingerprint) { fingerprint name runs { environmentName sinceSnapshot until }
    deployments { environmentName deployedBy } approvals { environmentName description } } } }"""
APPROVE = """mutation ($input: RequestApprovalInput!) { asked: requestApproval(input: $input) {
  __typename ... on Refusal { message } } }"""


async def narrowed_to(client: Client, environment: str) -> Client:
    """Somebody who may read this environment alone."""
    record, ada = client.served.record, client.organization.operator
    grants = [Grant(Role.READER, environments=frozenset({environment}))]
    added = await access.add_principal(record, ada, name="ann", kind="person", grants=grants)
    person = PrincipalId(UUID(added.body["principal_id"]))
    issued = await access.issue_key(record, ada, principal_id=person, description="hers")
    assert issued.token is not None
    return Client(client.served, Organization(ada, issued.token), client.clock)


async def about(client: Client, number: int, **more: Any) -> Any:
    return await client.ask(ASKED, fingerprint=digest(number), **more)


async def test_what_ran_and_no_flow_reported_says_where_and_since_when(client: Client) -> None:
    await client.create("staging")
    await client.report("prod", 1)
    await client.report("prod", 1, 2)
    await client.report("staging", 2)

    said = await about(client, 2)

    assert said["artifact"] is None
    assert said["whereabouts"]["name"] == "app-2"
    assert said["whereabouts"]["runs"] == [
        {"environmentName": "prod", "sinceSnapshot": 2, "until": None},
        {"environmentName": "staging", "sinceSnapshot": 1, "until": None},
    ]


async def test_a_deployment_or_a_request_for_approval_is_enough(client: Client) -> None:
    await client.deploy(7)
    await client.ask(APPROVE, input={"environment": "prod", "fingerprint": digest(8), "description": "soon"})

    deployed, asked = (await about(client, 7))["whereabouts"], (await about(client, 8))["whereabouts"]

    assert [each["environmentName"] for each in deployed["deployments"]] == ["prod"]
    assert deployed["runs"] == []
    assert asked["approvals"] == [{"environmentName": "prod", "description": "soon"}]


async def test_a_name_that_somebody_gave_is_preferred_to_the_fingerprint(client: Client) -> None:
    await client.report("prod", 3)
    await client.deploy(3)

    assert (await about(client, 3))["whereabouts"]["name"] == "app-3"


async def test_of_what_nobody_knows_nothing_is_said(client: Client) -> None:

    assert await about(client, 9) == {"artifact": None, "whereabouts": None}


async def test_at_an_earlier_size_it_was_not_yet_known(client: Client) -> None:
    before = (await client.ask("{ record { size } }"))["size"]
    await client.report("prod", 4)

    assert (await about(client, 4, size=before))["whereabouts"] is None
    assert (await about(client, 4))["whereabouts"] is not None


async def test_only_environments_that_the_caller_may_read_tell(client: Client) -> None:
    await client.create("staging")
    await client.report("prod", 5)
    await client.report("staging", 6)
    narrow = await narrowed_to(client, "prod")

    assert (await about(narrow, 5))["whereabouts"] is not None
    assert (await about(narrow, 6))["whereabouts"] is None
