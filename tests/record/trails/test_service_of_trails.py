"""Trails over a real record: begun, begun again, placed into, read back with the template that was in force."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from record.access.rules import Grant, Role
from record.artifacts import service as artifacts
from record.artifacts.service import ReportArtifact
from record.attestations.service import attest
from record.attestations.service.attest import About
from record.details import Commit, Link
from record.flows import service as flows
from record.flows.service import ChangeFlow
from record.ids import FlowId, TrailId, uuid7
from record.ledger.entries import Idempotency
from record.refusals import InvalidInput, NotAllowed, NotFound, Refusal, TooLarge
from record.trails import queries, service
from record.trails.queries import Trail
from record.trails.rules import judge_trail
from record.trails.service import BeginTrail
from record.verdicts import Status
from tests.record.organizations import COMMIT, Organization
from tests.record.statements import watched

TESTS = "version: 1\ntrail:\n  attestations:\n    - {name: tests, type: '*'}\n"
NOTHING = "version: 1\n"
REVIEW = "version: 1\ntrail:\n  attestations:\n    - {name: review, type: '*'}\n"


async def trail_at(acme: Organization, size: int | None = None, name: str = "t1") -> Trail | None:
    async with acme.record.database.connection(acme.org_id) as connection:
        return await queries.by_name(connection, await acme.moment(size), "delivery", name)


async def status_at(acme: Organization, size: int | None = None, name: str = "t1") -> tuple[Status, set[str]]:
    """The trail's verdict at a size, and the names that its template asks for."""
    moment = await acme.moment(size)
    async with acme.record.database.connection(acme.org_id) as connection:
        trail = await queries.by_name(connection, moment, "delivery", name)
        assert trail is not None
        [facts] = await queries.facts_of(connection, moment, [trail])
    assert facts.template is not None
    return judge_trail(facts, now=moment.instant).status, {wanted.name for wanted in facts.template.trail}


async def test_a_trail_is_what_was_wished(acme: Organization) -> None:
    caller = await acme.caller()
    await acme.flow(caller)
    wish = BeginTrail(
        "delivery",
        "t1",
        "The first",
        Commit(COMMIT, message="ledger: publish"),
        "https://ci.example/1",
        (Link("ticket", "https://tickets.example/1", "a" * 64),),
        {"team": "payments", "weight": 1.5},
    )

    receipt = await service.begin(acme.record, caller, wish)

    trail = await trail_at(acme)
    assert trail is not None
    assert (trail.flow, trail.name, trail.description, trail.version) == ("delivery", "t1", "The first", 1)
    assert (trail.commit, trail.commit_info) == (COMMIT, {"message": "ledger: publish"})
    assert (trail.origin_url, trail.user_data) == ("https://ci.example/1", {"team": "payments", "weight": 1.5})
    assert trail.external_urls == {"ticket": {"url": "https://tickets.example/1", "sha256": "a" * 64}}
    assert (trail.begun_by, trail.entry_index, trail.begun_index) == ("ada", receipt.index, receipt.index)
    assert (trail.begun_at, trail.changed_at) == (receipt.at, receipt.at)


@pytest.mark.parametrize("name", ["", ".x", "-x", "a b", "a/b", "a" * 257, "a\n", "a\x00b", "half \ud83d", "../x"])
async def test_a_bad_trail_name_is_refused(acme: Organization, name: str) -> None:
    caller = await acme.caller()
    await acme.flow(caller)

    with pytest.raises(InvalidInput, match="is not a valid trail name"):
        await acme.trail(caller, name)

    assert await acme.size() == 4


@pytest.mark.parametrize("flow", ["nothing", "", "DELIVERY", "a\x00b", "half \ud83d", "x" * 5000])
async def test_an_unknown_flow_is_refused(acme: Organization, flow: str) -> None:
    caller = await acme.caller()
    await acme.flow(caller)

    with pytest.raises(Refusal) as refused:
        await acme.trail(caller, flow=flow)

    assert isinstance(refused.value, (NotFound, InvalidInput))
    assert len(refused.value.message) < 300
    assert await acme.size() == 4


