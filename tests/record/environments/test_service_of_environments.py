"""Environments over a real record: created once, changed by newer rows, archived and never deleted."""

import pytest

from record.access.rules import Grant, Role
from record.environments import queries, service
from record.environments.members import TYPES
from record.environments.service import ChangeEnvironment, CreateEnvironment
from record.refusals import InvalidInput, NameTaken, NotAllowed, NotFound
from tests.record.environments.places import Place
from tests.record.organizations import Organization


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind != "logical"])
async def test_every_type_can_be_created(acme: Organization, kind: str) -> None:
    place = await Place.make(acme, "prod", kind, description="Where it runs", tags={"tier": "1"}, cadence_seconds=900)

    made = await place.environment()

    assert (made.type, made.description, made.tags) == (kind, "Where it runs", {"tier": "1"})
    assert (made.cadence_seconds, made.grace_seconds, made.archived, made.version) == (900, 900, False, 1)


async def test_a_logical_environment_unites_others(acme: Organization) -> None:
    for name in ("eu", "us"):
        await Place.make(acme, name)
    world = await (await Place.make(acme, "world", "logical", included=("eu", "us", "eu"))).environment()

    assert len(world.included) == 2
    assert world.places == world.included
    await Place.make(acme, "jp")
    await service.change(acme.record, await acme.caller(), ChangeEnvironment("world", included=("jp",)))
    assert len((await Place(acme, await acme.caller(), "world").environment()).included) == 1


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (CreateEnvironment("x", "mainframe"), "no type of environment"),
        (CreateEnvironment("-x", "k8s"), "not a valid environment name"),
        (CreateEnvironment("x", "k8s", included=("eu",)), "Only a logical environment"),
        (CreateEnvironment("x", "logical"), "includes 1 to 200 others"),
        (CreateEnvironment("x", "logical", included=("world",)), "itself logical"),
        (CreateEnvironment("x", "logical", included=("gone",)), "is archived"),
        (CreateEnvironment("x", "logical", included=("eu",), cadence_seconds=60), "no report can be overdue"),
        (CreateEnvironment("x", "k8s", cadence_seconds=-5), "out of range"),
        (CreateEnvironment("x", "k8s", tags={"a b": "c"}), "not a valid tag"),
        (CreateEnvironment("x", "k8s", description="x" * 5_000), "characters"),
    ],
)
async def test_what_makes_no_sense_is_refused(acme: Organization, wish: CreateEnvironment, reason: str) -> None:
    eu = await Place.make(acme, "eu")
    await Place.make(acme, "gone")
    await Place.make(acme, "world", "logical", included=("eu",))
    await service.archive(acme.record, eu.caller, "gone")

    with pytest.raises(InvalidInput, match=reason):
        await service.create(acme.record, eu.caller, wish)


async def test_a_name_is_taken_once(acme: Organization) -> None:
    place = await Place.make(acme)

    with pytest.raises(NameTaken, match="Change it with changeEnvironment"):
        await Place.make(acme)
    with pytest.raises(NotFound, match="no environment called nowhere"):
        await service.change(acme.record, place.caller, ChangeEnvironment("nowhere"))
    with pytest.raises(NotFound, match="no environment called nowhere"):
        await service.create(acme.record, place.caller, CreateEnvironment("x", "logical", included=("nowhere",)))


async def test_a_change_is_a_newer_row_and_the_older_ones_stay(acme: Organization) -> None:
    place = await Place.make(acme, cadence_seconds=60)
    size = await acme.size()

    await service.change(acme.record, place.caller, ChangeEnvironment("prod", description="new", cadence_seconds=0))
    await service.change(acme.record, place.caller, ChangeEnvironment("prod", tags={"a": "b"}, grace_seconds=5))

    now, then = await place.environment(), await place.environment(size)
    assert (now.version, now.description, now.tags, now.cadence_seconds, now.grace_seconds) == (
        *(3, "new", {"a": "b"}, None, 5),
    )
    assert (then.version, then.description, then.cadence_seconds) == (1, "", 60)


async def test_an_archived_environment_takes_nothing_and_keeps_everything(acme: Organization) -> None:
    place = await Place.make(acme)
    await place.runs(1)
    await service.archive(acme.record, place.caller, "prod")

    for attempt in (place.runs(2), service.change(acme.record, place.caller, ChangeEnvironment("prod", "x"))):
        with pytest.raises(InvalidInput, match="prod is archived"):
            await attempt
    assert await place.running_names() == ["app-1"]
    async with acme.record.database.connection(acme.org_id) as connection:
        moment = await acme.moment()
        assert await queries.page(connection, moment, limit=5) == []
        assert len(await queries.page(connection, moment, limit=5, archived=True)) == 1
    await service.change(acme.record, place.caller, ChangeEnvironment("prod", archived=False))
    assert (await place.runs(2)).number == 2


async def test_a_writer_for_some_environments_makes_only_these(acme: Organization) -> None:
    wendy = await acme.hired("wendy", Grant(Role.WRITER, environments=frozenset({"staging"})))

    await service.create(acme.record, wendy, CreateEnvironment("staging", "k8s"))
    with pytest.raises(NotAllowed, match="in the environment prod"):
        await service.create(acme.record, wendy, CreateEnvironment("prod", "k8s"))
