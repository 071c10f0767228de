"""What is news: every change of a verdict once, the same ones however looking is cut into rounds; and who counts as silent."""

from datetime import datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from record.attestations.rules import AttestationFact
from record.clock import to_rfc3339
from record.flows.templates import Template, Wanted
from record.ids import EntryIndex, LedgerSize
from record.judgements import rules
from record.judgements.rules import UNJUDGED, Look, Mark, News, Point, Reporting, Standing, TrailHistory
from record.trails.facts import TrailFacts
from record.trails.rules import judge_trail
from record.verdicts import Reason, Status
from tests.record.trails.test_verdict_properties import HOUR, NOW, trails

BEGUN = EntryIndex(0)
END = NOW + 6 * HOUR
MINUTE = timedelta(minutes=1)


def at(index: int) -> datetime:
    """When the entry of this index was recorded: some at the very instant at which something expires."""
    return NOW - 3 * HOUR + index * (HOUR / 2)


def shifted(trail: TrailFacts) -> TrailHistory:
    """The trail's facts behind the entry that begins it."""
    assert trail.template is not None
    attestations = [fact._replace(entry_index=EntryIndex(fact.entry_index + 1)) for fact in trail.attestations]
    artifacts = [fact._replace(entry_index=EntryIndex(fact.entry_index + 1)) for fact in trail.artifacts]
    attestations.sort(key=lambda fact: fact.entry_index)
    artifacts.sort(key=lambda fact: fact.entry_index)
    facts = TrailFacts(trail.name, trail.template, 1, tuple(attestations), tuple(artifacts))
    return TrailHistory(Mark(BEGUN, at(BEGUN)), facts, [(BEGUN, trail.template, 1)])


def marks_of(history: TrailHistory) -> list[Mark]:
    facts = history.facts
    indexes = {fact.entry_index for fact in facts.attestations} | {fact.entry_index for fact in facts.artifacts}
    return [Mark(index, at(index)) for index in sorted({BEGUN, *indexes})]


def in_rounds(history: TrailHistory, ends: list[datetime]) -> list[News]:
    """What is recorded when rounds end at these instants."""
    told: list[News] = []
    standing, since, due = history.beginning(), Point(LedgerSize(0), at(0) - HOUR), None
    marks = marks_of(history)
    for end in (*sorted(ends), END):
        now = [mark for mark in marks if since.instant < mark.at <= end]
        looks, due = rules.follow_trail(history, now, since=since, due=due, until=end)
        for one in rules.news(standing, looks):
            told.append(one)
            standing = one.standing
        since = Point(max([since.size, *(mark.after for mark in now)]), end)
    return told


def seen(told: list[News]) -> list[tuple[int, str, datetime, int | None]]:
    return [(one.standing.number, one.look.status.value, one.look.point.instant, one.look.cause) for one in told]


with_template = trails().filter(lambda trail: trail.template is not None).map(shifted)
CUTS = st.lists(st.integers(0, 40).map(lambda quarters: at(0) + quarters * HOUR / 4), max_size=6, unique=True)


@given(with_template, CUTS)
def test_however_rounds_are_cut_the_same_is_recorded(history: TrailHistory, cuts: list[datetime]) -> None:
    assert seen(in_rounds(history, cuts)) == seen(in_rounds(history, []))


@given(with_template)
def test_what_is_recorded_is_every_change_of_the_verdict(history: TrailHistory) -> None:
    expiries = {fact.expires_at for fact in history.facts.attestations if fact.expires_at is not None}
    instants = sorted({mark.at for mark in marks_of(history)} | {each for each in expiries if at(0) < each <= END})
    changes, before = [], history.beginning().status
    for instant in instants:
        size = LedgerSize(max(mark.after for mark in marks_of(history) if mark.at <= instant))
        status = judge_trail(history.at(size), now=instant).status
        if status is not before:
            changes.append((status.value, instant))
            before = status

    assert [(status, instant) for _, status, instant, _ in seen(in_rounds(history, []))] == changes


@given(with_template, CUTS, st.integers(0, 5))
def test_a_round_that_is_repeated_records_nothing_again(
    history: TrailHistory, cuts: list[datetime], recorded: int
) -> None:
    told = in_rounds(history, cuts)
    standing = told[min(recorded, len(told)) - 1].standing if told and recorded else history.beginning()
    since = Point(LedgerSize(0), at(0) - HOUR)

    looks, _ = rules.follow_trail(history, marks_of(history), since=since, due=None, until=END)
    again = list(rules.news(standing, looks))

    assert seen(again) == seen(in_rounds(history, []))[standing.number :]


@given(with_template)
def test_judgements_are_numbered_and_never_go_back(history: TrailHistory) -> None:
    told = in_rounds(history, [])

    assert [one.standing.number for one in told] == list(range(1, len(told) + 1))
    assert all(one.before.point <= one.look.point for one in told)
    assert all(one.before.status is not one.look.status for one in told)


