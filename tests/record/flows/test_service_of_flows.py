"""Flows over a real record: created once, changed by newer rows, read as they were at every size."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from record.access.rules import Grant, Role
from record.flows import queries, service
from record.flows.queries import Flow
from record.flows.service import ChangeFlow, CreateFlow
from record.ids import FlowId, uuid7
from record.ledger.entries import Idempotency
from record.refusals import InvalidInput, NameTaken, NotAllowed, NotFound, Refusal, TooLarge
from tests.record.organizations import Organization
from tests.record.statements import watched

TESTS = "version: 1\ntrail:\n  attestations:\n    - {name: tests, type: junit}\n"
REVIEW = "version: 1\ntrail:\n  attestations:\n    - {name: review, type: pull_request}\n"
ONCE = Idempotency("terraform-1", "1" * 64)


async def flow_at(acme: Organization, size: int | None = None, name: str = "delivery") -> Flow | None:
    async with acme.record.database.connection(acme.org_id) as connection:
        return await queries.by_name(connection, await acme.moment(size), name)


async def names_of(acme: Organization, **asked: Any) -> list[str]:
    async with acme.record.database.connection(acme.org_id) as connection:
        return [flow.name for flow in await queries.page(connection, await acme.moment(), **asked)]


async def test_a_flow_is_what_was_wished(acme: Organization) -> None:
    wish = CreateFlow("delivery", "Delivery of the thing", TESTS, {"tier": "product"}, public=True)

    receipt = await service.create(acme.record, await acme.caller(), wish)

    flow = await flow_at(acme)
    assert flow is not None
    assert (flow.name, flow.description, flow.tags, flow.public) == (
        "delivery",
        "Delivery of the thing",
        {"tier": "product"},
        True,
    )
    assert (flow.version, flow.template_version, flow.template_source) == (1, 1, TESTS)
    assert (flow.entry_index, flow.created_at, flow.changed_at) == (receipt.index, receipt.at, receipt.at)


BAD_NAMES = ["", ".hidden", "-x", "~x", "a b", "a/b", "a" * 257, "a\n", "äh", "a\x00b", "half \ud83d", "a%"]


@pytest.mark.parametrize("name", BAD_NAMES)
async def test_a_bad_flow_name_is_refused(acme: Organization, name: str) -> None:
    with pytest.raises(InvalidInput, match="is not a valid flow name"):
        await service.create(acme.record, await acme.caller(), CreateFlow(name))

    assert await acme.size() == 3


@pytest.mark.parametrize(
    "wish",
    [
        CreateFlow("delivery", description="x" * 4001),
        CreateFlow("delivery", description="a\x00b"),
        CreateFlow("delivery", description="half \ud83d"),
        CreateFlow("delivery", tags={"": "x"}),
        CreateFlow("delivery", tags={"a b": "x"}),
        CreateFlow("delivery", tags={"tier": "x" * 257}),
        CreateFlow("delivery", tags={"tier": "a\x00b"}),
        CreateFlow("delivery", tags={f"t{number}": "x" for number in range(65)}),
        CreateFlow("delivery", template="version: 1\nextra: 2\n"),
        CreateFlow("delivery", template="half \ud83d"),
        CreateFlow("delivery", template=""),
        CreateFlow("delivery", template="version: 1\n# a\x00b"),
    ],
)
async def test_what_a_flow_may_not_say_is_refused_and_not_recorded(acme: Organization, wish: CreateFlow) -> None:
    with pytest.raises(InvalidInput):
        await service.create(acme.record, await acme.caller(), wish)

    assert await acme.size() == 3


@pytest.mark.parametrize(
    ("source", "line", "column"),
    [
        ("version: 1\ntrial:\n  attestations: []\n", 2, 1),
        ("version: 1\ntrail:\n  attestations:\n    - {name: tests, typ: junit}\n", 4, 21),
        ("version: 1\ntrail:\n  artifacts:\n    - name: app\n      needs: []\n", 5, 7),
    ],
)
async def test_an_unknown_key_of_a_template_is_refused_with_its_place(
    acme: Organization, source: str, line: int, column: int
) -> None:
    caller = await acme.caller()
    await acme.flow(caller)
    size = await acme.size()

    for use in (
        service.create(acme.record, caller, CreateFlow("other", template=source)),
        service.change(acme.record, caller, ChangeFlow("delivery", template=source)),
    ):
        with pytest.raises(InvalidInput, match=f"line {line}, column {column}") as refused:
            await use
        assert (refused.value.line, refused.value.column) == (line, column)

    assert await acme.size() == size


async def test_a_template_that_fills_an_entry_is_refused_and_not_recorded(acme: Organization) -> None:
    items = "".join(f"    - {{name: a{number}, type: junit}}\n" for number in range(1500))

    with pytest.raises(TooLarge):
        await service.create(
            acme.record,
            await acme.caller(),
            CreateFlow("big", template=f"version: 1\ntrail:\n  attestations:\n{items}"),
        )

    assert await acme.size() == 3


async def test_a_flows_name_is_taken_once(acme: Organization) -> None:
    caller = await acme.caller()
    await acme.flow(caller)

    with pytest.raises(NameTaken, match="A flow called delivery exists already"):
        await acme.flow(caller)


async def test_of_twenty_who_create_one_flow_one_does(acme: Organization) -> None:
    caller = await acme.caller()

    outcomes = await asyncio.gather(*(acme.flow(caller) for _ in range(20)), return_exceptions=True)

    assert sum(isinstance(outcome, NameTaken) for outcome in outcomes) == 19
    assert await acme.size() == 4


async def test_twenty_identical_requests_create_one_flow_and_all_get_its_receipt(acme: Organization) -> None:
    caller = await acme.caller()

    receipts = await asyncio.gather(
        *(service.create(acme.record, caller, CreateFlow("delivery"), idempotency=ONCE) for _ in range(20))
    )

    assert {receipt.body["flow_id"] for receipt in receipts} == {receipts[0].body["flow_id"]}
    assert await acme.size() == 4


# --- changing


async def test_what_is_not_said_of_a_flow_stays(acme: Organization) -> None:
    caller = await acme.caller()
    await service.create(acme.record, caller, CreateFlow("delivery", "first", TESTS, {"tier": "product"}))
    await service.change(acme.record, caller, ChangeFlow("delivery", description="second"))

    flow = await flow_at(acme)

    assert flow is not None
    assert (flow.version, flow.description, flow.tags, flow.public) == (2, "second", {"tier": "product"}, False)
    assert (flow.template_version, flow.template_source) == (1, TESTS)


async def test_another_template_gets_the_next_number_and_the_same_text_does_not(acme: Organization) -> None:
    caller = await acme.caller()
    await acme.flow(caller, template=TESTS)
    await service.change(acme.record, caller, ChangeFlow("delivery", template=TESTS))
    await service.change(acme.record, caller, ChangeFlow("delivery", template=REVIEW))
    await service.change(acme.record, caller, ChangeFlow("delivery", template=TESTS))
    flow = await flow_at(acme)
    assert flow is not None

    async with acme.record.database.connection(acme.org_id) as connection:
        versions = await queries.template_versions(connection, await acme.moment(), flow.flow_id, limit=10)
        first = await queries.template_versions(connection, await acme.moment(4), flow.flow_id, limit=10)

    assert [(each.version, each.source) for each in versions] == [(3, TESTS), (2, REVIEW), (1, TESTS)]
    assert [each.version for each in first] == [1]
    assert (flow.version, flow.template_version) == (4, 3)


async def test_a_flow_is_read_as_it_was_at_each_size(acme: Organization) -> None:
    caller = await acme.caller()
    made = [
        await service.create(acme.record, caller, CreateFlow("delivery", "first", TESTS)),
        await service.change(acme.record, caller, ChangeFlow("delivery", description="second")),
        await service.change(acme.record, caller, ChangeFlow("delivery", template=REVIEW)),
    ]

    seen = [await flow_at(acme, receipt.index + 1) for receipt in made]

    assert await flow_at(acme, made[0].index) is None
    assert [(flow.description, flow.template_source) for flow in seen if flow] == [
        ("first", TESTS),
        ("second", TESTS),
        ("second", REVIEW),
    ]
    assert {flow.created_at for flow in seen if flow} == {made[0].at}


async def test_changes_at_once_build_on_each_other(acme: Organization) -> None:
    caller = await acme.caller()
    await acme.flow(caller)

    await asyncio.gather(
        service.change(acme.record, caller, ChangeFlow("delivery", description="told")),
        service.change(acme.record, caller, ChangeFlow("delivery", tags={"tier": "product"})),
        service.change(acme.record, caller, ChangeFlow("delivery", public=True)),
        service.change(acme.record, caller, ChangeFlow("delivery", template=TESTS)),
    )

    flow = await flow_at(acme)
    assert flow is not None
    assert (flow.version, flow.description, flow.tags, flow.public, flow.template_source) == (
        5,
        "told",
        {"tier": "product"},
        True,
        TESTS,
    )


@pytest.mark.parametrize("name", ["nothing", "", "a\x00b", "half \ud83d", "x" * 5000])
async def test_a_flow_that_is_not_there_is_refused(acme: Organization, name: str) -> None:
    with pytest.raises(Refusal) as refused:
        await service.change(acme.record, await acme.caller(), ChangeFlow(name, description="x"))

    assert isinstance(refused.value, (NotFound, InvalidInput))
    assert len(refused.value.message) < 300


# --- who may


async def test_a_narrowed_writer_creates_and_changes_only_its_flows(acme: Organization) -> None:
    narrowed = await acme.hired("will", Grant(Role.WRITER, frozenset({"mine"})))
    await acme.flow(acme.operator, "theirs")

    await service.create(acme.record, narrowed, CreateFlow("mine"))
    await service.change(acme.record, narrowed, ChangeFlow("mine", public=True))
    for use in (
        service.create(acme.record, narrowed, CreateFlow("other")),
        service.change(acme.record, narrowed, ChangeFlow("theirs", public=True)),
        service.change(acme.record, narrowed, ChangeFlow("nothing", public=True)),
    ):
        with pytest.raises(NotAllowed):
            await use


@pytest.mark.parametrize("role", [Role.READER, Role.AUDITOR, Role.APPROVER, Role.SNAPSHOTTER])
async def test_who_may_not_record_creates_no_flow(acme: Organization, role: Role) -> None:
    caller = await acme.hired("rea", role)

    with pytest.raises(NotAllowed, match="may not record in the flow delivery"):
        await acme.flow(caller)


# --- pages


async def test_pages_of_flows_go_both_ways_and_miss_none(acme: Organization) -> None:
    caller = await acme.caller()
    everything = ["Z", "a", "a-1", "a.1", "a1", "b", "b~", "c_d"]
    for name in reversed(everything):
        await acme.flow(caller, name)
    everything.sort()

    forwards: list[str] = []
    while page := await names_of(acme, limit=3, after=forwards[-1] if forwards else None):
        forwards += page
    backwards: list[str] = []
    while page := await names_of(acme, limit=3, before=backwards[0] if backwards else "~~"):
        backwards[:0] = page

    assert forwards == everything
    assert backwards == everything
    assert await names_of(acme, limit=10, after="a", before="b") == ["a-1", "a.1", "a1"]


async def test_a_page_shows_a_narrowed_reader_only_its_flows(acme: Organization) -> None:
    caller = await acme.caller()
    for name in ("a", "b", "c"):
        await acme.flow(caller, name)

    assert await names_of(acme, limit=10, readable=frozenset({"c", "a", "x"})) == ["a", "c"]
    assert await names_of(acme, limit=10, readable=frozenset()) == []


async def test_public_flows_are_those_that_are_public_now(acme: Organization) -> None:
    caller = await acme.caller()
    await service.create(acme.record, caller, CreateFlow("open", public=True))
    await service.create(acme.record, caller, CreateFlow("closed", public=True))
    await service.change(acme.record, caller, ChangeFlow("closed", public=False))

    async with acme.record.database.connection(acme.org_id) as connection:
        names = await queries.public_names(connection, await acme.moment())

    assert names == {"open"}


async def test_flows_come_in_the_order_asked_with_gaps_where_there_is_none(acme: Organization) -> None:
    caller = await acme.caller()
    ids = [FlowId(UUID((await acme.flow(caller, name)).body["flow_id"])) for name in ("a", "b")]

    async with acme.record.database.connection(acme.org_id) as connection:
        found = await queries.by_ids(connection, await acme.moment(), [ids[1], FlowId(uuid7()), ids[0], ids[1]])

    assert [flow and flow.name for flow in found] == ["b", None, "a", "b"]


async def test_creating_a_flow_is_one_question_and_one_append(acme: Organization) -> None:
    caller = await acme.caller()
    async with watched(acme.record) as (record, database):
        await record.ledger.head(acme.org_id)
        database.sent.clear()

        await service.create(record, caller, CreateFlow("delivery", template=TESTS))

        assert (len(database.reads()), len(database.appends())) == (1, 1)