@pytest.mark.parametrize(
    ("more", "refusal"),
    [
        ({"description": "x" * 4001}, InvalidInput),
        ({"description": "a\x00b"}, InvalidInput),
        ({"commit": Commit("main")}, InvalidInput),
        ({"origin_url": "javascript:alert(1)"}, InvalidInput),
        ({"external_urls": (Link("x", "ftp://x.example/"),)}, InvalidInput),
        ({"user_data": {"x": float("nan")}}, InvalidInput),
        ({"user_data": {"x": 2**53}}, InvalidInput),
        ({"user_data": {"x": "\ud83d"}}, InvalidInput),
        ({"user_data": {"x": "y" * 20_000}}, TooLarge),
        ({"template": "version: 2\n"}, InvalidInput),
        ({"template": "version: 1\nstages: []\n"}, InvalidInput),
    ],
)
async def test_what_a_trail_may_not_say_is_refused_and_not_recorded(
    acme: Organization, more: dict[str, Any], refusal: type[Refusal]
) -> None:
    caller = await acme.caller()
    await acme.flow(caller)

    with pytest.raises(refusal):
        await service.begin(acme.record, caller, BeginTrail("delivery", "t1", **more))

    assert await acme.size() == 4


async def test_a_narrowed_writer_begins_trails_of_its_flows_alone(acme: Organization) -> None:
    await acme.flow(acme.operator)
    await acme.flow(acme.operator, "other")
    narrowed = await acme.hired("will", Grant(Role.WRITER, frozenset({"delivery"})))

    await acme.trail(narrowed)
    with pytest.raises(NotAllowed):
        await acme.trail(narrowed, flow="other")
    with pytest.raises(NotAllowed):
        await acme.trail(narrowed, flow="nothing")


# --- beginning again


async def test_a_trail_begun_again_keeps_its_commit_unless_another_is_given(acme: Organization) -> None:
    caller = await acme.caller()
    await acme.flow(caller)
    await service.begin(acme.record, caller, BeginTrail("delivery", "t1", commit=Commit(COMMIT, message="why")))
    await service.begin(acme.record, caller, BeginTrail("delivery", "t1"))
    kept = await trail_at(acme)
    await service.begin(acme.record, caller, BeginTrail("delivery", "t1", commit=Commit("0ddba11")))
    changed = await trail_at(acme)

    assert kept is not None
    assert changed is not None
    assert (kept.commit, kept.commit_info) == (COMMIT, {"message": "why"})
    assert (changed.commit, changed.commit_info) == ("0ddba11", None)


async def test_a_trail_begun_again_is_the_same_trail_with_newer_details(acme: Organization) -> None:
    caller = await acme.caller()
    await acme.flow(caller)
    first = await service.begin(acme.record, caller, BeginTrail("delivery", "t1", "first", Commit(COMMIT)))
    again = await service.begin(acme.record, caller, BeginTrail("delivery", "t1", "second"))

    now, then = await trail_at(acme), await trail_at(acme, again.index)

    assert now is not None
    assert then is not None
    assert now.trail_id == then.trail_id == UUID(first.body["trail_id"])
    assert [(t.description, t.commit, t.version, t.entry_index) for t in (then, now)] == [
        ("first", COMMIT, 1, first.index),
        ("second", COMMIT, 2, again.index),
    ]
    assert (now.begun_index, now.begun_at, now.changed_at) == (first.index, first.at, again.at)
    assert await trail_at(acme, first.index) is None


async def test_twenty_who_begin_one_trail_begin_it_once_and_then_again(acme: Organization) -> None:
    caller = await acme.caller()
    await acme.flow(caller)

    receipts = await asyncio.gather(*(acme.trail(caller) for _ in range(20)))

    assert len({receipt.body["trail_id"] for receipt in receipts}) == 1
    assert sorted(receipt.body["version"] for receipt in receipts) == list(range(1, 21))


async def test_twenty_identical_requests_begin_a_trail_once(acme: Organization) -> None:
    caller = await acme.caller()
    await acme.flow(caller)
    once = Idempotency("pipeline-1", "1" * 64)

    receipts = await asyncio.gather(
        *(service.begin(acme.record, caller, BeginTrail("delivery", "t1"), idempotency=once) for _ in range(20))
    )

    assert len({receipt.entry_id for receipt in receipts}) == 1
    assert await acme.size() == 5


