"""Snapshots over a real record: numbered on change, recorded as what changed, read as they were at every size."""

import asyncio

import pytest

from record.access.rules import Grant, Role
from record.artifacts import service as artifacts
from record.artifacts.service import ReportArtifact
from record.environments import queries, reporting, snapshots
from record.environments.members import Reported
from record.environments.reporting import ReportSnapshot
from record.ledger.entries import Idempotency
from record.refusals import InvalidInput, NotAllowed, NotFound
from tests.record.environments.places import Place, digest, member
from tests.record.organizations import Organization
from tests.record.statements import watched

THOUSANDS = 10_000


@pytest.fixture
async def prod(acme: Organization) -> Place:
    return await Place.make(acme)


def kinds(events: list[snapshots.Event]) -> list[tuple[int, str, str]]:
    return [(event.number, event.kind, event.name) for event in reversed(events)]


async def test_the_first_report_is_snapshot_one(prod: Place) -> None:
    reported = await prod.runs(1, 2)

    assert (reported.number, reported.is_new, reported.refused) == (1, True, ())
    assert await prod.running_names() == ["app-1", "app-2"]
    assert kinds(await prod.events()) == [(1, "started", "app-1"), (1, "started", "app-2")]


async def test_an_empty_report_is_a_snapshot_of_nothing(prod: Place) -> None:
    assert (await prod.runs()).number == 1
    assert await prod.running() == []
    assert (await prod.runs()).is_new is False


async def test_a_report_that_changes_nothing_appends_nothing_and_moves_the_last_report(prod: Place) -> None:
    first = await prod.runs(1, 2)
    size = await prod.organization.size()
    instant = prod.organization.record.clock.now()

    again = await prod.runs(2, 1)

    assert (again.number, again.is_new) == (1, False)
    assert (again.receipt.index, again.receipt.leaf_hash) == (first.receipt.index, first.receipt.leaf_hash)
    assert await prod.organization.size() == size
    async with prod.organization.record.database.connection(prod.caller.org_id) as connection:
        from_ops = await queries.last_reports(
            connection, await prod.organization.moment(), [(await prod.environment()).environment_id]
        )
    assert from_ops[0] is not None
    assert from_ops[0] >= instant


async def test_what_starts_and_stops_makes_a_snapshot_and_events(prod: Place) -> None:
    await prod.runs(1, 2)
    second = await prod.runs(2, 3)

    assert second.number == 2
    assert await prod.running_names() == ["app-2", "app-3"]
    assert kinds(await prod.events())[2:] == [(2, "stopped", "app-1"), (2, "started", "app-3")]


async def test_every_snapshot_stays_as_it_was(prod: Place) -> None:
    sets = [(1, 2), (2, 3), (), (1,), (1, 2, 3, 4), (4,)]
    sizes = []
    for numbers in sets:
        await prod.runs(*numbers)
        sizes.append(await prod.organization.size())

    for place, (numbers, size) in enumerate(zip(sets, sizes, strict=True), start=1):
        expected = [f"app-{number}" for number in numbers]
        assert [each.member.name for each in await prod.at_number(place)] == expected
        assert await prod.running_names(size) == expected


async def test_counts_alone_number_no_snapshot_and_are_recorded_with_the_next_one(prod: Place) -> None:
    await prod.report(member(1, instances=2), member(2))
    assert not (await prod.report(member(1, instances=5), member(2))).is_new

    await prod.report(member(1, instances=5), member(2), member(3))

    assert kinds(await prod.events())[2:] == [(2, "scaled", "app-1"), (2, "started", "app-3")]
    scaled = (await prod.events())[1]
    assert (scaled.instances_before, scaled.instances) == (2, 5)
    assert (await prod.newest()).scaled == 1  # type: ignore[union-attr]


async def test_the_same_digest_several_times_is_one_member_with_the_instances_of_all(prod: Place) -> None:
    said = [
        Reported(digest(1), "app", None, ["2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"], {"pod": "a"}),
        Reported(digest(1), "app", None, ["2026-01-01T00:00:00Z"], {"pod": "b"}),
    ]
    await prod.report(*said)

    (running,) = await prod.running()

    assert running.member.instances == 3
    assert running.member.created[0] == "2026-01-03T00:00:00.000000Z"
    assert running.member.facts == ({"pod": "a"}, {"pod": "b"})


