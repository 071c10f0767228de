"""Beginning organizations, their people, and what an organization settles for itself."""

import asyncio
from typing import Any

import pytest

from record.access import queries, service
from record.access.rules import Grant, Role
from record.access.service import ChangeOrganization
from record.flows import service as flows
from record.flows.service import CreateFlow
from record.ledger.append import AccessChanged
from record.ledger.entries import Idempotency
from record.record import Record
from record.refusals import InvalidInput, NameTaken, NotAllowed, NotFound
from tests.record.organizations import Organization

ONCE = Idempotency("terraform-1", "1" * 64)


async def settled(acme: Organization, size: int | None = None) -> queries.Organization:
    async with acme.record.database.connection(acme.org_id) as connection:
        found = await queries.organization(connection, await acme.moment(size))
    assert found is not None
    return found


async def test_an_organization_begins_with_three_entries_by_the_operator(acme: Organization) -> None:
    async with acme.record.database.connection(acme.org_id) as connection:
        rows = await connection.fetch("SELECT kind FROM record.entries ORDER BY entry_index")

    assert [row["kind"] for row in rows] == ["organization.created", "principal.added", "key.issued"]
    assert (await settled(acme)).origin == f"muniment.test/log/{acme.name}"
    assert (await acme.caller()).grants == (Grant(Role.ADMIN),)


@pytest.mark.parametrize("name", ["", "-acme", "Acme", "ac me", "acme/ops", "a" * 64, "acme\n", "ac\x00me", "äcme"])
async def test_a_bad_organization_name_is_refused(record: Record, name: str) -> None:
    with pytest.raises(InvalidInput, match="is not a valid organization name"):
        await service.create_organization(record, name, admin="ada")


async def test_an_organizations_name_is_taken_once(acme: Organization) -> None:
    with pytest.raises(NameTaken):
        await service.create_organization(acme.record, acme.name, admin="eve")

    assert await acme.size() == 3


async def test_an_interrupted_beginning_is_completed_by_the_same_call(record: Record) -> None:
    class Interrupted(Exception):
        pass

    def interrupt(token: str) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        await service.create_organization(record, "interrupted", admin="ada", keep=interrupt)

    kept: list[str] = []
    caller, issued = await service.create_organization(record, "interrupted", admin="ada", keep=kept.append)

    assert kept == [issued.token]
    assert issued.receipt.index == 2
    assert (await service.recognise(record, kept[0])).org_id == caller.org_id


@pytest.mark.parametrize("name", ["", " ada", "a/b", "a" * 257, "ada\x00", "ada\n"])
async def test_a_bad_persons_name_is_refused(acme: Organization, name: str) -> None:
    with pytest.raises(InvalidInput):
        await service.add_principal(acme.record, acme.operator, name=name, kind="person", grants=[])


async def test_an_unknown_kind_of_principal_is_refused(acme: Organization) -> None:
    with pytest.raises(InvalidInput, match="person or service_account"):
        await service.add_principal(acme.record, acme.operator, name="bot", kind="robot", grants=[])


async def test_a_persons_name_is_taken_once(acme: Organization) -> None:
    with pytest.raises(NameTaken, match="Somebody called ada"):
        await service.add_principal(acme.record, acme.operator, name="ada", kind="person", grants=[])


async def test_twenty_identical_requests_to_add_somebody_add_them_once(acme: Organization) -> None:
    def add() -> Any:
        return service.add_principal(
            acme.record, acme.operator, name="bot", kind="service_account", grants=[], idempotency=ONCE
        )

    receipts = await asyncio.gather(*(add() for _ in range(20)))

    assert len({receipt.entry_id for receipt in receipts}) == 1
    assert sorted(receipt.replayed for receipt in receipts) == [False, *[True] * 19]


async def test_a_key_that_is_asked_for_twice_is_shown_once(acme: Organization) -> None:
    async def ask() -> service.IssuedKey:
        admin = await acme.caller()
        return await service.issue_key(
            acme.record, admin, principal_id=admin.principal_id, description="ci", idempotency=ONCE
        )

    first, second = await ask(), await ask()

    assert first.token is not None
    assert second.token is None
    assert second.receipt.entry_id == first.receipt.entry_id


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
async def test_only_admins_administer(acme: Organization, role: Role) -> None:
    caller = await acme.hired("somebody", role)

    for use in (
        service.add_principal(acme.record, caller, name="eve", kind="person", grants=[]),
        service.change_principal(acme.record, caller, name="ada", disabled=True),
        service.change_organization(acme.record, caller, ChangeOrganization(public=True)),
    ):
        with pytest.raises(NotAllowed, match="administer the organization"):
            await use