# --- templates


async def test_a_changed_template_does_not_repaint_a_begun_trail(acme: Organization) -> None:
    caller = await acme.caller()
    await acme.flow(caller, template=TESTS)
    await acme.trail(caller)
    await attest.generic(acme.record, caller, About("delivery", "t1", "tests"), compliant=True)

    await flows.change(acme.record, caller, ChangeFlow("delivery", template=REVIEW))
    await acme.trail(caller, "t2")

    assert await status_at(acme) == (Status.COMPLIANT, {"tests"})
    assert await status_at(acme, name="t2") == (Status.INCOMPLETE, {"review"})


async def test_beginning_again_takes_the_template_that_the_flow_has_now(acme: Organization) -> None:
    caller = await acme.caller()
    await acme.flow(caller, template=TESTS)
    await acme.trail(caller)
    await attest.generic(acme.record, caller, About("delivery", "t1", "tests"), compliant=True)
    await flows.change(acme.record, caller, ChangeFlow("delivery", template=REVIEW))
    before = await acme.size()

    await acme.trail(caller)

    assert await status_at(acme) == (Status.INCOMPLETE, {"review"})
    assert await status_at(acme, before) == (Status.COMPLIANT, {"tests"})


async def test_a_trails_own_template_replaces_the_flows_until_it_is_begun_without_one(acme: Organization) -> None:
    caller = await acme.caller()
    await acme.flow(caller, template=TESTS)
    await service.begin(acme.record, caller, BeginTrail("delivery", "t1", template=REVIEW))
    own = await trail_at(acme)
    asked = (await status_at(acme))[1]

    await acme.trail(caller)

    assert own is not None
    assert own.has_own_template
    assert (asked, (await status_at(acme))[1]) == ({"review"}, {"tests"})


async def test_a_trail_under_a_template_that_asks_nothing_is_unknown_until_something_is_known(
    acme: Organization,
) -> None:
    caller = await acme.caller()
    await acme.flow(caller, template=NOTHING)
    await acme.trail(caller)

    seen = [(await status_at(acme))[0]]
    for compliant in (True, False, True):
        await attest.generic(acme.record, caller, About("delivery", "t1", "tests"), compliant=compliant)
        seen.append((await status_at(acme))[0])

    assert seen == [Status.UNKNOWN, Status.COMPLIANT, Status.NON_COMPLIANT, Status.COMPLIANT]


async def test_verdicts_are_those_of_the_size_that_is_asked_about(acme: Organization) -> None:
    caller = await acme.caller()
    await acme.flow(caller, template=TESTS)
    begun = await acme.trail(caller)
    failed = await attest.generic(acme.record, caller, About("delivery", "t1", "tests"), compliant=False)
    passed = await attest.generic(acme.record, caller, About("delivery", "t1", "tests"), compliant=True)

    seen = [(await status_at(acme, receipt.index + 1))[0] for receipt in (begun, failed, passed)]

    assert seen == [Status.INCOMPLETE, Status.NON_COMPLIANT, Status.COMPLIANT]


# --- placing


async def test_what_is_reported_into_no_trail_is_refused(acme: Organization) -> None:
    caller = await acme.caller()
    await acme.flow(caller)
    await acme.trail(caller)

    for flow, trail, told in (
        ("nothing", "t1", "no flow called nothing"),
        ("delivery", "t9", "no trail called t9 in the flow delivery"),
        ("delivery", "T1", "no trail called T1"),
    ):
        with pytest.raises(NotFound, match=told):
            await service.placed(acme.record, caller, flow=flow, trail=trail)
    with pytest.raises(NotFound, match="No artifact with the fingerprint"):
        await service.placed(acme.record, caller, flow="delivery", trail="t1", fingerprint="a" * 64)


async def test_the_place_knows_the_newest_commit_of_the_trail(acme: Organization) -> None:
    caller = await acme.caller()
    await acme.flow(caller)
    await service.begin(acme.record, caller, BeginTrail("delivery", "t1", commit=Commit("a" * 40)))
    await service.begin(acme.record, caller, BeginTrail("delivery", "t1", commit=Commit("b" * 40)))

    place = await service.placed(acme.record, caller, flow="delivery", trail="t1")

    assert place.commit == "b" * 40


