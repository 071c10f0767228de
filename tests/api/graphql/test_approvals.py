"""Approvals as a client meets them: requested, reviewed, counted by policies, and asked for from a deployment."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from record.access.rules import Grant, Role
from record.clock import to_rfc3339
from record.settings import Settings
from tests.api.graphql.house import FINGERPRINT, Client, House, serving_schema
from tests.api.serving import MovableClock

OTHER = "e2" * 32
ONE_APPROVAL = "version: 1\nartifacts: {approvals: {min: 1}}\n"
APPROVAL = """approval { id state environmentName fingerprint name description requestedBy requestedFor reported expiresAt
  approvedBy reviews { decision by comment counts reported url recordedBy entryIndex } withdrawal { by comment }
  commits { isRollBack since { name commit trailName } commits { sha author trailName } omitted authors authorsKnown }
  artifact { name } }"""
VERDICT = """query ($size: LedgerSize) { record(size: $size) { size environment(name: "prod") {
  verdict { status holdsUntil reasons { because { explanation entryIndex } } } } } }"""
QUEUE = """query ($state: ApprovalState, $environment: String, $first: Int, $after: String) { record {
  approvals(state: $state, environment: $environment, first: $first, after: $after) {
    nodes { environmentName state } pageInfo { hasNextPage endCursor } } } }"""
DEPLOYMENTS = """query ($others: Boolean!) { record { environment(name: "prod") { deployments { nodes { name
  approvals(others: $others) { stood stateThen approvedBy approval { state } } } } } } }"""


async def furnish(house: House) -> None:
    """Two environments, a build that runs in the first, and two approvers."""
    await house.hire("bob", Role.APPROVER)
    await house.hire("cyd", Role.APPROVER)
    await house.delivery()
    await house.artifact(commit={"sha": "c" * 40, "author": "Eve <eve@acme.com>"})
    for name in ("prod", "staging"):
        await house.ada.done("createEnvironment", name=name, type="K8S")
    members = [{"fingerprint": FINGERPRINT, "name": "app.tar.gz"}]
    await house.ada.done("reportSnapshot", environment="prod", members=members)


async def request(house: House, by: Client | None = None, **more: Any) -> str:
    asked = {"environment": "prod", "fingerprint": FINGERPRINT, **more}
    made = await (by or house.ada).done("requestApproval", "approval { id }", **asked)
    return str(made["approval"]["id"])


async def review(house: House, approval: str, by: str = "bob", decision: str = "APPROVE", **more: Any) -> Any:
    return await house.client(by).do("reviewApproval", APPROVAL, id=approval, decision=decision, **more)


async def guarded(house: House, document: str = ONE_APPROVAL) -> None:
    await house.ada.done("createPolicy", name="guarded", document=document)
    await house.ada.done("attachPolicy", policy="guarded", environment="prod")


async def verdict(house: House, size: int | None = None) -> Any:
    return (await house.ada.ask(VERDICT, size=size))["record"]["environment"]["verdict"]


async def test_a_request_shows_what_reviewers_must_know(house: House) -> None:
    await furnish(house)

    made = await house.ada.done(
        "requestApproval",
        APPROVAL,
        environment="prod",
        fingerprint=OTHER,
        name="app-2",
        description="The fix.",
        commits=[{"sha": "d" * 40, "author": "Dan <dan@acme.com>"}],
        requestedFor="Eve <eve@acme.com>",
        expiresAt="2999-01-01T00:00:00Z",
    )

    assert made["receipt"]["kind"] == "approval.requested"
    assert made["approval"] == {
        "id": made["approval"]["id"],
        "state": "REQUESTED",
        "environmentName": "prod",
        "fingerprint": OTHER,
        "name": "app-2",
        "description": "The fix.",
        "requestedBy": "ada",
        "requestedFor": "Eve <eve@acme.com>",
        "reported": False,
        "expiresAt": "2999-01-01T00:00:00.000000Z",
        "approvedBy": [],
        "reviews": [],
        "withdrawal": None,
        "commits": {
            "isRollBack": False,
            "since": None,
            "commits": [{"sha": "d" * 40, "author": "Dan <dan@acme.com>", "trailName": None}],
            "omitted": 0,
            "authors": ["Dan <dan@acme.com>"],
            "authorsKnown": True,
        },
        "artifact": None,
    }


async def test_the_commits_since_what_runs_there_are_shown_to_who_may_read_the_flow(house: House) -> None:
    await furnish(house)
    await house.ada.done("beginTrail", flow="delivery", name="build-2", commit={"sha": "b" * 40, "author": "Dan"})
    await house.artifact(trail="build-2", fingerprint=OTHER)
    await house.hire("pat", Grant(Role.APPROVER, environments=frozenset({"prod"})))
    approval = await request(house, fingerprint=OTHER)

    seen = (await review(house, approval, decision="COMMENT", comment="Hm."))["approval"]["commits"]
    hidden = (await review(house, approval, by="pat", decision="COMMENT", comment="Hm."))["approval"]["commits"]

    assert seen["since"] == {"name": "app.tar.gz", "commit": "c" * 40, "trailName": "build-1"}
    assert seen["commits"] == [{"sha": "b" * 40, "author": "Dan", "trailName": "build-2"}]
    assert hidden is None


async def test_reviews_are_shown_with_who_said_what(house: House) -> None:
    await furnish(house)
    approval = await request(house)
    await review(house, approval, decision="COMMENT", comment="Which ticket?")
    await review(house, approval, "cyd")

    said = (await review(house, approval, decision="REJECT", comment="Not this one."))["approval"]

    assert (said["state"], said["approvedBy"]) == ("REJECTED", ["cyd"])
    assert [(each["decision"], each["by"], each["comment"], each["counts"]) for each in said["reviews"]] == [
        ("COMMENT", "bob", "Which ticket?", True),
        ("APPROVE", "cyd", "", True),
        ("REJECT", "bob", "Not this one.", True),
    ]
    assert (await review(house, approval, "cyd"))["code"] == "INVALID_INPUT"


async def test_refusals_are_of_a_type_and_record_nothing(house: House) -> None:
    await furnish(house)
    await house.ada.done("changePrincipal", name="ada", grants=[{"role": "ADMIN"}, {"role": "APPROVER"}])
    approval = await request(house)

    async with house.nothing_recorded():
        own = await house.ada.do("reviewApproval", id=approval, decision="APPROVE")
        silent = await review(house, approval, decision="REJECT")
        other = await house.client("bob").do("withdrawApproval", id=approval)
        wrong = await house.client("bob").do("reviewApproval", id="nonsense", decision="APPROVE")
        nowhere = await house.ada.do("requestApproval", environment="nowhere", fingerprint=FINGERPRINT)
        reported = await house.client("bob").do("reportApproval", environment="prod", fingerprint=FINGERPRINT)

    assert [each["__typename"] for each in (own, silent, other, wrong, nowhere, reported)] == [
        "NotAllowed",
        "InvalidInput",
        "NotAllowed",
        "InvalidInput",
        "NotFound",
        "NotAllowed",
    ]
    assert "nobody says yes to their own" in own["message"]


async def test_the_queue_is_by_state_and_environment_and_of_what_may_be_read(house: House) -> None:
    await furnish(house)
    for environment in ("prod", "staging", "prod"):
        await request(house, environment=environment)
    await review(house, await request(house))
    sam = await house.hire("sam", Grant(Role.APPROVER, environments=frozenset({"staging"})))

    async def queue(client: Client, **asked: Any) -> Any:
        return (await client.ask(QUEUE, **asked))["record"]["approvals"]

    waiting = await queue(house.ada, state="REQUESTED", first=2)
    rest = await queue(house.ada, state="REQUESTED", first=2, after=waiting["pageInfo"]["endCursor"])
    assert [each["environmentName"] for each in waiting["nodes"] + rest["nodes"]] == ["prod", "staging", "prod"]
    assert (waiting["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)
    assert len((await queue(house.ada, environment="prod"))["nodes"]) == 3
    assert (await queue(house.ada, state="APPROVED"))["nodes"] == [{"environmentName": "prod", "state": "APPROVED"}]
    assert [each["environmentName"] for each in (await queue(sam))["nodes"]] == ["staging"]
    assert await sam.code(QUEUE, environment="prod") == "NOT_FOUND"


async def test_an_approval_is_found_by_its_id_and_from_its_artifact_by_who_may_read_it(house: House) -> None:
    await furnish(house)
    approval = await request(house)
    await request(house, environment="staging")
    sam = await house.hire("sam", Grant(Role.READER, environments=frozenset({"staging"})))
    asked = """query ($id: ID!) { record { approval(id: $id) { state } } node(id: $id) { __typename } }"""
    of_artifact = """query ($f: Fingerprint!, $environment: String) { record { artifact(fingerprint: $f) {
      approvals(environment: $environment) { environmentName } } } }"""

    assert await house.ada.ask(asked, id=approval) == {
        "record": {"approval": {"state": "REQUESTED"}},
        "node": {"__typename": "Approval"},
    }
    assert await sam.ask(asked, id=approval) == {"record": {"approval": None}, "node": None}
    every = (await house.ada.ask(of_artifact, f=FINGERPRINT))["record"]["artifact"]["approvals"]
    there = (await house.ada.ask(of_artifact, f=FINGERPRINT, environment="prod"))["record"]["artifact"]["approvals"]
    assert [each["environmentName"] for each in every] == ["staging", "prod"]
    assert there == [{"environmentName": "prod"}]


async def test_who_approved_a_deployment_is_who_had_when_it_was_deployed(house: House) -> None:
    await furnish(house)
    before, elsewhere, rejected, late = (
        await request(house),
        await request(house, environment="staging"),
        await request(house),
        await request(house),
    )
    for each in (before, elsewhere):
        await review(house, each)
    await review(house, rejected, decision="REJECT", comment="No.")
    await house.ada.done("reportDeployment", environment="prod", fingerprint=FINGERPRINT)
    await review(house, before, "cyd")
    await house.ada.done("withdrawApproval", id=before)
    await review(house, late)
    await review(house, await request(house))

    async def approvals(others: bool) -> Any:
        said = await house.ada.ask(DEPLOYMENTS, others=others)
        return said["record"]["environment"]["deployments"]["nodes"][0]["approvals"]

    stood = {"stood": True, "stateThen": "APPROVED", "approvedBy": ["bob"], "approval": {"state": "WITHDRAWN"}}
    assert await approvals(others=False) == [stood]
    assert await approvals(others=True) == [
        {"stood": False, "stateThen": None, "approvedBy": [], "approval": {"state": "APPROVED"}},
        {"stood": False, "stateThen": "REQUESTED", "approvedBy": [], "approval": {"state": "APPROVED"}},
        {"stood": False, "stateThen": "REJECTED", "approvedBy": [], "approval": {"state": "REJECTED"}},
        stood,
    ]


async def test_an_approval_that_was_given_elsewhere_says_so(house: House) -> None:
    await furnish(house)
    await guarded(house)

    made = await house.client("bob").done(
        "reportApproval",
        APPROVAL,
        environment="prod",
        fingerprint=FINGERPRINT,
        approvedBy="Zoe <zoe@acme.com>",
        approvedAt="2026-01-01T00:00:00Z",
        comment="Go.",
        url="https://chat.example.com/1",
    )

    assert (made["receipt"]["kind"], made["approval"]["reported"], made["approval"]["state"]) == (
        "approval.reviewed",
        True,
        "APPROVED",
    )
    (given,) = made["approval"]["reviews"]
    assert (given["by"], given["recordedBy"], given["reported"], given["comment"], given["url"]) == (
        "Zoe <zoe@acme.com>",
        "bob",
        True,
        "Go.",
        "https://chat.example.com/1",
    )
    assert (await verdict(house))["status"] == "COMPLIANT"


@pytest.fixture
async def moving(make_settings: Callable[..., Settings]) -> AsyncIterator[tuple[House, MovableClock]]:
    """An organization on a server whose clock can be moved."""
    clock = MovableClock()
    async with serving_schema(make_settings(), clock=clock) as served:
        yield await House.begin(served), clock


async def test_the_verdict_on_an_environment_moves_with_an_approval_and_with_its_expiry(
    moving: tuple[House, MovableClock],
) -> None:
    house, clock = moving
    await furnish(house)
    await guarded(house)
    end = (clock.now() + timedelta(hours=1)).replace(microsecond=0)
    assert ((await verdict(house))["status"], (await verdict(house))["holdsUntil"]) == ("INCOMPLETE", None)

    approval = await request(house, expiresAt=to_rfc3339(end))
    receipt = (await review(house, approval))["receipt"]
    given, size = await verdict(house), await house.size()
    state = "query ($id: ID!) { record { approval(id: $id) { state } } }"
    assert (await house.ada.ask(state, id=approval))["record"]["approval"]["state"] == "APPROVED"
    clock.moved = timedelta(hours=1, seconds=1)

    assert (given["status"], given["holdsUntil"]) == ("COMPLIANT", to_rfc3339(end))
    assert given["reasons"][0]["because"][0]["entryIndex"] == receipt["index"]
    assert ((await verdict(house))["status"], (await verdict(house))["holdsUntil"]) == ("INCOMPLETE", None)
    assert (await house.ada.ask(state, id=approval))["record"]["approval"]["state"] == "EXPIRED"
    assert await verdict(house, size) == given  # at that size, as of its newest entry
    expired = await house.ada.ask(QUEUE, state="EXPIRED")
    assert len(expired["record"]["approvals"]["nodes"]) == 1