async def test_a_member_that_becomes_known_to_a_flow_numbers_a_snapshot(prod: Place) -> None:
    acme, ada = prod.organization, await prod.organization.caller()
    await prod.runs(1)
    await acme.flow(ada)
    await acme.trail(ada)
    await artifacts.report(acme.record, ada, ReportArtifact("delivery", "t1", "app", digest(1), "app"))

    second = await prod.runs(1)

    assert second.number == 2
    assert kinds(await prod.events())[1:] == [(2, "provenance", "app-1")]
    assert (await prod.running())[0].member.flows == ("delivery",)
    assert (await prod.events())[0].flows_before == ()


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (Reported("", "empty-pod"), "names no digest"),
        (Reported("abc", "short-pod"), "not a SHA-256"),
        (Reported(digest(9), ""), "name does not have"),
        (Reported(digest(9), "many", 0), "no count of instances"),
        (Reported(digest(9), "early", None, ["yesterday"]), "no instant of creation"),
        (Reported(digest(9), "local", None, ["2026-01-01T00:00:00"]), "no instant of creation"),
        (Reported(digest(9), "facts", None, (), ["pod"]), "not a JSON object"),
        (Reported(digest(9), "pods", None, (), {"pods": "one"}), "pods is not a list"),
        (Reported(digest(9), "big", None, (), {"text": "x" * 5_000}), "Give at most"),
        (Reported(digest(9), "half\ud800"), "cannot be recorded"),
    ],
)
async def test_a_malformed_member_is_refused_alone_and_named(prod: Place, bad: Reported, reason: str) -> None:
    reported = await prod.report(member(1), bad, member(2))

    assert await prod.running_names() == ["app-1", "app-2"]
    (refused,) = reported.refused
    assert refused.place == 1
    assert reason in refused.why
    newest = await prod.newest()
    assert newest is not None
    assert newest.is_partial
    assert newest.refused[0]["place"] == 1


async def test_a_report_of_nothing_but_malformed_members_is_refused_whole(prod: Place) -> None:
    await prod.runs(1)

    with pytest.raises(InvalidInput, match="None of the 2 members can be read, so nothing was recorded"):
        await prod.report(Reported("", "a"), Reported("", "b"))

    assert await prod.running_names() == ["app-1"]


async def test_becoming_partial_and_whole_again_numbers_snapshots(prod: Place) -> None:
    await prod.runs(1)
    assert (await prod.report(member(1), Reported("", "broken"))).number == 2
    assert (await prod.report(member(1), Reported("", "broken"))).is_new is False
    assert (await prod.runs(1)).number == 3


async def test_runs_begin_and_end_with_snapshots(prod: Place) -> None:
    await prod.runs(1)
    await prod.runs(2)
    await prod.runs(1, 2)

    first, second = await prod.runs_of(1)

    assert (first.since_number, first.until_number) == (1, 2)
    assert first.until is not None
    assert first.since < first.until
    assert (second.since_number, second.until, second.until_number) == (3, None, None)


async def test_a_run_survives_snapshots_that_do_not_concern_it(prod: Place) -> None:
    await prod.runs(1)
    for other in range(2, 6):
        await prod.runs(1, other)

    (run,) = await prod.runs_of(1)
    (running, _) = await prod.running()

    assert (run.since_number, run.until) == (1, None)
    assert (running.since_number, running.since) == (1, run.since)


async def test_reading_does_not_grow_with_the_number_of_snapshots(prod: Place) -> None:
    for number in range(400):
        await prod.runs(1000, number)

    newest = await prod.newest()

    assert newest is not None
    assert (newest.number, newest.keyframe > 1, newest.rows_since < 300) == (400, True, True)
    assert await prod.running_names() == ["app-1000", "app-399"]
    assert [each.member.name for each in await prod.at_number(newest.keyframe)] == [
        "app-1000",
        f"app-{newest.keyframe - 1}",
    ]
    assert (await prod.running())[0].since_number == 1


async def test_two_reports_at_once_are_compared_one_after_the_other(prod: Place) -> None:
    reported = await asyncio.gather(*(prod.runs(number) for number in range(1, 9)))

    assert sorted(each.number for each in reported) == list(range(1, 9))
    assert len(await prod.running()) == 1


async def test_the_same_report_again_with_its_idempotency_key_is_one_snapshot(prod: Place) -> None:
    once = Idempotency("cron-1", "1" * 64)
    wish = ReportSnapshot("prod", [member(1)])

    first = await reporting.report(prod.organization.record, prod.caller, wish, idempotency=once)
    await prod.runs(2)
    again = await prod.organization.record.ledger.prior(prod.caller, once)

    assert again is not None
    assert again.index == first.receipt.index


async def test_ten_thousand_members_are_one_snapshot_in_few_statements(prod: Place) -> None:
    facts = {"namespace": "shop", "owners": [{"kind": "ReplicaSet", "name": "web-5d4f8c7b9"}]}
    created = ["2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"]
    members = [
        Reported(digest(n), f"registry.example.com/shop/service-{n}:v1.2.3", 2, created, {**facts, "pod": f"web-{n}"})
        for n in range(THOUSANDS)
    ]
    wish = ReportSnapshot("prod", members)
    async with watched(prod.organization.record) as (record, database):
        first = await reporting.report(record, prod.caller, wish)
        statements = [len(database.sent)]
        again = await reporting.report(record, prod.caller, wish)
        statements.append(len(database.sent))
        second = await reporting.report(record, prod.caller, ReportSnapshot("prod", [*members[1:], member(THOUSANDS)]))
        statements.append(len(database.sent))

    assert (first.is_new, again.is_new, second.is_new) == (True, False, True)
    assert statements[0] <= 15, database.sent
    assert statements[1] - statements[0] <= 4, database.sent
    assert statements[2] - statements[1] <= 5, database.sent
    assert len(await prod.running()) == THOUSANDS
    newest = await prod.newest()
    assert newest is not None
    assert (newest.number, newest.artifacts, newest.started, newest.stopped) == (2, THOUSANDS, 1, 1)