# --- pages and lists


async def test_pages_of_trails_go_both_ways_newest_first_and_miss_none(acme: Organization) -> None:
    caller = await acme.caller()
    flow = await acme.flow(caller)
    await acme.flow(caller, "other")
    for number in range(8):
        await acme.trail(caller, f"t{number}")
        await acme.trail(caller, f"t{number}", flow="other")
    await acme.trail(caller, "t0")
    flow_id = FlowId(UUID(flow.body["flow_id"]))
    moment = await acme.moment()
    newest_first = [f"t{number}" for number in reversed(range(8))]

    async def page(**asked: Any) -> list[Trail]:
        async with acme.record.database.connection(acme.org_id) as connection:
            return await queries.page(connection, moment, flow_id, limit=3, **asked)

    down: list[Trail] = []
    while found := await page(older_than=down[-1].begun_index if down else None):
        down += found
    up: list[Trail] = []
    while found := await page(newer_than=up[0].begun_index if up else 0):
        up[:0] = found

    assert [trail.name for trail in down] == newest_first
    assert [trail.name for trail in up] == newest_first
    assert [trail.name for trail in await page(older_than=down[1].begun_index, newer_than=down[4].begun_index)] == [
        "t5",
        "t4",
    ]


async def test_trails_come_in_the_order_asked_with_gaps_where_there_is_none(acme: Organization) -> None:
    caller = await acme.caller()
    await acme.flow(caller)
    ids = [TrailId(UUID((await acme.trail(caller, name)).body["trail_id"])) for name in ("a", "b")]

    async with acme.record.database.connection(acme.org_id) as connection:
        found = await queries.by_ids(connection, await acme.moment(), [ids[1], TrailId(uuid7()), ids[0]])

    assert [trail and trail.name for trail in found] == ["b", None, "a"]


async def fifty_trails(acme: Organization) -> list[TrailId]:
    caller = await acme.caller()
    await acme.flow(caller, template=TESTS)
    begun = await asyncio.gather(*(acme.trail(caller, f"t{number}") for number in range(50)))
    await asyncio.gather(
        *(
            attest.generic(acme.record, caller, About("delivery", f"t{number}", "tests"), compliant=number % 3 > 0)
            for number in range(0, 50, 2)
        ),
        *(
            artifacts.report(
                acme.record, caller, ReportArtifact("delivery", f"t{number}", "app", f"{number:064x}", "app.whl")
            )
            for number in range(0, 50, 5)
        ),
    )
    return [TrailId(UUID(receipt.body["trail_id"])) for receipt in begun]


async def test_the_facts_of_fifty_trails_are_two_statements_and_each_trails_own(acme: Organization) -> None:
    ids = await fifty_trails(acme)
    moment = await acme.moment()
    async with watched(acme.record) as (record, database):
        async with record.database.connection(acme.org_id) as connection:
            trails = [trail for trail in await queries.by_ids(connection, moment, ids) if trail]
        database.sent.clear()
        async with record.database.connection(acme.org_id) as connection:
            facts = await queries.facts_of(connection, moment, trails)

        assert len(database.sent) == 2
    assert [each.name for each in facts] == [f"t{number}" for number in range(50)]
    assert [len(each.attestations) for each in facts] == [1, 0] * 25
    assert [each.artifacts[0].fingerprint if each.artifacts else None for each in facts] == [
        f"{number:064x}" if number % 5 == 0 else None for number in range(50)
    ]


async def test_beginning_a_trail_asks_as_much_in_a_full_flow_as_in_an_empty_one(acme: Organization) -> None:
    caller = await acme.caller()
    await acme.flow(caller, "empty")

    async def cost(name: str, flow: str) -> tuple[int, int]:
        async with watched(acme.record) as (record, database):
            await record.ledger.head(acme.org_id)
            database.sent.clear()
            await service.begin(record, caller, BeginTrail(flow, name))
            return len(database.reads()), len(database.appends())

    empty = await cost("first", "empty")
    await fifty_trails(acme)

    assert empty == await cost("t51", "delivery") == await cost("t1", "delivery") == (2, 1)