async def test_changing_nobody_is_refused(acme: Organization) -> None:
    with pytest.raises(NotFound, match="nobody called eve"):
        await service.change_principal(acme.record, acme.operator, name="eve", disabled=True)


async def test_what_is_not_said_of_an_organization_stays(acme: Organization) -> None:
    await service.change_organization(
        acme.record, await acme.caller(), ChangeOrganization(retention_days=30, flow_name_pattern="[a-z]+-[a-z]+")
    )
    before = await acme.size()
    await service.change_organization(acme.record, await acme.caller(), ChangeOrganization(public=True))

    now, then = await settled(acme), await settled(acme, before)

    assert (now.retention_days, now.flow_name_pattern, now.public) == (30, "[a-z]+-[a-z]+", True)
    assert (then.retention_days, then.public) == (30, False)


async def test_two_changes_at_once_lose_neither(acme: Organization) -> None:
    one, two = await acme.caller(), await acme.caller()
    await service.change_organization(acme.record, one, ChangeOrganization(retention_days=30))

    with pytest.raises(AccessChanged):
        await service.change_organization(acme.record, two, ChangeOrganization(public=True))
    await service.change_organization(acme.record, await acme.caller(), ChangeOrganization(public=True))

    assert ((await settled(acme)).retention_days, (await settled(acme)).public) == (30, True)


@pytest.mark.parametrize(
    "wish",
    [
        ChangeOrganization(retention_days=0),
        ChangeOrganization(retention_days=-5),
        ChangeOrganization(retention_days=service.RETENTION_DAYS_MAX + 1),
        ChangeOrganization(flow_name_pattern="("),
        ChangeOrganization(flow_name_pattern="a)|(b"),
        ChangeOrganization(flow_name_pattern="a" * 257),
        ChangeOrganization(required_types=["junit", "vibes"]),
    ],
)
async def test_nonsense_is_not_settled(acme: Organization, wish: ChangeOrganization) -> None:
    with pytest.raises(InvalidInput):
        await service.change_organization(acme.record, await acme.caller(), wish)

    assert await acme.size() == 3


async def test_flow_names_follow_the_organizations_pattern_until_it_is_lifted(acme: Organization) -> None:
    admin = await acme.caller()
    await service.change_organization(acme.record, admin, ChangeOrganization(flow_name_pattern="[a-z]+-[a-z]+"))

    with pytest.raises(InvalidInput, match=r"matches \[a-z\]\+-\[a-z\]\+"):
        await flows.create(acme.record, await acme.caller(), CreateFlow("delivery"))
    await flows.create(acme.record, await acme.caller(), CreateFlow("payments-web"))

    await service.change_organization(acme.record, await acme.caller(), ChangeOrganization(flow_name_pattern=""))
    await flows.create(acme.record, await acme.caller(), CreateFlow("delivery"))


async def test_a_pattern_that_backtracks_does_not_stop_the_server(acme: Organization) -> None:
    await service.change_organization(acme.record, await acme.caller(), ChangeOrganization(flow_name_pattern="(a+)+b"))
    caller = await acme.caller()

    async with asyncio.timeout(5):
        with pytest.raises(InvalidInput):
            await flows.create(acme.record, caller, CreateFlow("a" * 200))


async def test_templates_ask_for_the_required_types(acme: Organization) -> None:
    await service.change_organization(acme.record, await acme.caller(), ChangeOrganization(required_types=["junit"]))
    caller = await acme.caller()

    with pytest.raises(InvalidInput, match="attestations of type junit"):
        await flows.create(acme.record, caller, CreateFlow("delivery"))
    template = "version: 1\ntrail:\n  attestations:\n    - {name: tests, type: junit}\n"
    await flows.create(acme.record, caller, CreateFlow("delivery", template=template))
