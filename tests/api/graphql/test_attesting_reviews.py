"""Attesting pull requests, tickets and quality gates: each with its type, verdict and reason."""

from typing import Any

import pytest

from tests.api.graphql.house import House
from tests.api.graphql.test_anonymous import ABOUT, PULL_REQUEST

SHOWN = "compliant explanation attestation { type summary }"
TICKET = {"reference": "PAY-1", "exists": True}


@pytest.mark.parametrize(
    ("mutation", "given", "kind", "compliant"),
    [
        ("attestPullRequest", {"data": PULL_REQUEST}, "pull_request", True),
        ("attestPullRequest", {"data": PULL_REQUEST, "minimumApprovals": 2}, "pull_request", False),
        ("attestPullRequest", {"data": PULL_REQUEST, "acceptedStates": ["OPEN"]}, "pull_request", False),
        ("attestTicket", {"data": {"references": [TICKET]}}, "ticket", True),
        ("attestTicket", {"data": {"references": []}, "type": "JIRA"}, "jira", False),
        ("attestSonar", {"data": {"projectStatus": {"status": "OK"}}}, "sonar", True),
    ],
)
async def test_what_is_told_is_judged(
    house: House, mutation: str, given: dict[str, Any], kind: str, compliant: bool
) -> None:
    await house.delivery()

    recorded = await house.ada.done(mutation, SHOWN, **ABOUT, **given)

    assert recorded["compliant"] is compliant, recorded["explanation"]
    assert recorded["attestation"]["type"] == kind
    assert recorded["attestation"]["summary"]


@pytest.mark.parametrize("mutation", ["attestPullRequest", "attestTicket", "attestSonar"])
async def test_what_cannot_be_read_is_refused(house: House, mutation: str) -> None:
    await house.delivery()

    async with house.nothing_recorded():
        refused = await house.ada.do(mutation, **ABOUT, data={"nothing": "known"})

    assert refused["code"] == "MALFORMED_REPORT"
