"""The organization: what it settles, and who may settle it."""

from typing import Any

import pytest

from record.access.rules import Role
from tests.api.graphql.house import House

SHOWN = "organization { name retentionDays flowNamePattern requiredTypes public entryIndex }"


async def test_what_is_settled_comes_back_and_the_rest_stays(house: House) -> None:
    before = (await house.ada.ask(f"{{ record {{ {SHOWN} }} }}"))["record"]["organization"]

    changed = await house.ada.done(
        "changeOrganization", SHOWN, retentionDays=30, requiredTypes=["junit", "custom:perf"]
    )
    again = await house.ada.done("changeOrganization", SHOWN, flowNamePattern="[a-z]+", public=True)
    lifted = await house.ada.done("changeOrganization", SHOWN, flowNamePattern="")

    assert before["entryIndex"] == 0
    assert changed["organization"] == before | {
        "retentionDays": 30,
        "requiredTypes": ["junit", "custom:perf"],
        "entryIndex": changed["receipt"]["index"],
    }
    assert (again["organization"]["retentionDays"], again["organization"]["public"]) == (30, True)
    assert lifted["organization"]["flowNamePattern"] is None


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"retentionDays": 0}, "retentionDays"),
        ({"retentionDays": 2_000_000_000}, "retentionDays"),
        ({"flowNamePattern": "("}, "flowNamePattern"),
        ({"flowNamePattern": "x" * 257}, "flowNamePattern"),
        ({"requiredTypes": ["nonsense"]}, "requiredTypes"),
    ],
)
async def test_what_cannot_be_settled_is_refused(house: House, wish: dict[str, Any], field: str) -> None:
    async with house.nothing_recorded():
        refused = await house.ada.do("changeOrganization", **wish)

    assert (refused["__typename"], refused["code"], refused["field"]) == ("InvalidInput", "INVALID_INPUT", field)


async def test_a_pattern_that_takes_for_ever_does_not(house: House) -> None:
    await house.ada.done("changeOrganization", flowNamePattern="(a+)+$")

    async with house.nothing_recorded():
        refused = await house.ada.do("createFlow", name="a" * 200 + "-")

    assert refused["__typename"] in ("InvalidInput", "Unavailable", "TooLarge", "MalformedReport"), refused


@pytest.mark.parametrize("role", [Role.WRITER, Role.AUDITOR, Role.APPROVER, Role.READER])
async def test_only_admins_settle(house: House, role: Role) -> None:
    eve = await house.hire("eve", role)

    async with house.nothing_recorded():
        refused = await eve.do("changeOrganization", public=True)

    assert (refused["__typename"], refused["code"]) == ("NotAllowed", "NOT_ALLOWED")
    assert "admin" in refused["message"]
