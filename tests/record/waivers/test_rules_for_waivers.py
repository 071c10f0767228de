"""The states of waivers: the whole table, and what holds whatever is done in whatever order."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from record.ids import EntryIndex, PrincipalId
from record.refusals import InvalidInput
from record.waivers.rules import AFTER, OPEN, Act, Done, State, led_to, state_after

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TABLE = {
    # from               accept          revoke
    State.REQUESTED: (State.IN_FORCE, State.REVOKED),
    State.IN_FORCE: (None, State.REVOKED),
    State.REVOKED: (None, None),
    State.EXPIRED: (None, None),
}
COLUMNS = (Act.ACCEPT, Act.REVOKE)
LED_HERE = {State.IN_FORCE: (Act.ACCEPT,), State.REVOKED: (Act.ACCEPT, Act.REVOKE)}


def minutes(count: float) -> datetime:
    return NOON + timedelta(minutes=count)


def acts(*made: Act) -> list[Done]:
    """One act a minute."""
    return [
        Done(EntryIndex(10 + number), number, act, PrincipalId(UUID(int=number)), "ada", "", minutes(number))
        for number, act in enumerate(made, start=1)
    ]


def state(made: Sequence[Done], now: float = 30, expires: float = 60) -> State:
    return state_after(made, minutes(expires), now=minutes(now))


@pytest.mark.parametrize(
    ("before", "act", "after"),
    [(before, act, after) for before, row in TABLE.items() for act, after in zip(COLUMNS, row, strict=True)],
)
def test_an_act_leads_where_the_table_says(before: State, act: Act, after: State | None) -> None:
    made = acts(*LED_HERE.get(before, ()))
    if after is not None:
        assert led_to(before, act, acts=made, expires_at=NOON) is after
    else:
        with pytest.raises(InvalidInput, match="already|expired at"):
            led_to(before, act, acts=made, expires_at=NOON)


def test_the_machine_holds_nothing_that_is_not_in_the_table() -> None:
    there = {(before, act) for before, row in TABLE.items() for act, after in zip(COLUMNS, row, strict=True) if after}

    assert set(AFTER) == there


def test_nothing_is_in_force_before_it_is_accepted_nor_from_its_expiry_on() -> None:
    assert state([]) is State.REQUESTED
    assert state(acts(Act.ACCEPT), now=59.99) is State.IN_FORCE
    assert state(acts(Act.ACCEPT), now=60) is State.EXPIRED
    assert state(acts(Act.ACCEPT), now=60, expires=1) is State.EXPIRED


def test_what_was_revoked_stays_revoked() -> None:
    assert state(acts(Act.REVOKE, Act.ACCEPT)) is State.REVOKED
    assert state(acts(Act.ACCEPT, Act.REVOKE), now=99) is State.REVOKED


MADE = st.lists(st.sampled_from(Act), max_size=5).map(lambda made: acts(*made))
INSTANTS = st.integers(min_value=-1, max_value=12)


@given(MADE, INSTANTS, INSTANTS, st.randoms(use_true_random=False))
def test_the_order_in_which_acts_are_read_never_matters(
    made: list[Done], expires: int, now: int, random: Random
) -> None:
    assert state(random.sample(made, len(made)), now, expires) is state(made, now, expires)


@given(MADE, INSTANTS, INSTANTS)
def test_only_an_acceptance_before_the_expiry_ever_puts_it_in_force(made: list[Done], expires: int, now: int) -> None:
    found = state(made, now, expires)

    if found is State.IN_FORCE:
        assert now < expires
        assert made[0].act is Act.ACCEPT
        assert made[0].at < minutes(expires)


@given(MADE, INSTANTS, INSTANTS, st.sampled_from(Act))
def test_what_has_ended_stays_as_it_is_whatever_is_done(made: list[Done], expires: int, now: int, act: Act) -> None:
    before = state(made, now, expires)
    if before in OPEN:
        return
    later = replace(acts(*[act] * (len(made) + 1))[-1], at=minutes(max(now, len(made)) + 1))

    assert state([*made, later], now + 60, expires) is before
