"""The commits that a request records: those since what runs there now, and who wrote them."""

from typing import Any

import pytest

from record.approvals.queries import Approval
from record.details import Commit
from record.refusals import InvalidInput, TooLarge
from tests.record.approvals.scene import Scene
from tests.record.environments.places import digest
from tests.record.organizations import Organization


@pytest.fixture
async def scene(acme: Organization) -> Scene:
    made = await Scene.begin(acme)
    await acme.flow(made.people["ada"])
    return made


def shas(approval: Approval) -> list[str]:
    return [each["sha"][:1] for each in approval.commits["list"]]


async def test_commits_are_those_since_what_runs_there(scene: Scene) -> None:
    await scene.build(1, 2, 3, 4)
    await scene.place.runs(1, 9)

    asked = await scene.request(3)

    assert (asked.flow, asked.trail, asked.template_name, asked.name) == ("delivery", "t3", "app", "app-3")
    assert asked.commits["since"] == {
        "fingerprint": digest(1),
        "name": "app-1",
        "trail": "t1",
        "commit": "1" * 40,
    }
    assert asked.commits["list"] == [
        {"sha": "3" * 40, "author": "Eve <eve@acme.com>", "message": "change 3", "trail": "t3"},
        {"sha": "2" * 40, "author": "Eve <eve@acme.com>", "message": "change 2", "trail": "t2"},
    ]
    assert (asked.authors, asked.authors_known) == (("Eve <eve@acme.com>",), True)


async def test_they_stay_as_they_were_when_it_was_requested(scene: Scene) -> None:
    await scene.build(1, 2)
    await scene.place.runs(1)
    asked = await scene.request(2)

    await scene.place.runs(2)

    assert await scene.approval(asked) == asked


async def test_of_several_that_run_the_one_that_was_built_first_counts(scene: Scene) -> None:
    await scene.build(1, 2, 3)
    await scene.place.runs(1, 2)

    assert shas(await scene.request(3)) == ["3", "2"]


async def test_where_nothing_of_its_kind_runs_it_is_the_commit_that_it_was_built_from(scene: Scene) -> None:
    await scene.build(1, 2)
    await scene.place.runs(9)

    asked = await scene.request(2)

    assert (shas(asked), "since" in asked.commits, asked.authors_known) == (["2"], False, True)


async def test_what_runs_already_is_compared_with_nothing(scene: Scene) -> None:
    await scene.build(1, 2)
    await scene.place.runs(2)

    assert shas(await scene.request(2)) == ["2"]


async def test_going_back_names_what_it_takes_back_and_itself(scene: Scene) -> None:
    await scene.build(1, 2, 3)
    await scene.place.runs(3)

    asked = await scene.request(1)

    assert (shas(asked), asked.commits["is_roll_back"]) == (["1", "3", "2"], True)


async def test_a_logical_environment_has_what_runs_in_its_parts(scene: Scene) -> None:
    await scene.build(1, 2)
    await scene.place.runs(1)
    await type(scene.place).make(scene.organization, "world", "logical", included=("prod",))

    asked = await scene.request(2, environment="world")

    assert (asked.environment, shas(asked)) == ("world", ["2"])
    assert asked.commits["since"]["trail"] == "t1"


async def test_the_reporter_adds_what_git_knows_and_takes_nothing_away(scene: Scene) -> None:
    await scene.build(1, 2, 3, authors={3: "Eve <eve@acme.com>"})
    await scene.place.runs(1)

    asked = await scene.request(
        3,
        commits=(
            Commit("2" * 12, "ignored", "Bob <bob@acme.com>"),
            Commit("3" * 40, None, "Mallory <mallory@acme.com>"),
            Commit("a" * 40, "in between", "Dan <dan@acme.com>"),
        ),
    )

    assert [(each["sha"][:1], each.get("author"), each.get("trail")) for each in asked.commits["list"]] == [
        ("3", "Eve <eve@acme.com>", "t3"),
        ("2", "Bob <bob@acme.com>", "t2"),
        ("a", "Dan <dan@acme.com>", None),
    ]
    assert asked.authors == ("Eve <eve@acme.com>", "Bob <bob@acme.com>", "Dan <dan@acme.com>")
    assert asked.authors_known


async def test_authors_are_known_only_when_each_commit_has_one(scene: Scene) -> None:
    await scene.build(1, 2, 3, authors={3: "Eve <eve@acme.com>"})
    await scene.place.runs(1)

    asked = await scene.request(3)

    assert (asked.authors, asked.authors_known) == (("Eve <eve@acme.com>",), False)


async def test_an_artifact_that_no_flow_knows_brings_what_is_given(scene: Scene) -> None:
    bare = await scene.request(9)
    told = await scene.request(9, commits=(Commit("a" * 40, None, "Dan <dan@acme.com>"),))

    assert (bare.flow, bare.name, shas(bare), bare.authors_known) == (None, digest(9), [], False)
    assert (shas(told), told.authors_known) == (["a"], True)


async def test_more_commits_than_an_entry_holds_are_counted_and_their_authors_still_known(scene: Scene) -> None:
    many = tuple(
        Commit(f"{number:040x}", "m" * 500, "Dan <dan@acme.com>") for number in range(0x1000000, 0x1000000 + 900)
    )

    asked = await scene.request(9, commits=many)

    assert len(shas(asked)) + asked.commits["omitted"] == 900
    assert asked.commits["omitted"] > 0
    assert (asked.authors, asked.authors_known) == (("Dan <dan@acme.com>",), True)


async def test_more_authors_than_an_entry_holds_are_not_known(scene: Scene) -> None:
    many = tuple(Commit(f"{number:040x}", None, f"{number}" * 60) for number in range(0x1000000, 0x1000000 + 900))

    assert not (await scene.request(9, commits=many)).authors_known


@pytest.mark.parametrize(
    ("commits", "refusal", "reason"),
    [
        ((Commit("xyz"),), InvalidInput, "not a valid commit"),
        ((Commit("a" * 40, None, "x" * 513),), InvalidInput, "Use at most 512"),
        (tuple(Commit("a" * 40) for _ in range(1_001)), TooLarge, "more than 1000"),
    ],
)
async def test_commits_that_cannot_be_recorded_are_refused(
    scene: Scene, commits: Any, refusal: type[Exception], reason: str
) -> None:
    before = await scene.organization.size()

    with pytest.raises(refusal, match=reason):
        await scene.request(9, commits=commits)
    assert await scene.organization.size() == before
