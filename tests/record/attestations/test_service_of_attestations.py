"""Attestations over a real record: about whom, with what, in which order; and everything that is refused."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from record.access.rules import Grant, Role
from record.artifacts import service as artifacts
from record.artifacts.service import ReportArtifact
from record.attestations import queries
from record.attestations.queries import Attestation
from record.attestations.service import attest
from record.attestations.service.attest import About
from record.details import Commit, Link
from record.ids import AttestationId, EntryIndex, TrailId, uuid7
from record.ledger.entries import Idempotency, Receipt
from record.refusals import InvalidInput, NotAllowed, NotFound, Refusal, TooLarge
from record.trails import queries as trail_queries
from record.trails import service as trails
from record.trails.rules import judge_trail
from record.trails.service import BeginTrail
from record.verdicts import Status, Verdict
from tests.record.organizations import COMMIT, FINGERPRINT, Organization
from tests.record.statements import watched

TEMPLATE = """\
version: 1
trail:
  artifacts:
    - name: app
      attestations:
        - {name: unit-tests, type: "*"}
"""
ON_TRAIL = About("delivery", "t1", "review")
ON_ARTIFACT = About("delivery", "t1", "unit-tests", fingerprint=FINGERPRINT)
AHEAD = About("delivery", "t1", "app.unit-tests")


@pytest.fixture
async def ready(acme: Organization) -> Organization:
    """A flow that asks for unit tests of an artifact, and a trail of a known commit."""
    await acme.flow(acme.operator, template=TEMPLATE)
    await trails.begin(acme.record, acme.operator, BeginTrail("delivery", "t1", commit=Commit(COMMIT)))
    return acme


async def attested(ready: Organization, about: About, *, compliant: bool = True) -> Receipt:
    return await attest.generic(ready.record, ready.operator, about, compliant=compliant)


async def built(ready: Organization, fingerprint: str = FINGERPRINT, **more: Any) -> Receipt:
    return await artifacts.report(
        ready.record, ready.operator, ReportArtifact("delivery", "t1", "app", fingerprint, "app.whl", **more)
    )


async def verdict(ready: Organization, *, size: int | None = None, trail: str = "t1") -> Verdict:
    moment = await ready.moment(size)
    async with ready.record.database.connection(ready.org_id) as connection:
        found = await trail_queries.by_name(connection, moment, "delivery", trail)
        assert found is not None
        [facts] = await trail_queries.facts_of(connection, moment, [found])
    return judge_trail(facts, now=moment.instant)


async def one(ready: Organization, receipt: Receipt) -> Attestation:
    async with ready.record.database.connection(ready.org_id) as connection:
        [found] = await queries.by_ids(connection, await ready.moment(), [AttestationId(receipt.entry_id)])
    assert found is not None
    return found


async def test_an_attestation_is_what_was_said(ready: Organization) -> None:
    await built(ready)
    file = await ready.file(ready.operator, b"all is well", "log.txt")
    about = replace(
        ON_ARTIFACT,
        description="by hand",
        origin_url="https://ci.example/1",
        external_urls=(Link("logs", "https://logs.example/", "a" * 64),),
        annotations={"runner": "r1"},
        user_data={"n": 1},
        evidence=(file,),
    )

    receipt = await attested(ready, about)

    found = await one(ready, receipt)
    assert (found.name, found.type, found.type_version, found.compliant) == ("unit-tests", "generic", None, True)
    assert (found.fingerprint, found.template_name, found.commit) == (FINGERPRINT, None, COMMIT)
    assert (found.flow, found.trail, found.description, found.origin_url) == (
        "delivery",
        "t1",
        "by hand",
        "https://ci.example/1",
    )
    assert found.external_urls == {"logs": {"url": "https://logs.example/", "sha256": "a" * 64}}
    assert (found.annotations, found.user_data, found.summary) == ({"runner": "r1"}, {"n": 1}, {})
    assert (found.entry_index, found.attested_by, found.at) == (receipt.index, "muniment:operator", receipt.at)
    assert receipt.body["evidence"] == [
        {"sha256": file.digest, "name": "log.txt", "media_type": "application/octet-stream", "size": 11}
    ]


BAD: dict[str, dict[str, Any]] = {
    "an unknown flow": {"flow": "nothing"},
    "an unknown trail": {"trail": "t9"},
    "a trail with NUL": {"trail": "t\x00"},
    "a flow with half a character": {"flow": "\ud83d"},
    "an empty name": {"name": ""},
    "a name with a blank": {"name": "unit tests"},
    "a name with two dots": {"name": "a.b.c"},
    "nothing before the dot": {"name": ".tests"},
    "nothing after the dot": {"name": "app."},
    "a name that is too long": {"name": "a" * 256},
    "a name with a line end": {"name": "tests\n"},
    "an artifact that was not reported": {"fingerprint": "a" * 64},
    "half a fingerprint": {"fingerprint": "f1f1f1f1"},
    "a bad commit": {"commit": "main"},
    "a description that is too long": {"description": "x" * 4001},
    "a script for an origin": {"origin_url": "javascript:alert(1)"},
    "a script for a link": {"external_urls": (Link("x", "javascript:alert(1)"),)},
    "NaN among annotations": {"annotations": {"x": float("nan")}},
    "too much user data": {"user_data": {"x": "y" * 20_000}},
}


@pytest.mark.parametrize("what", BAD)
async def test_what_an_attestation_may_not_say_is_refused_and_not_recorded(ready: Organization, what: str) -> None:
    size = await ready.size()

    with pytest.raises(Refusal) as refused:
        await attested(ready, replace(ON_TRAIL, **BAD[what]))

    assert isinstance(refused.value, (InvalidInput, NotFound, TooLarge))
    assert await ready.size() == size


async def test_an_artifact_of_another_trail_is_not_this_trails(ready: Organization) -> None:
    await built(ready)
    await ready.trail(ready.operator, "t2")

    with pytest.raises(NotFound, match="reported into the trail t2"):
        await attested(ready, replace(ON_ARTIFACT, trail="t2"))


# --- an artifact still to be reported

Step = Callable[[Organization], Awaitable[Receipt]]


async def tested(ready: Organization) -> Receipt:
    return await attested(ready, AHEAD)


async def failed(ready: Organization) -> Receipt:
    return await attested(ready, AHEAD, compliant=False)


async def fine(ready: Organization) -> Receipt:
    return await attested(ready, replace(AHEAD, commit=COMMIT[:9]))


@pytest.mark.parametrize(
    ("steps", "statuses"),
    [
        ([tested, built], [Status.INCOMPLETE, Status.COMPLIANT]),
        ([built, tested], [Status.INCOMPLETE, Status.COMPLIANT]),
        ([failed, built], [Status.NON_COMPLIANT, Status.NON_COMPLIANT]),
        ([built, failed], [Status.INCOMPLETE, Status.NON_COMPLIANT]),
        ([fine, built], [Status.INCOMPLETE, Status.COMPLIANT]),
        ([built, fine], [Status.INCOMPLETE, Status.COMPLIANT]),
        ([failed, built, tested], [Status.NON_COMPLIANT, Status.NON_COMPLIANT, Status.COMPLIANT]),
    ],
    ids=lambda value: "-".join(step.__name__ for step in value) if callable(value[0]) else "",
)
async def test_an_attestation_meets_its_artifact_in_either_order(
    ready: Organization, steps: list[Step], statuses: list[Status]
) -> None:
    receipts = [await step(ready) for step in steps]

    seen = [(await verdict(ready, size=receipt.index + 1)).status for receipt in receipts]

    assert seen == statuses


@pytest.mark.parametrize(
    ("attested_commit", "built_commit", "meets"),
    [
        (COMMIT, COMMIT, True),
        (COMMIT[:7], COMMIT, True),
        (COMMIT, COMMIT[:7], True),
        (COMMIT[:12], COMMIT[:8], True),
        (COMMIT[:8] + "0", COMMIT, False),
        ("a" * 40, COMMIT, False),
    ],
)
async def test_commits_are_the_same_when_one_begins_the_other(
    ready: Organization, attested_commit: str, built_commit: str, meets: bool
) -> None:
    await attested(ready, replace(AHEAD, commit=attested_commit))
    await built(ready, commit=Commit(built_commit))

    assert (await verdict(ready)).status is (Status.COMPLIANT if meets else Status.INCOMPLETE)


async def test_without_any_commit_nothing_can_be_attested_ahead(ready: Organization) -> None:
    await ready.trail(ready.operator, "t2")

    with pytest.raises(InvalidInput, match="neither this nor the trail names a commit") as refused:
        await attested(ready, replace(AHEAD, trail="t2"))

    assert refused.value.field == "commit"


async def test_a_dotted_name_with_a_fingerprint_is_about_the_artifact_itself(ready: Organization) -> None:
    await built(ready)

    found = await one(ready, await attested(ready, replace(ON_ARTIFACT, name="app.unit-tests")))

    assert (found.name, found.fingerprint, found.template_name) == ("unit-tests", FINGERPRINT, None)
    assert (await verdict(ready)).status is Status.COMPLIANT


# --- the latest decides


async def test_the_latest_of_a_name_decides_and_all_stay_readable(ready: Organization) -> None:
    await built(ready)
    receipts = [await attested(ready, ON_ARTIFACT, compliant=compliant) for compliant in (True, False, True)]
    trail_id = TrailId(UUID(receipts[0].body["trail_id"]))

    seen = [(await verdict(ready, size=receipt.index + 1)).status for receipt in receipts]
    async with ready.record.database.connection(ready.org_id) as connection:
        [now] = await queries.by_trails(connection, await ready.moment(), [trail_id])
        [then] = await queries.by_trails(connection, await ready.moment(receipts[1].index), [trail_id])

    assert seen == [Status.COMPLIANT, Status.NON_COMPLIANT, Status.COMPLIANT]
    assert [each.compliant for each in now] == [True, False, True]
    assert [each.compliant for each in then] == [True]


async def test_attestations_come_in_the_order_asked_with_gaps(ready: Organization) -> None:
    receipts = [await attested(ready, replace(ON_TRAIL, name=name)) for name in ("a", "b")]

    async with ready.record.database.connection(ready.org_id) as connection:
        moment = await ready.moment()
        by_entry = await queries.by_entries(
            connection, moment, [receipts[1].index, EntryIndex(0), receipts[0].index, EntryIndex(10**6)]
        )
        by_id = await queries.by_ids(connection, moment, [AttestationId(receipts[1].entry_id), AttestationId(uuid7())])
        early = await queries.by_entries(connection, await ready.moment(receipts[1].index), [receipts[1].index])

    assert [found and found.name for found in by_entry] == ["b", None, "a", None]
    assert [found and found.name for found in by_id] == ["b", None]
    assert early == [None]


async def test_twenty_identical_requests_attest_once(ready: Organization) -> None:
    once = Idempotency("pipeline-1", "1" * 64)
    size = await ready.size()

    receipts = await asyncio.gather(
        *(attest.generic(ready.record, ready.operator, ON_TRAIL, compliant=True, idempotency=once) for _ in range(20))
    )

    assert len({receipt.entry_id for receipt in receipts}) == 1
    assert await ready.size() == size + 1


# --- who may


@pytest.mark.parametrize("role", [Role.READER, Role.AUDITOR, Role.APPROVER, Role.SNAPSHOTTER])
async def test_who_may_not_record_attests_nothing(ready: Organization, role: Role) -> None:
    caller = await ready.hired("rea", role)

    with pytest.raises(NotAllowed):
        await attest.generic(ready.record, caller, ON_TRAIL, compliant=True)


async def test_a_narrowed_writer_attests_in_its_flows_alone(ready: Organization) -> None:
    await ready.flow(ready.operator, "other")
    await ready.trail(ready.operator, flow="other")
    narrowed = await ready.hired("will", Grant(Role.WRITER, frozenset({"delivery"})))

    await attest.generic(ready.record, narrowed, ON_TRAIL, compliant=True)
    with pytest.raises(NotAllowed):
        await attest.generic(ready.record, narrowed, replace(ON_TRAIL, flow="other"), compliant=True)


# --- what it costs


async def test_attesting_asks_one_question_and_appends_once_however_much_is_stored(ready: Organization) -> None:
    await built(ready)

    async def cost(about: About) -> tuple[int, int]:
        async with watched(ready.record) as (record, database):
            await record.ledger.head(ready.org_id)
            database.sent.clear()
            await attest.generic(record, ready.operator, about, compliant=True)
            return len(database.reads()), len(database.appends())

    empty = [await cost(about) for about in (ON_TRAIL, ON_ARTIFACT, AHEAD)]
    for number in range(60):
        await attested(ready, replace(ON_TRAIL, name=f"n{number % 7}"))

    assert empty == [await cost(about) for about in (ON_TRAIL, ON_ARTIFACT, AHEAD)] == [(1, 1)] * 3


async def test_evidence_is_looked_up_in_one_question_however_many_files_there_are(ready: Organization) -> None:
    files = tuple([await ready.file(ready.operator, str(number).encode(), f"{number}.txt") for number in range(12)])

    async def cost(count: int) -> int:
        async with watched(ready.record) as (record, database):
            await attest.generic(record, ready.operator, replace(ON_TRAIL, evidence=files[:count]), compliant=True)
            return len(database.reads())

    assert await cost(1) == await cost(12) == 2
