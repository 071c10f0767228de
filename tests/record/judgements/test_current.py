"""How environments stand by the judgement recorded last: whatever is called current is what the policies say, always."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from record.flows import service as flows
from record.flows.service import ChangeFlow
from record.judgements import current
from record.judgements.current import Stood, how_they_stand
from record.moment import Moment
from record.policies import service as policies
from record.policies.presence import judged_by_attached
from record.policies.service import ChangePolicy
from tests.record.environments.places import Place
from tests.record.judgements.court import FRESH, KNOWN, STAGED, Court
from tests.record.statements import watched


@pytest.fixture
async def prod(court: Court, prod: Place) -> Place:
    """Judged, and due never."""
    court.pass_time()
    await court.judge()
    return prod


async def stood(court: Court, place: Place, moment: Moment | None = None) -> Stood:
    """How it stands; if that is called current, the policies were asked, and said the same."""
    moment = moment or await court.organization.moment()
    ids = [(await place.environment()).environment_id]
    async with court.record.database.connection(court.caller.org_id) as connection:
        [found] = await how_they_stand(connection, moment, ids)
        [judged] = await judged_by_attached(connection, moment, ids)
    if found.is_current:
        assert judged is not None
        assert found.status is judged.verdict.status
    return found


async def test_what_was_judged_stands_for_as_long_as_nothing_concerns_it(court: Court, prod: Place) -> None:
    found = await stood(court, prod)
    await court.trail("t2")
    await court.artifact(2, trail="t2")
    await court.attest("tests", number=2, trail="t2")

    again = await stood(court, prod)

    assert found.is_current
    assert found.judgement is not None
    assert (found.judgement.status.value, found.holds_until) == ("INCOMPLETE", None)
    assert again == found


async def other_policy(court: Court, _prod: Place) -> None:
    await policies.change(court.record, court.caller, ChangePolicy("production", KNOWN))


async def other_tags(court: Court, _prod: Place) -> None:
    await flows.change(court.record, court.caller, ChangeFlow("delivery", tags={"tier": "product"}))


async def evidence(court: Court, _prod: Place) -> None:
    await court.attest("tests", number=1)


async def snapshot(_court: Court, prod: Place) -> None:
    await prod.runs(1, 2)


async def detached(court: Court, _prod: Place) -> None:
    await policies.detach(court.record, court.caller, policy="production", environment="prod")


async def staged(court: Court, _prod: Place) -> None:
    """Something runs elsewhere, and the policies of prod ask about that."""
    staging = await Place.make(court.organization, "staging")
    await court.policy(STAGED, "prod", name="staged")
    court.pass_time()
    await court.judge()
    assert (await stood(court, _prod)).is_current
    await staging.runs(1)


@pytest.mark.parametrize("happens", [other_policy, other_tags, evidence, snapshot, detached, staged])
async def test_what_may_change_it_ends_that_until_it_is_judged_anew(
    court: Court, prod: Place, happens: Callable[[Court, Place], Awaitable[None]]
) -> None:
    await happens(court, prod)

    between = await stood(court, prod)
    court.pass_time()
    await court.judge()
    after = await stood(court, prod)

    assert not between.is_current
    assert between.judgement is not None  # what was said last is told all the same
    assert after.is_current


async def test_a_whole_is_not_current_when_a_part_is_not(court: Court, prod: Place) -> None:
    whole = await Place.make(court.organization, "everything", "logical", included=("prod",))
    await policies.attach(court.record, court.caller, policy="production", environment="everything")
    court.pass_time()
    await court.judge()
    assert (await stood(court, whole)).is_current

    await prod.runs(1, 2)

    assert not (await stood(court, whole)).is_current


async def test_time_alone_ends_it_at_the_instant_that_is_told(court: Court, prod: Place) -> None:
    await policies.change(court.record, court.caller, ChangePolicy("production", FRESH))
    await court.attest("tests", number=1)
    court.pass_time()
    await court.judge()
    found = await stood(court, prod)
    court.pass_time(days=1)

    late = await stood(court, prod)
    await court.judge()
    after = await stood(court, prod)

    assert found.is_current
    assert found.holds_until is not None
    assert timedelta(hours=23) < found.holds_until - (await court.organization.moment()).instant + timedelta(days=1)
    assert not late.is_current
    assert after.is_current
    assert after.judgement is not None
    assert after.judgement.status.value == "INCOMPLETE"


async def test_a_reader_whose_moment_is_before_the_judgement_does_not_take_an_older_one_for_the_last_word(
    court: Court, prod: Place
) -> None:
    await court.attest("tests", number=1)
    court.pass_time()
    seen_before = await court.organization.moment()  # the head as a reader saw it, while a round was going on
    await court.judge()
    reading = Moment(seen_before.org_id, seen_before.size, court.pass_time())

    found = await stood(court, prod, reading)

    assert not found.is_current
    assert found.judgement is not None
    assert found.judgement.entry_index < seen_before.size


async def test_the_past_is_nobodys_last_word(court: Court, prod: Place) -> None:
    past = await court.organization.moment()
    await court.attest("tests", number=1)
    court.pass_time()
    await court.judge()

    found = await stood(court, prod, past)

    assert not found.is_current
    assert found.judgement is not None
    assert found.judgement.status.value == "INCOMPLETE"


async def test_when_nobody_knows_how_far_judging_came_nothing_is_current(court: Court, prod: Place) -> None:
    await court.lose_ops()

    assert not (await stood(court, prod)).is_current


async def test_a_round_that_recorded_and_did_not_move_on_is_not_taken_for_done(court: Court, prod: Place) -> None:
    before = await court.progress()
    await court.attest("tests", number=1)
    court.pass_time()
    await court.judge()
    await court.forget_the_last_round(before["size"], before["instant"])

    assert not (await stood(court, prod)).is_current


async def test_with_too_many_entries_waiting_nothing_is_current(
    court: Court, prod: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(current, "UNJUDGED_ENTRIES_MAX", 2)
    await court.trail("t2")
    await court.trail("t3")
    assert (await stood(court, prod)).is_current

    await court.trail("t4")

    assert not (await stood(court, prod)).is_current


async def test_where_there_was_nothing_to_judge_yet_that_is_known_too(court: Court, prod: Place) -> None:
    fresh = await Place.make(court.organization, "fresh")

    before = await stood(court, fresh)
    court.pass_time()
    await court.judge()
    after = await stood(court, fresh)

    assert before == Stood(None)
    assert after == Stood(None, is_current=True)
    assert after.status.value == "UNKNOWN"


async def test_it_costs_four_statements_however_many_environments_there_are(court: Court, prod: Place) -> None:
    others = [await Place.make(court.organization, f"place-{number}") for number in range(5)]
    court.pass_time()
    await court.judge()
    moment = await court.organization.moment()
    ids = [(await place.environment()).environment_id for place in (prod, *others)]
    async with watched(court.record) as (record, database):
        async with record.database.connection(court.caller.org_id) as connection:
            found = await how_they_stand(connection, moment, ids)

    assert len(database.sent) == 4
    assert all(each.is_current for each in found)