def test_a_trail_with_very_many_facts_is_looked_at_after_some_and_after_the_last() -> None:
    facts = tuple(
        AttestationFact(EntryIndex(number), "a", "generic", number % 2 == 0, "It is so.") for number in range(1, 10_001)
    )
    template = Template((Wanted("a", "generic", 1),), ())
    history = TrailHistory(Mark(BEGUN, NOW - HOUR), TrailFacts("t1", template, 1, facts, ()), [(BEGUN, template, 1)])
    marks = [Mark(fact.entry_index, NOW) for fact in facts[-500:]]

    looks, _ = rules.follow_trail(history, marks, since=Point(LedgerSize(9_000), NOW), due=None, until=NOW)

    assert len(looks) == rules.FACTS_EXAMINED_MAX // len(facts)
    assert (looks[-1].cause, looks[-1].status) == (marks[-1].entry, Status.COMPLIANT)


# --- snapshots and silence


def look(status: Status, size: int = 5, *, snapshot: int | None = None, stale: datetime | None = None) -> Look:
    return Look(Point(LedgerSize(size), NOW), EntryIndex(size - 1), status, stale, None, tuple, snapshot)


def test_a_snapshot_that_changes_nothing_is_recorded_and_says_so() -> None:
    standing = Standing(3, Status.COMPLIANT, None, Point(LedgerSize(4), NOW - HOUR))

    told = rules.is_news(standing, look(Status.COMPLIANT, snapshot=7))

    assert told is not None
    assert not told.changed
    assert told.standing.number == 4


def test_before_the_first_judgement_unknown_is_no_news() -> None:
    assert rules.is_news(UNJUDGED, look(Status.UNKNOWN)) is None
    assert rules.is_news(UNJUDGED, look(Status.INCOMPLETE)) is not None


CADENCE = 600
HEARD = NOW - HOUR


@example(before=None, resumed=None, minutes=50)
@given(before=st.none(), resumed=st.none(), minutes=st.integers(-600, 600))
def test_silence_begins_at_the_instant_a_report_is_overdue(before: None, resumed: None, minutes: int) -> None:
    part = Reporting(CADENCE, NOW, HEARD)
    due = HEARD + timedelta(seconds=CADENCE)
    now = due + minutes * timedelta(seconds=1)

    since, next_due = rules.silence([part], before, now=now, resumed_at=resumed)

    assert (since, next_due) == ((None, due) if now < due else (due, None))


def test_who_never_reported_is_expected_to_since_it_exists() -> None:
    assert rules.silence([Reporting(CADENCE, HEARD, None)], None, now=NOW, resumed_at=None)[0] == HEARD + 10 * MINUTE


def test_a_logical_environment_is_silent_as_long_as_any_part_is() -> None:
    parts = [Reporting(CADENCE, HEARD, NOW), Reporting(CADENCE, HEARD, HEARD), Reporting(None, HEARD, HEARD)]

    assert rules.silence(parts, None, now=NOW, resumed_at=None) == (HEARD + 10 * MINUTE, NOW + 10 * MINUTE)


def test_whose_reports_were_forgotten_is_not_accused_of_silence_at_once() -> None:
    part = Reporting(CADENCE, HEARD, HEARD)
    resumed = NOW - MINUTE

    assert rules.silence([part], None, now=NOW, resumed_at=resumed) == (None, resumed + 10 * MINUTE)
    later = NOW + HOUR
    assert rules.silence([part], None, now=later, resumed_at=resumed)[0] == HEARD + 10 * MINUTE


def test_who_was_silent_stays_so_until_a_report_is_known() -> None:
    silent = HEARD + 10 * MINUTE

    assert rules.silence([Reporting(CADENCE, HEARD, HEARD)], silent, now=NOW, resumed_at=NOW)[0] == silent
    assert rules.silence([Reporting(CADENCE, HEARD, NOW)], silent, now=NOW, resumed_at=NOW)[0] is None


# --- words


def test_words_name_what_is_wrong_before_what_is_missing_and_are_not_endless() -> None:
    leaves = [Reason(f"rule {n}", "app", Status.INCOMPLETE, "It is not there.") for n in range(30)]
    wrong = Reason("rule x", "app", Status.NON_COMPLIANT, "It failed.")
    above = Reason("artifact", "app", Status.NON_COMPLIANT, "31 rules.", because=(*leaves, wrong))
    words = rules.in_words(Look(Point(LedgerSize(1), NOW), None, Status.NON_COMPLIANT, None, None, lambda: (above,)))

    assert words[0] == "app: It failed. (rule x)"
    assert len(words) == rules.REASONS_MAX + 1
    assert words[-1] == "And 11 more."


def test_words_of_what_turned_right_are_the_causes() -> None:
    found = Reason("rule", "app", Status.COMPLIANT, "12 tests passed.", entry_index=EntryIndex(4))
    other = Reason("rule", "app", Status.COMPLIANT, "Nothing critical.", entry_index=EntryIndex(2))

    assert rules.in_words(
        Look(Point(LedgerSize(5), NOW), EntryIndex(4), Status.COMPLIANT, None, None, lambda: (other, found))
    ) == ["app: 12 tests passed. (rule)"]


def test_words_of_silence_say_since_when() -> None:
    standing = Standing(1, Status.COMPLIANT, None, Point(LedgerSize(3), NOW - HOUR))

    told = rules.heard_again(standing, Point(LedgerSize(3), NOW), NOW, None)

    assert told.changed
    assert told.look.status is Status.COMPLIANT
    assert to_rfc3339(NOW) in rules.in_words(told.look)[0]
