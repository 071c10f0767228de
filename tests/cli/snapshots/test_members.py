"""Members as they are sent: counted together, within the server's limits, and told in instants that it reads."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.snapshots.choice import Choice
from muniment.snapshots.members import Member, SnapshotError, as_sent, instant, together, unreadable
from record.environments.members import Reported, read_members
from tests.cli.snapshots.answers import digest


def server_reads(kind: str, members: list[Member]) -> tuple[int, list[str]]:
    """How many instances the server counts of these, and whom it refuses."""
    said = [member.to_json() for member in members]
    read, refused = read_members(
        kind, [Reported(s["fingerprint"], s["name"], s["instances"], s["createdAt"], s["facts"]) for s in said]
    )
    return sum(each.instances for each in read.values()), [each.name for each in refused]


def test_what_runs_many_times_is_one_member_with_a_count_and_a_list() -> None:
    pods = [Member("web", digest("w"), (f"2026-01-0{n}T00:00:00Z",), 1, {"pod": f"web-{n}"}) for n in (1, 2, 3)]

    [one] = together(pods, "pod", "pods")

    assert one.instances == 3
    assert one.facts == {"pods": ["web-1", "web-2", "web-3"]}
    assert len(one.created_at) == 3


def test_what_differs_in_anything_else_stays_apart() -> None:
    members = [
        Member("web", digest("w"), facts={"namespace": "a", "pod": "1"}),
        Member("web", digest("w"), facts={"namespace": "b", "pod": "2"}),
        Member("web", digest("v"), facts={"namespace": "a", "pod": "3"}),
    ]

    assert together(members, "pod", "pods") == members


@given(st.integers(1, 900), st.integers(1, 253))
def test_the_server_takes_every_instance_however_many_and_long_their_names(count: int, length: int) -> None:
    pods = [Member("web", digest("w"), ("2026-01-01T00:00:00Z",), 1, {"pod": f"{n:0{length}}"}) for n in range(count)]

    assert server_reads("k8s", together(pods, "pod", "pods")) == (count, [])


@given(st.text(), st.recursive(st.text(), lambda inner: st.lists(inner, max_size=3), max_leaves=5))
def test_no_name_and_no_fact_costs_a_member_its_place(name: str, fact: object) -> None:
    member = Member(name or "x", digest("w"), facts={"path": "p" * 5000, "about": fact})

    assert server_reads("docker", [member]) == (1, [])


@pytest.mark.parametrize(
    ("bytes_max", "kept", "said"),
    [
        (10**6, {"facts", "createdAt"}, 0),
        (25_000, {"createdAt"}, 1),
        (1, set(), 1),
    ],
)
def test_more_than_a_request_holds_is_told_without_the_less_important(
    bytes_max: int, kept: set[str], said: int
) -> None:
    members = [Member(str(n), digest(str(n)), ("2026-01-01T00:00:00Z",), 2, {"pods": ["a" * 300]}) for n in range(100)]

    inputs, remarks = as_sent(members, bytes_max)

    assert {"facts", "createdAt"} & set(inputs[0]) == kept
    assert {"fingerprint", "name", "instances"} <= set(inputs[0])
    assert len(remarks) == said


def test_an_empty_report_is_one() -> None:
    assert as_sent([]) == ([], [])


def test_a_member_that_cannot_be_read_is_refused_by_the_server_alone() -> None:
    members = [Member("good", digest("g")), unreadable("bad", "No digest.", pod="p")]

    assert server_reads("k8s", members) == (1, ["bad"])


def test_names_of_files_that_are_no_text_are_shown_as_well_as_can_be() -> None:
    told = Member("caf\udce9", digest("c"), facts={"path": "/srv/caf\udce9"}).to_json()

    assert json.dumps(told, ensure_ascii=False).encode("utf-8")
    assert told["name"] == "caf?"


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("2026-11-19T10:00:00.123456789Z", "2026-11-19T10:00:00Z"),
        ("2026-11-19T10:00:00Z", "2026-11-19T10:00:00Z"),
        ("2026-11-19T10:00:00.000+0000", "2026-11-19T10:00:00Z"),
        ("2026-11-19T10:00:00+02:00", "2026-11-19T08:00:00Z"),
        ("2026-11-19T10:00:00.413333", "2026-11-19T10:00:00Z"),
        (1_795_000_000, "2026-11-18T11:06:40Z"),
        (datetime(2026, 11, 19, 10, tzinfo=UTC), "2026-11-19T10:00:00Z"),
    ],
)
def test_instants_are_read_as_platforms_write_them(said: object, read: str) -> None:
    assert instant(said) == (read,)


@pytest.mark.parametrize("said", [None, "", "yesterday", "0001-13-01T00:00:00Z", True, 10**20, {}])
def test_an_instant_that_cannot_be_read_is_left_out(said: object) -> None:
    assert instant(said) == ()


def test_a_choice_without_names_takes_everything_but_what_it_leaves() -> None:
    choice = Choice("namespace", without=["kube-system"], without_expressions=["^dev-"])

    assert [name for name in ("app", "kube-system", "dev-1", "my-dev-1") if choice.takes(name)] == ["app", "my-dev-1"]


def test_a_choice_takes_names_and_what_matches_and_leaving_is_stronger() -> None:
    choice = Choice(
        "namespace", names=["app", "db"], expressions=["^team-"], without=["db"], without_expressions=["-old$"]
    )

    assert [name for name in ("app", "db", "team-a", "team-old", "x") if choice.takes(name)] == ["app", "team-a"]
    assert not choice.only_names


def test_a_name_that_was_chosen_and_is_not_there_is_told() -> None:
    choice = Choice("function", names=["here", "gone"])
    choice.takes("here")

    assert choice.remarks() == ["There is no function gone, or nothing runs in it."]


def test_an_expression_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(SnapshotError, match="no regular expression"):
        Choice("namespace", expressions=["("])
