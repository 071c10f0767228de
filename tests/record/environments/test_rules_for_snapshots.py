"""Rules of snapshots: deltas add up to what was reported, differences are exact, silence is staleness."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from record.environments.members import Reported, read_members, state_of
from record.environments.rules import (
    KEYFRAME_ROWS,
    NOTHING_BEFORE,
    PART_BYTES,
    Before,
    Member,
    Run,
    Running,
    delta,
    difference,
    in_parts,
    report_due,
    stale_since,
    union,
    union_of_runs,
)
from record.ids import EnvironmentId, Fingerprint
from record.ledger.entries import Draft

HERE, THERE, BOTH = (EnvironmentId(UUID(int=number)) for number in (1, 2, 3))
DAY = datetime(2026, 1, 1, tzinfo=UTC)
FINGERPRINTS = st.integers(0, 11).map(lambda number: Fingerprint(f"{number:064x}"))
MEMBERS = st.dictionaries(
    FINGERPRINTS,
    st.builds(
        Member,
        st.none(),
        st.sampled_from(["a", "b"]),
        st.integers(1, 3),
        st.just(()),
        st.just(()),
        st.just(0),
        st.sampled_from([(), ("pay",), ("pay", "web")]),
    ),
).map(lambda found: {fingerprint: replace(member, fingerprint=fingerprint) for fingerprint, member in found.items()})


def after(before: Before, now: dict[Fingerprint, Member]) -> Before:
    """What a reader makes of the recorded members: the snapshot after `before`."""
    made = delta(before, now)
    number = before.number + 1
    members = {} if made.keyframe == number else dict(before.members)
    for written in made.members:
        fingerprint = Fingerprint(written["fingerprint"])
        if written["change"] == "stopped":
            members.pop(fingerprint, None)
            continue
        member = Member(fingerprint, written["name"], written["instances"], flows=tuple(written.get("flows", ())))
        members[fingerprint] = (member, written["since"])
    return Before(number, made.keyframe, made.rows_since, members)


@given(st.lists(MEMBERS, max_size=8))
def test_deltas_add_up_to_what_was_reported(reports: list[dict[Fingerprint, Member]]) -> None:
    before = NOTHING_BEFORE
    for report in reports:
        before = after(before, report)
        assert {fingerprint: member for fingerprint, (member, _) in before.members.items()} == report


@given(MEMBERS, MEMBERS)
def test_counts_say_what_the_members_say(first: dict[Fingerprint, Member], second: dict[Fingerprint, Member]) -> None:
    made = delta(after(NOTHING_BEFORE, first), second)

    assert made.started == len(second.keys() - first.keys())
    assert made.stopped == len(first.keys() - second.keys())
    both = first.keys() & second.keys()
    assert made.scaled == sum(first[one].instances != second[one].instances for one in both)
    assert made.found == sum(first[one].flows != second[one].flows for one in both)


def test_reading_never_begins_far_back() -> None:
    before = NOTHING_BEFORE
    for number in range(2_000):
        fingerprint = Fingerprint(f"{number:064x}")
        before = after(before, {fingerprint: Member(fingerprint, "app", 1)})
        assert before.rows_since <= KEYFRAME_ROWS + 2


def test_members_are_divided_so_that_each_part_fits() -> None:
    members = [{"fingerprint": f"{number:064x}", "name": "ü" * 300} for number in range(1_000)]

    parts = in_parts(members, last_bytes=20_000)

    assert [member for part in parts for member in part] == members
    assert all(len(str(part).encode()) < PART_BYTES + 2_000 for part in parts)
    assert in_parts([], last_bytes=20_000) == [[]]
    assert len(parts) > 1
    assert Draft("snapshot.part", {"members": parts[0]}).body["members"]


def running(number: int, instances: int = 1, *, where: EnvironmentId = HERE, since: datetime = DAY) -> Running:
    return Running(Member(Fingerprint(f"{number:064x}"), f"app-{number}", instances), (where,), 1, since)


def test_a_difference_tells_apart_what_is_only_in_one_and_what_runs_in_other_counts() -> None:
    found = difference([running(1), running(2), running(3, 2)], [running(2), running(3, 5), running(4)])

    assert [one.member.name for one in found.only_first] == ["app-1"]
    assert [one.member.name for one in found.only_second] == ["app-4"]
    assert [(one.member.instances, other.member.instances) for one, other in found.scaled] == [(2, 5)]
    assert [one.member.name for one, _ in found.same] == ["app-2"]


def test_a_union_shows_each_artifact_once_with_all_its_instances() -> None:
    later = DAY + timedelta(days=1)

    first, second = union([running(1, 2, since=later), running(2), running(1, 3, where=THERE)])

    assert (first.member.name, first.member.instances, first.environments) == ("app-1", 5, (HERE, THERE))
    assert first.since == DAY
    assert second.environments == (HERE,)


def test_runs_that_overlap_or_touch_are_one_run_of_the_whole() -> None:
    fingerprint = Fingerprint("a" * 64)

    def run(where: EnvironmentId, begin: int, end: int | None) -> Run:
        until = None if end is None else DAY + timedelta(days=end)
        return Run(where, fingerprint, "app", DAY + timedelta(days=begin), 1, until, end)

    found = union_of_runs([run(THERE, 3, 5), run(HERE, 0, 3), run(HERE, 7, None), run(THERE, 8, 9)], BOTH)

    assert [(each.since, each.until) for each in found] == [
        (DAY, DAY + timedelta(days=5)),
        (DAY + timedelta(days=7), None),
    ]
    assert {each.environment_id for each in found} == {BOTH}


def test_an_environment_is_stale_from_the_instant_at_which_a_report_was_due() -> None:
    due = DAY + timedelta(seconds=300)

    assert report_due(DAY, 300) == due
    assert stale_since(DAY, 300, now=due - timedelta(microseconds=1)) is None
    assert stale_since(DAY, 300, now=due) == due
    assert stale_since(DAY, None, now=due) is None


@given(st.permutations(range(6)))
def test_the_order_of_a_report_means_nothing(order: list[int]) -> None:
    said = [
        Reported(f"{number % 3:064x}", f"app-{number % 2}", None, ["2026-01-01T00:00:00Z"], {"pod": str(number)})
        for number in range(6)
    ]
    straight, _ = read_members("k8s", said)
    shuffled, _ = read_members("k8s", [said[place] for place in order])

    assert shuffled == straight
    assert state_of(shuffled, partial=False) == state_of(straight, partial=False)
    assert state_of(straight, partial=True) != state_of(straight, partial=False)


def test_a_digest_with_very_many_pods_is_listed_in_part_and_counted_whole() -> None:
    said = [
        Reported("a" * 64, "app", None, ["2026-01-01T00:00:00Z"], {"pod": f"web-{number}", "text": "x" * 200})
        for number in range(1_000)
    ]
    members, _ = read_members("k8s", said)
    (member,) = members.values()

    assert member.instances == 1_000
    assert len(member.facts) + member.facts_omitted == 1_000
    assert 50 < len(member.facts) < 200
