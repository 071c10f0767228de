"""Pull requests, tickets and quality gates in the record: judged, kept with what was said, and refused whole."""

from typing import Any, Final

import pytest

from record.access.rules import Role
from record.attestations.service import reviews
from record.attestations.service.attest import DATA_BYTES_MAX, About
from record.refusals import InvalidInput, NotAllowed, TooLarge
from tests.record.organizations import Organization

ABOUT: Final = About("delivery", "t1", "review")
REQUEST: Final[dict[str, Any]] = {
    "provider": "gitlab",
    "state": "merged",
    "author": "ada",
    "reviewers": [{"name": "bob", "state": "approved"}],
    "commits": [{"sha": "ab" * 20, "author": "Ada <ada@example.com>"}],
}
TICKETS: Final[dict[str, Any]] = {"references": [{"reference": "PAY-1", "exists": True}]}


@pytest.fixture
async def ready(acme: Organization) -> Organization:
    """A trail."""
    await acme.flow(acme.operator)
    await acme.trail(acme.operator)
    return acme


async def test_a_reviewed_pull_request_is_compliant_and_keeps_what_was_said(ready: Organization) -> None:
    receipt = await reviews.pull_request(ready.record, ready.operator, ABOUT, data=REQUEST)

    assert (receipt.body["type"], receipt.body["data"]) == ("pull_request", REQUEST)
    assert receipt.body["result"]["compliant"]
    assert receipt.body["result"]["summary"]["approvers"] == ["bob"]


async def test_thresholds_of_the_request_decide_and_are_kept(ready: Organization) -> None:
    receipt = await reviews.pull_request(
        ready.record, ready.operator, ABOUT, data=REQUEST, minimum_approvals=2, accepted_states=["open"]
    )

    result = receipt.body["result"]
    assert not result["compliant"]
    assert (result["summary"]["minimum_approvals"], result["summary"]["accepted_states"]) == (2, ["open"])
    assert len(result["summary"]["problems"]) == 2


async def test_tickets_are_of_type_ticket_or_jira(ready: Organization) -> None:
    ticket = await reviews.tickets(ready.record, ready.operator, ABOUT, data=TICKETS)
    jira = await reviews.tickets(ready.record, ready.operator, ABOUT, data={"references": []}, jira=True)

    assert [(each.body["type"], each.body["result"]["compliant"]) for each in (ticket, jira)] == [
        ("ticket", True),
        ("jira", False),
    ]


async def test_a_quality_gate_that_is_not_ok_is_not_compliant(ready: Organization) -> None:
    receipt = await reviews.sonar(ready.record, ready.operator, ABOUT, data={"qualityGate": {"status": "ERROR"}})

    assert (receipt.body["type"], receipt.body["result"]["compliant"]) == ("sonar", False)


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        ({}, InvalidInput),
        ({**REQUEST, "score": float("nan")}, InvalidInput),
        ({**REQUEST, "body": "\ud800"}, InvalidInput),
        ({**REQUEST, "body": "x" * DATA_BYTES_MAX}, TooLarge),
    ],
    ids=["empty", "no number", "half a character", "too large"],
)
async def test_what_cannot_be_kept_is_refused_whole(ready: Organization, data: Any, refusal: type[Exception]) -> None:
    size = await ready.size()

    with pytest.raises(refusal):
        await reviews.pull_request(ready.record, ready.operator, ABOUT, data=data)

    assert await ready.size() == size


async def test_only_writers_of_the_flow_attest(ready: Organization) -> None:
    reader = await ready.hired("rhea", Role.READER)

    with pytest.raises(NotAllowed):
        await reviews.tickets(ready.record, reader, ABOUT, data=TICKETS)