async def test_a_snapshot_is_not_there_before_its_last_entry(prod: Place) -> None:
    await prod.runs(1)
    size = await prod.organization.size()
    await prod.report(*(member(number, facts={"text": "x" * 1_000}) for number in range(2, 400)))
    end = await prod.organization.size()
    assert end > size + 3

    assert await prod.running_names(end - 1) == ["app-1"]
    assert [event.number for event in await prod.events(end - 1)] == [1]
    assert await prod.runs_of(2, end - 1) == []
    assert (await prod.runs_of(1, end - 1))[0].until is None
    assert len(await prod.running()) == 398


async def test_events_are_paged_by_where_they_stand(prod: Place) -> None:
    for number in range(1, 8):
        await prod.runs(number)
    everything = await prod.events()
    paged = []
    after = None

    while True:
        some = await prod.events(limit=3, older_than=after)
        if not some:
            break
        paged += some
        after = (some[-1].entry_index, some[-1].place)

    assert paged == everything
    assert len(everything) == 13
    middle = everything[6]
    newer = await prod.events(limit=2, newer_than=(middle.entry_index, middle.place))
    assert newer == everything[4:6]
    assert await prod.events(since=everything[1].entry_index, until=everything[0].entry_index) == []


async def test_only_those_who_may_report_there_may_report(acme: Organization, prod: Place) -> None:
    reporter = await acme.hired("rita", Grant(Role.SNAPSHOTTER, environments=frozenset({"prod"})))
    reader = await acme.hired("rhea", Role.READER)
    await Place.make(acme, "staging")
    wish = ReportSnapshot("prod", [member(1)])

    assert (await reporting.report(acme.record, await acme.caller("rita"), wish)).number == 1
    with pytest.raises(NotAllowed, match="report snapshots in the environment staging"):
        await reporting.report(acme.record, reporter, ReportSnapshot("staging", []))
    with pytest.raises(NotAllowed):
        await reporting.report(acme.record, reader, wish)


async def test_reports_to_what_is_not_there_or_takes_none_are_refused(acme: Organization, prod: Place) -> None:
    await Place.make(acme, "everywhere", "logical", included=("prod",))

    with pytest.raises(NotFound, match="no environment called nowhere"):
        await reporting.report(acme.record, prod.caller, ReportSnapshot("nowhere", []))
    with pytest.raises(InvalidInput, match="everywhere is logical"):
        await reporting.report(acme.record, prod.caller, ReportSnapshot("everywhere", []))


async def test_what_runs_with_one_organization_is_nothing_to_another(prod: Place, globex: Organization) -> None:
    await prod.runs(1)
    environment = await prod.environment()
    newest = await prod.newest()
    assert newest is not None
    moment = await globex.moment()
    async with prod.organization.record.database.connection(globex.org_id) as connection:
        ids = [environment.environment_id]

        assert await snapshots.newest(connection, moment, ids) == [None]
        assert await snapshots.running_in(connection, moment, [newest]) == [[]]
        assert await snapshots.events(connection, moment, ids, limit=9) == []
        assert await snapshots.runs_of(connection, moment, [digest(1)]) == [[]]
        assert await snapshots.page(connection, moment, environment.environment_id, limit=9) == []
        assert await snapshots.numbered(connection, moment, environment.environment_id, 1) is None
        assert await snapshots.to_compare(connection, moment, "prod") == (None, None)


async def test_the_names_of_what_ran_are_those_of_its_members(prod: Place) -> None:
    await prod.runs(1, 2)
    await prod.runs(2, 3)
    await prod.report(member(2, name="renamed"), member(4))
    async with prod.organization.record.database.connection(prod.caller.org_id) as connection:
        moment = await prod.organization.moment()
        environment_id = (await prod.environment()).environment_id
        found = [await snapshots.numbered(connection, moment, environment_id, number) for number in (1, 2, 3)]
        ran = [snapshot for snapshot in found if snapshot is not None]

        names = await snapshots.names_in(connection, moment, ran)
        members = await snapshots.members_in(connection, moment, ran)

    assert [sorted(each) for each in names] == [
        sorted((one.fingerprint, one.name) for one, _ in there) for there in members
    ]
    assert sorted(names[2]) == [(digest(2), "renamed"), (digest(4), "app-4")]
