"""Readers without a key: they see what was opened to everyone, and record nothing."""

import pytest

from record.access import service
from record.access.anonymous import recognise_anyone
from record.access.rules import Action
from record.access.service import ChangeOrganization
from record.flows import service as flows
from record.flows.service import CreateFlow
from record.record import Record
from record.refusals import NotAllowed, NotFound, Refusal, Unauthenticated
from tests.record.organizations import Organization


async def test_a_closed_organization_and_one_that_does_not_exist_are_the_same_refusal(
    record: Record, acme: Organization
) -> None:
    told = []
    for name in (acme.name, "nobody", "", "a\x00b", "half \ud83d"):
        with pytest.raises(Refusal) as refused:
            await recognise_anyone(record, name)
        told.append(refused.value)

    assert isinstance(told[0], Unauthenticated)
    assert {each.message for each in told[:3]} == {told[0].message}


async def test_anyone_reads_the_flows_that_were_opened_and_no_other(acme: Organization) -> None:
    admin = await acme.caller()
    await acme.flow(admin, "closed")
    await flows.create(acme.record, admin, CreateFlow("open", public=True))

    anyone = await recognise_anyone(acme.record, acme.name)

    assert anyone.readable_flows() == frozenset({"open"})
    assert not anyone.may(Action.READ)
    assert [action for action in Action if anyone.may(action, flow="open")] == [Action.READ]


async def test_anyone_reads_everything_of_an_organization_that_was_opened_until_it_is_closed(
    acme: Organization,
) -> None:
    await service.change_organization(acme.record, await acme.caller(), ChangeOrganization(public=True))
    anyone = await recognise_anyone(acme.record, acme.name)
    await service.change_organization(acme.record, await acme.caller(), ChangeOrganization(public=False))

    assert [action for action in Action if anyone.may(action)] == [Action.READ]
    with pytest.raises(Unauthenticated):
        await recognise_anyone(acme.record, acme.name)


async def test_anyone_records_nothing(acme: Organization) -> None:
    admin = await acme.caller()
    await flows.create(acme.record, admin, CreateFlow("open", public=True))
    anyone = await recognise_anyone(acme.record, acme.name)
    assert admin.key_id is not None
    size = await acme.size()

    for use in (
        service.issue_key(acme.record, anyone, principal_id=anyone.principal_id, description="mine"),
        service.issue_key(acme.record, anyone, principal_id=admin.principal_id, description="mine"),
        service.rotate_key(acme.record, anyone, key_id=admin.key_id),
        service.revoke_key(acme.record, anyone, key_id=admin.key_id, reason="spite"),
        acme.trail(anyone, flow="open"),
        acme.upload(anyone, b"mine"),
    ):
        with pytest.raises((NotAllowed, NotFound)):
            await use

    assert await acme.size() == size
