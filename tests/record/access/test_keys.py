"""Keys that open and keys that do not: one refusal for all of the latter, and no moment too late."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from record.access import queries, service, tokens
from record.access.rules import Caller, Grant, Role
from record.ids import KeyId, uuid7
from record.ledger.append import AccessChanged, Ledger
from record.readings import rows_of
from record.record import Record
from record.refusals import InvalidInput, NotAllowed, NotFound, Refusal, Unauthenticated
from tests.record.clocks import MovableClock
from tests.record.ledger.harness import draft
from tests.record.organizations import Organization

ONE_REFUSAL = "This key is unknown, expired or revoked. Ask an admin of your organization for a new one."


async def key_of(acme: Organization, name: str) -> KeyId:
    caller = await acme.caller(name)
    assert caller.key_id is not None
    return caller.key_id


async def unknown(acme: Organization, clock: MovableClock) -> None:
    acme.tokens["rea"] = tokens.new_token(acme.org_id)


async def expired(acme: Organization, clock: MovableClock) -> None:
    clock.ahead = timedelta(days=service.KEY_DAYS_DEFAULT, seconds=1)


async def revoked(acme: Organization, clock: MovableClock) -> None:
    await service.revoke_key(acme.record, await acme.caller(), key_id=await key_of(acme, "rea"), reason="lost laptop")


async def disabled(acme: Organization, clock: MovableClock) -> None:
    await service.change_principal(acme.record, await acme.caller(), name="rea", disabled=True)


@pytest.mark.parametrize("undo", [unknown, expired, revoked, disabled])
async def test_whatever_is_wrong_with_a_key_it_is_the_same_refusal(
    acme: Organization, clock: MovableClock, undo: Callable[[Organization, MovableClock], Awaitable[None]]
) -> None:
    await acme.hire("rea", Role.READER)
    await acme.caller("rea")

    await undo(acme, clock)

    with pytest.raises(Unauthenticated) as refused:
        await acme.caller("rea")
    assert refused.value.message == ONE_REFUSAL


async def test_a_token_of_no_organization_is_refused_like_any_other(record: Record) -> None:
    with pytest.raises(Refusal) as refused:
        await service.recognise(record, tokens.new_token(uuid7()))  # type: ignore[arg-type]

    assert "organization" in refused.value.message


async def test_a_key_opens_until_the_instant_of_its_expiry_and_not_at_it(
    acme: Organization, clock: MovableClock
) -> None:
    issued_at = clock.stop()
    await acme.hire("rea", Role.READER)

    clock.stop(issued_at + timedelta(days=service.KEY_DAYS_DEFAULT, microseconds=-1))
    await acme.caller("rea")

    clock.stop(issued_at + timedelta(days=service.KEY_DAYS_DEFAULT))
    with pytest.raises(Unauthenticated):
        await acme.caller("rea")


async def test_a_disabled_principal_can_be_enabled_again(acme: Organization) -> None:
    await acme.hire("rea", Role.READER)
    await service.change_principal(acme.record, await acme.caller(), name="rea", disabled=True)
    await service.change_principal(acme.record, await acme.caller(), name="rea", disabled=False)

    assert (await acme.caller("rea")).principal == "rea"


async def test_changed_roles_count_for_the_next_recognition(acme: Organization) -> None:
    await acme.hire("rea", Role.READER)

    await service.change_principal(acme.record, await acme.caller(), name="rea", grants=[Grant(Role.WRITER)])

    assert (await acme.caller("rea")).grants == (Grant(Role.WRITER),)


async def test_a_revocation_counts_at_once_even_when_the_ledger_is_ahead_of_this_clock(acme: Organization) -> None:
    fast = Ledger(acme.record.database, MovableClock(timedelta(minutes=5)), rows_of)
    await acme.hire("rea", Role.READER)
    key_id = await key_of(acme, "rea")
    head = await fast.head(acme.org_id)
    await fast.append(acme.operator, draft())

    await service.revoke_key(acme.record, await acme.caller(), key_id=key_id, reason="lost laptop")

    assert (await acme.record.ledger.head(acme.org_id)).at > head.at + timedelta(minutes=4)
    with pytest.raises(Unauthenticated):
        await acme.caller("rea")


async def test_a_caller_recognised_before_the_revocation_records_nothing_after_it(acme: Organization) -> None:
    caller = await acme.hired("will", Role.WRITER)
    assert caller.key_id is not None
    await service.revoke_key(acme.record, await acme.caller(), key_id=caller.key_id, reason="stolen")
    size = await acme.size()

    with pytest.raises(AccessChanged):
        await acme.flow(caller)

    assert await acme.size() == size


async def test_appends_that_wait_in_line_behind_a_revocation_are_refused(acme: Organization) -> None:
    caller = await acme.hired("will", Role.WRITER)
    admin = await acme.caller()
    assert caller.key_id is not None
    ledger = acme.record.ledger
    drafts = [draft() for _ in range(12)]
    size = await acme.size()

    before = [asyncio.create_task(ledger.append(caller, draft)) for draft in drafts[:6]]
    await asyncio.sleep(0)
    revoking = asyncio.create_task(service.revoke_key(acme.record, admin, key_id=caller.key_id, reason="stolen"))
    outcomes = list(await asyncio.gather(*before, return_exceptions=True))
    await revoking
    after = [asyncio.create_task(ledger.append(caller, draft)) for draft in drafts[6:]]
    outcomes += await asyncio.gather(*after, return_exceptions=True)

    recorded = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert all(isinstance(outcome, AccessChanged) for outcome in outcomes[6:])
    assert all(receipt.index < revoking.result().index for receipt in recorded)
    assert await acme.size() == size + len(recorded) + 1


# --- issuing


async def test_a_key_is_shown_once_and_only_its_hash_is_kept(acme: Organization) -> None:
    caller = await acme.hired("rea", Role.READER)

    async with acme.record.database.connection(acme.org_id) as connection:
        contents = await connection.fetch("SELECT content FROM record.entries")
    token = acme.tokens["rea"].encode()

    assert caller.key_id is not None
    assert not [row for row in contents if token in row["content"] or token[26:69] in row["content"]]


@pytest.mark.parametrize("days", [0, -1, service.KEY_DAYS_MAX + 1])
async def test_a_key_lives_between_a_day_and_ten_years(acme: Organization, days: int) -> None:
    admin = await acme.caller()

    with pytest.raises(InvalidInput, match="no life for a key"):
        await service.issue_key(
            acme.record, admin, principal_id=admin.principal_id, description="ci", expires_in_days=days
        )


async def test_a_key_for_nobody_is_refused(acme: Organization) -> None:
    admin = await acme.caller()
    size = await acme.size()

    with pytest.raises(NotFound):
        await service.issue_key(acme.record, admin, principal_id=uuid7(), description="ci")  # type: ignore[arg-type]

    assert await acme.size() == size


async def test_only_admins_issue_keys_to_others(acme: Organization) -> None:
    other = await acme.hire("rea", Role.READER)
    will = await acme.hired("will", Role.WRITER)

    with pytest.raises(NotAllowed):
        await service.issue_key(acme.record, will, principal_id=other, description="mine now")

    own = await service.issue_key(acme.record, will, principal_id=will.principal_id, description="laptop")
    assert own.token is not None


WIDER = [[Grant(Role.ADMIN)], [Grant(Role.WRITER)], [Grant(Role.READER), Grant(Role.WRITER)]]


@pytest.mark.parametrize("scopes", WIDER)
async def test_a_narrowed_key_issues_none_that_is_wider(acme: Organization, scopes: list[Grant]) -> None:
    narrowed = await acme.hired("will", Role.WRITER, scopes=[Grant(Role.READER)])

    with pytest.raises(NotAllowed, match="only keys with its own scopes"):
        await service.issue_key(
            acme.record, narrowed, principal_id=narrowed.principal_id, description="wider", scopes=scopes
        )


async def test_a_narrowed_key_that_leaves_scopes_out_issues_one_as_narrow(acme: Organization) -> None:
    narrowed = await acme.hired("will", Role.WRITER, scopes=[Grant(Role.READER)])

    issued = await service.issue_key(acme.record, narrowed, principal_id=narrowed.principal_id, description="as narrow")

    assert issued.token is not None
    assert (await service.recognise(acme.record, issued.token)).scopes == (Grant(Role.READER),)


@pytest.mark.parametrize("narrow", [Role.READER, Role.WRITER])
async def test_an_admin_with_a_narrowed_key_is_no_admin(acme: Organization, narrow: Role) -> None:
    caller = await acme.hired("bob", Role.ADMIN, scopes=[Grant(narrow)])

    for use in (
        service.add_principal(acme.record, caller, name="eve", kind="person", grants=[Grant(Role.ADMIN)]),
        service.change_principal(acme.record, caller, name="ada", disabled=True),
        service.change_organization(acme.record, caller, service.ChangeOrganization(public=True)),
    ):
        with pytest.raises(NotAllowed):
            await use


async def recognised(record: Record, issued: service.IssuedKey) -> Caller:
    assert issued.token is not None
    return await service.recognise(record, issued.token)


# --- rotating and revoking


async def test_a_rotated_key_opens_until_the_overlap_is_over_and_not_at_its_end(
    acme: Organization, clock: MovableClock
) -> None:
    will = await acme.hired("will", Role.WRITER)
    assert will.key_id is not None
    now = clock.stop()

    successor = await service.rotate_key(acme.record, will, key_id=will.key_id, overlap_hours=2)

    clock.stop(now + timedelta(hours=2, microseconds=-1))
    assert (await acme.caller("will")).key_id == will.key_id
    clock.stop(now + timedelta(hours=2))
    with pytest.raises(Unauthenticated):
        await acme.caller("will")
    assert (await recognised(acme.record, successor)).principal == "will"


async def test_a_rotation_without_overlap_ends_the_old_key_at_once(acme: Organization) -> None:
    will = await acme.hired("will", Role.WRITER)
    assert will.key_id is not None

    await service.rotate_key(acme.record, will, key_id=will.key_id, overlap_hours=0)

    with pytest.raises(Unauthenticated):
        await acme.caller("will")


async def test_a_second_rotation_cannot_lengthen_the_first_ones_overlap(
    acme: Organization, clock: MovableClock
) -> None:
    will = await acme.hired("will", Role.WRITER)
    assert will.key_id is not None
    now = clock.stop()
    await service.rotate_key(acme.record, will, key_id=will.key_id, overlap_hours=1)
    await service.rotate_key(acme.record, await acme.caller("will"), key_id=will.key_id, overlap_hours=100)

    clock.stop(now + timedelta(hours=1))

    with pytest.raises(Unauthenticated):
        await acme.caller("will")


async def test_a_successor_keeps_the_scopes(acme: Organization) -> None:
    narrowed = await acme.hired("will", Role.WRITER, scopes=[Grant(Role.READER)])
    assert narrowed.key_id is not None

    successor = await service.rotate_key(acme.record, narrowed, key_id=narrowed.key_id)

    assert (await recognised(acme.record, successor)).scopes == (Grant(Role.READER),)


async def test_a_narrowed_key_touches_no_sibling(acme: Organization) -> None:
    principal_id = await acme.hire("will", Role.WRITER)
    wide = await key_of(acme, "will")
    await acme.give_key("narrowed", principal_id, scopes=[Grant(Role.READER)])
    narrowed = await acme.caller("narrowed")

    with pytest.raises(NotAllowed):
        await service.rotate_key(acme.record, narrowed, key_id=wide)
    with pytest.raises(NotAllowed):
        await service.revoke_key(acme.record, narrowed, key_id=wide, reason="spite")


async def test_nobody_but_an_admin_touches_somebody_elses_key(acme: Organization) -> None:
    await acme.hire("rea", Role.READER)
    will = await acme.hired("will", Role.WRITER)
    key_id = await key_of(acme, "rea")

    with pytest.raises(NotAllowed):
        await service.rotate_key(acme.record, will, key_id=key_id)
    with pytest.raises(NotAllowed):
        await service.revoke_key(acme.record, will, key_id=key_id, reason="spite")
    await service.revoke_key(acme.record, await acme.caller(), key_id=key_id, reason="left us")


@pytest.mark.parametrize("hours", [-1, service.OVERLAP_HOURS_MAX + 1])
async def test_an_overlap_is_at_most_a_month(acme: Organization, hours: int) -> None:
    will = await acme.hired("will", Role.WRITER)
    assert will.key_id is not None

    with pytest.raises(InvalidInput, match="out of range"):
        await service.rotate_key(acme.record, will, key_id=will.key_id, overlap_hours=hours)


async def test_a_dead_key_is_not_rotated(acme: Organization) -> None:
    await acme.hire("rea", Role.READER)
    key_id = await key_of(acme, "rea")
    await service.revoke_key(acme.record, await acme.caller(), key_id=key_id, reason="lost")

    with pytest.raises(InvalidInput, match="expired or revoked"):
        await service.rotate_key(acme.record, await acme.caller(), key_id=key_id)


async def test_a_key_that_is_not_there_is_neither_rotated_nor_revoked(acme: Organization) -> None:
    admin = await acme.caller()

    with pytest.raises(NotFound):
        await service.rotate_key(acme.record, admin, key_id=KeyId(uuid7()))
    with pytest.raises(NotFound):
        await service.revoke_key(acme.record, admin, key_id=KeyId(uuid7()), reason="tidy")


async def test_keys_are_listed_as_they_were_at_each_size(acme: Organization) -> None:
    will = await acme.hired("will", Role.WRITER)
    assert will.key_id is not None
    issued = await acme.size()
    await service.revoke_key(acme.record, will, key_id=will.key_id, reason="old")

    async with acme.record.database.connection(acme.org_id) as connection:
        before = await queries.keys(connection, await acme.moment(issued), key_id=will.key_id)
        now = await queries.keys(connection, await acme.moment(), key_id=will.key_id)
        never = await queries.keys(connection, await acme.moment(2), key_id=will.key_id)

    assert [key.revoked_at is None for key in (*before, *now)] == [True, False]
    assert never == []


async def test_last_use_is_noted_and_never_runs_backwards(acme: Organization, clock: MovableClock) -> None:
    key_id = await key_of(acme, "ada")
    now = clock.now()

    async with acme.record.database.operations() as connection:
        await queries.note_uses(connection, [(acme.org_id, key_id, now)])
        await queries.note_uses(connection, [(acme.org_id, key_id, now - timedelta(hours=1))])
        noted = await queries.last_uses(connection, acme.org_id, [KeyId(uuid7()), key_id])

    assert noted == [None, now]
