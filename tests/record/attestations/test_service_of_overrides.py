"""Overrides over a real record: a named attestation's verdict is replaced until an instant, by an approver, with a reason."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from record.access.rules import Role
from record.artifacts import service as artifacts
from record.artifacts.service import ReportArtifact
from record.attestations import queries
from record.attestations.queries import Attestation
from record.attestations.service import attest
from record.attestations.service.attest import About
from record.ids import AttestationId
from record.ledger.entries import Receipt
from record.refusals import InvalidInput, NotAllowed
from record.trails import queries as trail_queries
from record.trails.rules import judge_trail
from record.verdicts import Status, Verdict
from tests.record.clocks import MovableClock
from tests.record.organizations import FINGERPRINT, Organization

ON_TRAIL = About("delivery", "t1", "review")
ON_ARTIFACT = About("delivery", "t1", "unit-tests", fingerprint=FINGERPRINT)


@pytest.fixture
async def ready(acme: Organization) -> Organization:
    """A trail with an artifact in it."""
    await acme.flow(acme.operator)
    await acme.trail(acme.operator)
    wish = ReportArtifact("delivery", "t1", "app", FINGERPRINT, "app.whl")
    await artifacts.report(acme.record, acme.operator, wish)
    return acme


async def attested(ready: Organization, about: About, *, compliant: bool = True) -> Receipt:
    return await attest.generic(ready.record, ready.operator, about, compliant=compliant)


async def verdict(ready: Organization, *, size: int | None = None) -> Verdict:
    moment = await ready.moment(size)
    async with ready.record.database.connection(ready.org_id) as connection:
        found = await trail_queries.by_name(connection, moment, "delivery", "t1")
        assert found is not None
        [facts] = await trail_queries.facts_of(connection, moment, [found])
    return judge_trail(facts, now=moment.instant)


async def one(ready: Organization, receipt: Receipt) -> Attestation:
    async with ready.record.database.connection(ready.org_id) as connection:
        [found] = await queries.by_ids(connection, await ready.moment(), [AttestationId(receipt.entry_id)])
    assert found is not None
    return found


async def overridden(
    ready: Organization, *, compliant: bool = True, hours: float = 1, about: About = ON_ARTIFACT, **more: Any
) -> Receipt:
    if "pat" not in ready.tokens:
        await ready.hire("pat", Role.APPROVER)
    wish: dict[str, Any] = {
        "overrides": "unit-tests",
        "reason": "the runner was broken",
        "expires_at": ready.record.clock.now() + timedelta(hours=hours),
    } | more
    return await attest.override(
        ready.record, await ready.caller("pat"), replace(about, name="waived"), compliant=compliant, **wish
    )


async def test_an_override_replaces_the_verdict_until_the_instant_it_expires(
    ready: Organization, clock: MovableClock
) -> None:
    now = clock.stop()
    await attested(ready, ON_ARTIFACT, compliant=False)
    receipt = await overridden(ready, hours=1)

    seen = []
    for later in (timedelta(), timedelta(hours=1, microseconds=-1), timedelta(hours=1), timedelta(days=9)):
        clock.stop(now + later)
        judged = await verdict(ready)
        seen.append((judged.status, judged.holds_until))

    until = now + timedelta(hours=1)
    assert seen == [
        (Status.COMPLIANT, until),
        (Status.COMPLIANT, until),
        (Status.NON_COMPLIANT, None),
        (Status.NON_COMPLIANT, None),
    ]
    assert (await verdict(ready, size=receipt.index)).status is Status.NON_COMPLIANT


async def test_an_override_can_condemn_too(ready: Organization) -> None:
    await attested(ready, ON_ARTIFACT)

    await overridden(ready, compliant=False)

    assert (await verdict(ready)).status is Status.NON_COMPLIANT


async def test_an_override_names_its_approver_and_reason(ready: Organization) -> None:
    await attested(ready, ON_ARTIFACT, compliant=False)

    found = await one(ready, await overridden(ready))

    assert (found.type, found.overrides) == ("override", "unit-tests")
    assert found.summary == {"reason": "the runner was broken", "approver": "pat"}
    assert found.expires_at is not None


async def test_an_override_of_the_trail_does_not_reach_its_artifact(ready: Organization) -> None:
    await attested(ready, ON_ARTIFACT, compliant=False)

    await overridden(ready, about=ON_TRAIL)

    assert (await verdict(ready)).status is Status.NON_COMPLIANT


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.APPROVER])
async def test_only_approvers_override(ready: Organization, role: Role, clock: MovableClock) -> None:
    caller = await ready.hired("somebody", role)

    with pytest.raises(NotAllowed, match="approver"):
        await attest.override(
            ready.record,
            caller,
            replace(ON_TRAIL, name="waived"),
            overrides="review",
            compliant=True,
            reason="because",
            expires_at=clock.now() + timedelta(hours=1),
        )


@pytest.mark.parametrize(
    "bad",
    [
        {"reason": ""},
        {"reason": " \n"},
        {"reason": "x" * 4001},
        {"overrides": ""},
        {"overrides": "app.unit-tests"},
        {"expires_at": datetime(2999, 1, 1)},  # noqa: DTZ001 (the point)
        {"hours": 0},
        {"hours": -1},
    ],
)
async def test_what_an_override_may_not_say_is_refused(
    ready: Organization, bad: dict[str, Any], clock: MovableClock
) -> None:
    clock.stop()
    await ready.hire("pat", Role.APPROVER)
    size = await ready.size()

    with pytest.raises(InvalidInput):
        await overridden(ready, **bad)

    assert await ready.size() == size
