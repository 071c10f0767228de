"""Waivers as a client meets them, and what they do to the verdict on an environment."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from record.access.rules import Grant, Role
from record.clock import to_rfc3339
from record.settings import Settings
from tests.api.graphql.house import FINGERPRINT, House, serving_schema
from tests.api.graphql.test_approvals import furnish, guarded, verdict
from tests.api.serving import MovableClock

TESTED = "version: 1\nartifacts: {attestations: [{name: tests, type: generic}]}\n"
RULE = "attestation:tests:generic"
WAIVER = """waiver { id state environmentName fingerprint name policyName rule reason requestedBy requestedFor expiresAt
  acceptance { by comment } revocation { by comment } }"""


@pytest.fixture
async def moving(make_settings: Callable[..., Settings]) -> AsyncIterator[tuple[House, MovableClock]]:
    """An organization, with something that runs and is not tested, on a server whose clock can be moved."""
    clock = MovableClock()
    async with serving_schema(make_settings(), clock=clock) as served:
        house = await House.begin(served)
        await furnish(house)
        await guarded(house, TESTED)
        yield house, clock


def soon(clock: MovableClock, **ahead: float) -> str:
    return to_rfc3339((clock.now() + timedelta(**ahead)).replace(microsecond=0))


async def request(house: House, clock: MovableClock, **more: Any) -> Any:
    asked = {"environment": "prod", "reason": "On Monday.", "expiresAt": soon(clock, hours=2), **more}
    return (await house.ada.done("requestWaiver", WAIVER, **asked))["waiver"]


async def test_a_waiver_excuses_from_its_acceptance_to_its_expiry(moving: tuple[House, MovableClock]) -> None:
    house, clock = moving
    asked = await request(house, clock, fingerprint=FINGERPRINT)
    waits = await verdict(house)

    accepted = await house.client("bob").done("acceptWaiver", WAIVER, id=asked["id"], comment="Until Monday.")
    excused = await verdict(house)
    clock.moved = timedelta(hours=2, seconds=1)

    assert asked == {
        "id": asked["id"],
        "state": "REQUESTED",
        "environmentName": "prod",
        "fingerprint": FINGERPRINT,
        "name": "app.tar.gz",
        "policyName": None,
        "rule": None,
        "reason": "On Monday.",
        "requestedBy": "ada",
        "requestedFor": None,
        "expiresAt": asked["expiresAt"],
        "acceptance": None,
        "revocation": None,
    }
    assert accepted["waiver"]["state"] == "IN_FORCE"
    assert accepted["waiver"]["acceptance"] == {"by": "bob", "comment": "Until Monday."}
    assert (waits["status"], waits["holdsUntil"]) == ("INCOMPLETE", None)
    assert (excused["status"], excused["holdsUntil"]) == ("COMPLIANT", asked["expiresAt"])
    assert excused["reasons"][0]["because"][0]["entryIndex"] == accepted["receipt"]["index"]
    assert ((await verdict(house))["status"], (await verdict(house))["holdsUntil"]) == ("INCOMPLETE", None)


async def test_a_waiver_of_a_rule_is_revoked(moving: tuple[House, MovableClock]) -> None:
    house, clock = moving
    asked = await request(house, clock, policy="guarded", rule=RULE)
    await house.client("bob").done("acceptWaiver", id=asked["id"])
    assert (await verdict(house))["status"] == "COMPLIANT"

    revoked = await house.client("cyd").done("revokeWaiver", WAIVER, id=asked["id"], reason="Fixed.")

    assert (asked["policyName"], asked["rule"], asked["fingerprint"]) == ("guarded", RULE, None)
    assert (revoked["waiver"]["state"], revoked["waiver"]["revocation"]) == (
        "REVOKED",
        {"by": "cyd", "comment": "Fixed."},
    )
    assert (await verdict(house))["status"] == "INCOMPLETE"


async def test_refusals_are_of_a_type_and_record_nothing(moving: tuple[House, MovableClock]) -> None:
    house, clock = moving
    await house.ada.done("changePrincipal", name="ada", grants=[{"role": "ADMIN"}, {"role": "APPROVER"}])
    asked = await request(house, clock, fingerprint=FINGERPRINT)
    wish = {"environment": "prod", "reason": "x", "expiresAt": soon(clock, days=1)}

    async with house.nothing_recorded():
        refused = [
            await house.ada.do("acceptWaiver", id=asked["id"]),
            await house.ada.do("requestWaiver", **wish),
            await house.ada.do("requestWaiver", **{**wish, "expiresAt": soon(clock, days=91)}, fingerprint=FINGERPRINT),
            await house.ada.do("requestWaiver", **wish, policy="none", rule=RULE),
            await house.client("bob").do("revokeWaiver", id="nonsense", reason="x"),
            await house.client("bob").do("requestWaiver", **wish, fingerprint=FINGERPRINT),
        ]

    assert [each["__typename"] for each in refused] == [
        "NotAllowed",
        "InvalidInput",
        "InvalidInput",
        "NotFound",
        "InvalidInput",
        "NotAllowed",
    ]


async def test_waivers_are_listed_by_state_and_environment_and_found_by_their_id(
    moving: tuple[House, MovableClock],
) -> None:
    house, clock = moving
    first = await request(house, clock, fingerprint=FINGERPRINT)
    second = await request(house, clock, fingerprint=FINGERPRINT, environment="staging")
    await house.client("bob").done("acceptWaiver", id=second["id"])
    sam = await house.hire("sam", Grant(Role.READER, environments=frozenset({"staging"})))
    asked = """query ($state: WaiverState, $id: ID!) { record {
      every: waivers(state: $state) { nodes { environmentName } }
      there: waivers(environment: "staging") { nodes { state } }
      environment(name: "staging") { waivers(state: $state, first: 1) { nodes { state } pageInfo { hasNextPage } } }
      waiver(id: $id) { state } } node(id: $id) { __typename } }"""

    every = await house.ada.ask(asked, id=first["id"])
    in_force = (await house.ada.ask(asked, id=second["id"], state="IN_FORCE"))["record"]
    seen = await sam.ask(asked, id=first["id"])

    assert [each["environmentName"] for each in every["record"]["every"]["nodes"]] == ["staging", "prod"]
    assert every["record"]["there"]["nodes"] == [{"state": "IN_FORCE"}]
    assert (every["record"]["waiver"], every["node"]) == ({"state": "REQUESTED"}, {"__typename": "Waiver"})
    assert in_force["every"]["nodes"] == [{"environmentName": "staging"}]
    assert in_force["environment"]["waivers"] == {"nodes": [{"state": "IN_FORCE"}], "pageInfo": {"hasNextPage": False}}
    assert [each["environmentName"] for each in seen["record"]["every"]["nodes"]] == ["staging"]
    assert (seen["record"]["waiver"], seen["node"]) == (None, None)
    clock.moved = timedelta(hours=3)
    expired = (await house.ada.ask(asked, id=first["id"], state="EXPIRED"))["record"]
    assert [each["environmentName"] for each in expired["every"]["nodes"]] == ["staging", "prod"]
