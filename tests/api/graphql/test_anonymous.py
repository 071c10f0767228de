"""Without a key: `Authorization: Public NAME` reads what is open, and nothing tells that the rest is there."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from api.graphql.nodes import global_id
from api.graphql.schema import SCHEMA
from record.access.rules import Role
from record.clock import to_rfc3339
from tests.api.graphql.house import FINGERPRINT, Client, House

FLOWS = "{ record { flows { nodes { name trails { nodes { name verdict { status } } } } } } }"
ABOUT: Final = {"flow": "delivery", "trail": "build-1", "name": "t"}
FILE: Final = {"digest": "ab" * 32, "fileName": "x"}
PULL_REQUEST: Final = {
    "provider": "github",
    "state": "merged",
    "author": "ada",
    "reviewers": [{"name": "bob", "state": "approved"}],
    "commits": [{"sha": "ab" * 20, "author": "Ada <ada@example.com>"}],
}
SOME_APPROVAL, SOME_WAIVER = (global_id(kind, UUID(int=7)) for kind in ("Approval", "Waiver"))
EVERY_MUTATION: Final[dict[str, dict[str, Any]]] = {
    "createFlow": {"name": "x"},
    "changeFlow": {"name": "delivery", "description": "x"},
    "beginTrail": {"flow": "delivery", "name": "x"},
    "reportArtifact": {
        "flow": "delivery",
        "trail": "build-1",
        "templateName": "app",
        "fingerprint": FINGERPRINT,
        "name": "app",
    },
    "attestGeneric": {**ABOUT, "compliant": True},
    "attestJunit": {**ABOUT, "results": [FILE]},
    "attestSarif": {**ABOUT, "report": FILE},
    "attestSnyk": {**ABOUT, "report": FILE},
    "attestTrivy": {**ABOUT, "report": FILE},
    "attestSbom": {**ABOUT, "report": FILE},
    "attestProvenance": {**ABOUT, "envelope": FILE, "fingerprint": FINGERPRINT},
    "attestCustom": {**ABOUT, "typeName": "perf", "data": {}},
    "attestPullRequest": {**ABOUT, "data": PULL_REQUEST},
    "attestTicket": {**ABOUT, "data": {"references": [{"reference": "PAY-1", "exists": True}]}},
    "attestSonar": {**ABOUT, "data": {"qualityGate": {"status": "OK"}}},
    "override": {
        **ABOUT,
        "overrides": "u",
        "compliant": True,
        "reason": "because",
        "expiresAt": "2999-01-01T00:00:00Z",
    },
    "defineAttestationType": {"name": "perf"},
    "trustSigningKey": {"name": "k", "pem": "x"},
    "retireSigningKey": {"name": "k"},
    "createEnvironment": {"name": "prod", "type": "K8S"},
    "changeEnvironment": {"name": "prod"},
    "archiveEnvironment": {"name": "prod"},
    "reportSnapshot": {"environment": "prod", "members": []},
    "reportDeployment": {"environment": "prod", "fingerprint": FINGERPRINT},
    "createPolicy": {"name": "known", "document": "version: 1"},
    "changePolicy": {"name": "known", "document": "version: 1"},
    "attachPolicy": {"policy": "known", "environment": "prod"},
    "detachPolicy": {"policy": "known", "environment": "prod"},
    "createNotice": {"name": "n", "channel": "WEBHOOK", "triggers": ["TRAIL_BEGUN"], "url": "https://example.com"},
    "changeNotice": {"name": "n", "description": "x"},
    "disableNotice": {"name": "n"},
    "rotateNoticeSecret": {"name": "n"},
    "testNotice": {"name": "n"},
    "replayDelivery": {"delivery": global_id("Delivery", UUID(int=1))},
    "requestApproval": {"environment": "prod", "fingerprint": FINGERPRINT},
    "reviewApproval": {"id": SOME_APPROVAL, "decision": "APPROVE", "comment": "x"},
    "withdrawApproval": {"id": SOME_APPROVAL, "comment": "x"},
    "reportApproval": {"environment": "prod", "fingerprint": FINGERPRINT, "approvedBy": "zoe"},
    "requestWaiver": {
        "environment": "prod",
        "fingerprint": FINGERPRINT,
        "reason": "because",
        "expiresAt": to_rfc3339(datetime.now(UTC) + timedelta(days=30)),
    },
    "acceptWaiver": {"id": SOME_WAIVER, "comment": "x"},
    "revokeWaiver": {"id": SOME_WAIVER, "reason": "because"},
    "createFramework": {"name": "soc2", "title": "x", "controls": [{"control": "CC8.1", "title": "x"}]},
    "changeFramework": {"name": "soc2", "controls": [{"control": "CC8.1", "title": "x"}]},
    "importControls": {"framework": "soc2", "digest": "ab" * 32},
    "mapControl": {"framework": "soc2", "control": "CC8.1", "requirements": []},
    "requestArchive": {"kind": "FLOW", "flow": "delivery"},
    "addPerson": {"name": "eve", "grants": []},
    "addServiceAccount": {"name": "ci", "grants": []},
    "changePrincipal": {"name": "ada", "grants": [{"role": "ADMIN"}]},
    "issueKey": {"description": "x"},
    "changeOrganization": {"public": True},
}


async def refusal(client: Client) -> tuple[int, Any]:
    response = await client.raw(FLOWS)
    return response.status_code, response.json()


async def test_a_public_organization_is_open_to_anyone(house: House) -> None:
    await house.delivery()
    await house.ada.done("changeOrganization", public=True)

    said = await house.anyone().ask(FLOWS)

    assert said["record"]["flows"]["nodes"][0]["trails"]["nodes"][0]["name"] == "build-1"


async def test_a_public_flow_is_open_and_the_others_are_not(house: House) -> None:
    await house.delivery("delivery")
    await house.delivery("secret")
    await house.artifact(flow="secret")
    await house.ada.done("changeFlow", name="delivery", public=True)
    anyone = house.anyone()

    said = await anyone.ask(
        """query ($f: Fingerprint!) { viewer { principal organization }
        record { flows { nodes { name } } secret: flow(name: "secret") { name }
        trail(flow: "secret", name: "build-1") { name } artifact(fingerprint: $f) { name }
        search(query: "build") { ... on Trail { flowName } } } }""",
        f=FINGERPRINT,
    )

    assert said["viewer"] == {"principal": "anyone", "organization": house.people.name}
    assert said["record"] == {
        "flows": {"nodes": [{"name": "delivery"}]},
        "secret": None,
        "trail": None,
        "artifact": None,
        "search": [{"flowName": "delivery"}],
    }
    for query in (
        "{ record { principals { name } } }",
        "{ record { ledger { entries { nodes { index } } } } }",
        "{ record { archives { nodes { id } } } }",
    ):
        assert await anyone.code(query) == "NOT_ALLOWED"


async def test_nothing_public_and_no_such_organization_are_one_refusal(house: House) -> None:
    await house.delivery()

    closed = await refusal(house.anyone())
    unknown = await refusal(Client(house.served, "Public nobody-is-called-this"))
    nonsense = await refusal(Client(house.served, "Public %' OR 1=1"))

    assert closed[0] == 401
    assert closed == unknown == nonsense


async def test_anyone_stops_seeing_at_once_what_is_private_again(house: House) -> None:
    await house.delivery()
    await house.ada.done("changeFlow", name="delivery", public=True)
    anyone = house.anyone()
    pinned = FLOWS.replace("record", f"record(size: {await house.size()})")
    assert (await anyone.raw(FLOWS)).status_code == 200
    assert (await anyone.raw(pinned)).status_code == 200

    await house.ada.done("changeFlow", name="delivery", public=False)

    assert (await anyone.raw(FLOWS)).status_code == 401
    assert (await anyone.raw(pinned)).status_code == 401


async def test_a_second_public_flow_does_not_keep_the_first_one_open(house: House) -> None:
    await house.delivery("delivery")
    await house.delivery("docs")
    for name in ("delivery", "docs"):
        await house.ada.done("changeFlow", name=name, public=True)
    anyone = house.anyone()
    pinned = FLOWS.replace("record", f"record(size: {await house.size()})")
    await anyone.ask(pinned)

    await house.ada.done("changeFlow", name="delivery", public=False)

    for query in (FLOWS, pinned):
        assert [flow["name"] for flow in (await anyone.ask(query))["record"]["flows"]["nodes"]] == ["docs"]


async def test_anyone_records_nothing(house: House) -> None:
    await house.delivery()
    await house.ada.done("changeOrganization", public=True)

    async with house.nothing_recorded():
        for mutation, wish in EVERY_MUTATION.items():
            refused = await house.anyone().do(mutation, **wish)
            assert refused["code"] in ("NOT_ALLOWED", "NOT_FOUND"), (mutation, refused)


async def test_a_reader_records_nothing(house: House) -> None:
    await house.delivery()
    eve = await house.hire("eve", Role.READER)

    async with house.nothing_recorded():
        for mutation, wish in EVERY_MUTATION.items():
            if mutation != "issueKey":  # everybody may issue keys to themselves
                refused = await eve.do(mutation, **wish)
                assert (refused["__typename"], refused["code"]) == ("NotAllowed", "NOT_ALLOWED"), (mutation, refused)


async def test_evidence_of_public_flows_can_be_downloaded_by_anyone(house: House) -> None:
    await house.delivery("delivery")
    await house.delivery("secret")
    shown, hidden = await house.ada.upload(b"shown"), await house.ada.upload(b"hidden")
    await house.attest("a", evidence=[{"digest": shown, "fileName": "a"}])
    await house.attest("b", flow="secret", evidence=[{"digest": hidden, "fileName": "b"}])
    await house.ada.done("changeFlow", name="delivery", public=True)
    anyone = house.anyone()

    assert (await anyone.get(f"/evidence/sha256:{shown}")).content == b"shown"
    assert (await anyone.get(f"/evidence/sha256:{hidden}")).status_code == 404


def test_no_mutation_was_forgotten() -> None:
    mutation_type = SCHEMA._schema.mutation_type
    assert mutation_type is not None

    assert set(mutation_type.fields) - set(EVERY_MUTATION) == {"rotateKey", "revokeKey"}, "these need the id of a key"
