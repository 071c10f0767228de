"""The states of approvals: the whole table, and what holds whatever is done in whatever order."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from record.approvals.rules import AFTER, OPEN, Act, Done, State, led_to, standing
from record.ids import EntryIndex, PrincipalId
from record.refusals import InvalidInput

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TABLE = {
    # from               approve         reject          withdraw         comment
    State.REQUESTED: (State.APPROVED, State.REJECTED, State.WITHDRAWN, State.REQUESTED),
    State.APPROVED: (State.APPROVED, State.REJECTED, State.WITHDRAWN, State.APPROVED),
    State.REJECTED: (None, None, None, State.REJECTED),
    State.WITHDRAWN: (None, None, None, State.WITHDRAWN),
    State.EXPIRED: (None, None, None, State.EXPIRED),
}
COLUMNS = (Act.APPROVE, Act.REJECT, Act.WITHDRAW, Act.COMMENT)


def minutes(count: float) -> datetime:
    return NOON + timedelta(minutes=count)


def done(number: int, act: Act, at: float, who: str = "ada") -> Done:
    nobody = PrincipalId(UUID(int=number))
    when = minutes(at)
    return Done(EntryIndex(10 + number), number, act, nobody, who, who, "", False, None, when, when)


def acts(*made: Act) -> list[Done]:
    """One act a minute."""
    return [done(number, act, number) for number, act in enumerate(made, start=1)]


def state(made: Sequence[Done], now: float = 60, expires: float | None = None) -> State:
    return standing(made, None if expires is None else minutes(expires), now=minutes(now)).state


@pytest.mark.parametrize(
    ("before", "act", "after"),
    [(before, act, after) for before, row in TABLE.items() for act, after in zip(COLUMNS, row, strict=True)],
)
def test_an_act_leads_where_the_table_says(before: State, act: Act, after: State | None) -> None:
    expires_at = NOON if before is State.EXPIRED else None
    ended = {State.REJECTED: acts(Act.REJECT), State.WITHDRAWN: acts(Act.WITHDRAW)}.get(before, [])
    if after is not None:
        assert led_to(before, act, acts=ended, expires_at=expires_at) is after
    else:
        with pytest.raises(InvalidInput, match="Request an approval anew"):
            led_to(before, act, acts=ended, expires_at=expires_at)


def test_the_machine_holds_nothing_that_is_not_in_the_table() -> None:
    there = {(before, act) for before, row in TABLE.items() for act, after in zip(COLUMNS, row, strict=True) if after}

    assert set(AFTER) == there


def test_a_refused_act_is_told_what_came_first() -> None:
    with pytest.raises(InvalidInput, match=r"bob rejected this request at 2026-11-22T12:01:00"):
        led_to(State.REJECTED, Act.APPROVE, acts=[done(1, Act.REJECT, 1, "bob")], expires_at=None)
    with pytest.raises(InvalidInput, match=r"bob withdrew this request at 2026-11-22T12:01:00"):
        led_to(State.WITHDRAWN, Act.APPROVE, acts=[done(1, Act.WITHDRAW, 1, "bob")], expires_at=None)
    with pytest.raises(InvalidInput, match=r"This request expired at 2026-11-22T12:00:00"):
        led_to(State.EXPIRED, Act.WITHDRAW, acts=[], expires_at=NOON)


def test_it_expires_at_its_very_instant() -> None:
    approved = acts(Act.APPROVE)

    assert state(approved, now=9.99, expires=10) is State.APPROVED
    assert state(approved, now=10, expires=10) is State.EXPIRED
    assert state([], now=10, expires=10) is State.EXPIRED


def test_an_act_at_the_expiry_or_later_changes_nothing() -> None:
    late = [done(1, Act.APPROVE, 5), done(2, Act.REJECT, 10)]

    assert state(late, expires=10) is State.EXPIRED
    assert state(late, expires=10.01) is State.REJECTED


def test_what_was_rejected_or_withdrawn_does_not_expire() -> None:
    assert state(acts(Act.REJECT), now=99, expires=50) is State.REJECTED
    assert state(acts(Act.APPROVE, Act.WITHDRAW), now=99, expires=50) is State.WITHDRAWN


def test_the_first_of_two_ends_decides() -> None:
    assert state(acts(Act.REJECT, Act.WITHDRAW)) is State.REJECTED
    assert state(acts(Act.WITHDRAW, Act.REJECT)) is State.WITHDRAWN


def test_every_approval_that_took_effect_is_given_and_no_other() -> None:
    made = acts(Act.APPROVE, Act.COMMENT, Act.APPROVE, Act.REJECT, Act.APPROVE)

    given_by = standing(made, None, now=minutes(60)).approvals

    assert [each.number for each in given_by] == [1, 3]


MADE = st.lists(st.sampled_from(Act), max_size=7).map(lambda made: acts(*made))
INSTANTS = st.integers(min_value=-1, max_value=12)


@given(MADE, st.none() | INSTANTS, INSTANTS, st.randoms(use_true_random=False))
def test_the_order_in_which_acts_are_read_never_matters(
    made: list[Done], expires: int | None, now: int, random: Random
) -> None:
    shuffled = random.sample(made, len(made))
    expires_at = None if expires is None else minutes(expires)

    assert standing(shuffled, expires_at, now=minutes(now)) == standing(made, expires_at, now=minutes(now))


@given(MADE, st.none() | INSTANTS, INSTANTS, st.sampled_from(Act))
def test_what_has_ended_stays_as_it_is_whatever_is_done(
    made: list[Done], expires: int | None, now: int, act: Act
) -> None:
    before = state(made, now, expires)
    if before in OPEN:
        return
    later = done(len(made) + 1, act, max(now, len(made)) + 1)

    assert state([*made, later], now + 60, expires) is before


@given(MADE, INSTANTS, INSTANTS)
def test_time_alone_only_ever_leads_to_expiry(made: list[Done], first: int, more: int) -> None:
    earlier, later = state(made, first, 6), state(made, first + abs(more), 6)

    assert later in (earlier, State.EXPIRED)
    assert (later is State.EXPIRED) == (earlier is State.EXPIRED or (earlier in OPEN and first + abs(more) >= 6))


@given(MADE, st.none() | INSTANTS, INSTANTS)
def test_a_comment_never_changes_anything(made: list[Done], expires: int | None, now: int) -> None:
    expires_at = None if expires is None else minutes(expires)
    without = [each for each in made if each.act is not Act.COMMENT]

    assert standing(made, expires_at, now=minutes(now)) == standing(without, expires_at, now=minutes(now))


@given(MADE, st.none() | INSTANTS, INSTANTS)
def test_it_stands_approved_only_with_an_approval_and_without_a_rejection_or_withdrawal_that_counts(
    made: list[Done], expires: int | None, now: int
) -> None:
    found = standing(made, None if expires is None else minutes(expires), now=minutes(now))
    counts = [each.act for each in made if expires is None or each.at < minutes(expires)]

    if found.state is State.APPROVED:
        assert found.approvals
        assert Act.REJECT not in counts
        assert Act.WITHDRAW not in counts
        assert expires is None or now < expires
