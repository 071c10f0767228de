"""Artifacts over a real record: reported into trails, found by fingerprint, name and commit."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from record.access.rules import Grant, Role
from record.artifacts import queries, service
from record.artifacts.queries import ArtifactReport
from record.artifacts.service import ReportArtifact
from record.details import Commit, Link
from record.ids import Fingerprint, TrailId
from record.ledger.entries import Receipt
from record.refusals import InvalidInput, NotAllowed, NotFound, Refusal, TooLarge
from record.trails import service as trails
from record.trails.service import BeginTrail
from tests.record.organizations import COMMIT, FINGERPRINT, Organization
from tests.record.statements import watched

WISH = ReportArtifact("delivery", "t1", "app", FINGERPRINT, "app.whl")


@pytest.fixture
async def ready(acme: Organization) -> Organization:
    """A flow with a trail that knows its commit, and a trail that knows none."""
    await acme.flow(acme.operator)
    await trails.begin(acme.record, acme.operator, BeginTrail("delivery", "t1", commit=Commit(COMMIT)))
    await acme.trail(acme.operator, "t2")
    return acme


async def report(ready: Organization, **changed: Any) -> Receipt:
    return await service.report(ready.record, ready.operator, replace(WISH, **changed))


async def reports_of(
    ready: Organization, *fingerprints: str, size: int | None = None, readable: frozenset[str] | None = None
) -> list[list[ArtifactReport]]:
    async with ready.record.database.connection(ready.org_id) as connection:
        return await queries.reports_of(
            connection, await ready.moment(size), [Fingerprint(each) for each in fingerprints], readable=readable
        )


async def test_an_artifact_is_what_was_wished(ready: Organization) -> None:
    receipt = await report(
        ready,
        kind="oci",
        commit=Commit("a" * 40, branch="main"),
        commit_url="https://git.example/c",
        build_url="https://ci.example/1",
        repository_url="https://git.example/",
        external_urls=(Link("docs", "https://docs.example/"),),
        annotations={"runner": "r1"},
        user_data={"n": 1},
    )

    [[found]] = await reports_of(ready, FINGERPRINT)

    assert (found.fingerprint, found.name, found.kind, found.template_name) == (FINGERPRINT, "app.whl", "oci", "app")
    assert (found.flow, found.trail, found.commit, found.commit_info) == (
        "delivery",
        "t1",
        "a" * 40,
        {"branch": "main"},
    )
    assert (found.commit_url, found.build_url, found.repository_url) == (
        "https://git.example/c",
        "https://ci.example/1",
        "https://git.example/",
    )
    assert (found.external_urls, found.annotations, found.user_data) == (
        {"docs": {"url": "https://docs.example/"}},
        {"runner": "r1"},
        {"n": 1},
    )
    assert (found.entry_index, found.reported_by, found.at) == (receipt.index, "muniment:operator", receipt.at)


async def test_without_a_commit_of_its_own_it_is_built_from_the_trails(ready: Organization) -> None:
    for trail in ("t1", "t2"):
        await report(ready, trail=trail)

    [found] = await reports_of(ready, FINGERPRINT)

    assert [(each.trail, each.commit) for each in found] == [("t2", None), ("t1", COMMIT)]


BAD: dict[str, dict[str, Any]] = {
    "an unknown flow": {"flow": "nothing"},
    "an unknown trail": {"trail": "t9"},
    "a trail with NUL": {"trail": "t\x00"},
    "an empty template name": {"template_name": ""},
    "a dotted template name": {"template_name": "app.web"},
    "a template name that is too long": {"template_name": "a" * 256},
    "a short fingerprint": {"fingerprint": "f1f1f1f"},
    "an upper-case fingerprint": {"fingerprint": "F1" * 32},
    "a fingerprint of another hash": {"fingerprint": "sha512:" + "f1" * 64},
    "a fingerprint with a line end": {"fingerprint": FINGERPRINT + "\n"},
    "an unknown kind": {"kind": "tarball"},
    "an empty name": {"name": ""},
    "a name that is too long": {"name": "x" * 1025},
    "a name that no index holds": {"name": "".join(chr(0x4E00 + n * 7) for n in range(1000))},
    "a name with NUL": {"name": "a\x00b"},
    "a bad commit": {"commit": Commit("main")},
    "a script for a build": {"build_url": "javascript:alert(1)"},
    "no address of a repository": {"repository_url": "git@git.example:x.git"},
    "no address of a commit": {"commit_url": ""},
    "annotations with NaN": {"annotations": {"x": float("nan")}},
    "user data with half a character": {"user_data": {"x": "\ud83d"}},
    "an external link that is none": {"external_urls": (Link("x", "x"),)},
}


@pytest.mark.parametrize("what", BAD)
async def test_what_an_artifact_may_not_say_is_refused_and_not_recorded(ready: Organization, what: str) -> None:
    size = await ready.size()

    with pytest.raises(Refusal) as refused:
        await report(ready, **BAD[what])

    assert isinstance(refused.value, (InvalidInput, NotFound, TooLarge))
    assert await ready.size() == size


async def test_a_fingerprint_may_say_its_algorithm(ready: Organization) -> None:
    receipt = await report(ready, fingerprint=f"sha256:{FINGERPRINT}")

    assert receipt.body["fingerprint"] == FINGERPRINT


async def test_a_long_name_in_any_script_is_kept(ready: Organization) -> None:
    name = "".join(chr(0x4E00 + n * 7) for n in range(600))

    await report(ready, name=name)

    assert (await reports_of(ready, FINGERPRINT))[0][0].name == name


async def test_the_same_artifact_is_reported_as_often_as_it_is_built(ready: Organization) -> None:
    receipts = [await report(ready), await report(ready, trail="t2"), await report(ready, template_name="web")]

    now, then = await reports_of(ready, FINGERPRINT), await reports_of(ready, FINGERPRINT, size=receipts[1].index)

    assert [each.entry_index for each in now[0]] == [receipt.index for receipt in reversed(receipts)]
    assert [each.entry_index for each in then[0]] == [receipts[0].index]


async def test_a_trail_shows_the_latest_artifact_of_each_template_name(ready: Organization) -> None:
    first = await report(ready)
    await report(ready, template_name="web", fingerprint="a" * 64)
    last = await report(ready, fingerprint="b" * 64)
    trail_id = TrailId(UUID(first.body["trail_id"]))

    async def shown(size: int | None = None) -> list[tuple[str, str]]:
        async with ready.record.database.connection(ready.org_id) as connection:
            [found] = await queries.by_trails(connection, await ready.moment(size), [trail_id])
        return [(each.template_name, each.fingerprint) for each in found]

    assert await shown() == [("app", "b" * 64), ("web", "a" * 64)]
    assert await shown(last.index) == [("app", FINGERPRINT), ("web", "a" * 64)]
    assert await shown(first.index) == []


async def test_a_narrowed_writer_reports_into_its_flows_alone(ready: Organization) -> None:
    await ready.flow(ready.operator, "other")
    await ready.trail(ready.operator, flow="other")
    narrowed = await ready.hired("will", Grant(Role.WRITER, frozenset({"delivery"})))

    await service.report(ready.record, narrowed, WISH)
    with pytest.raises(NotAllowed):
        await service.report(ready.record, narrowed, replace(WISH, flow="other"))


async def test_a_narrowed_reader_sees_the_reports_of_its_flows_alone(ready: Organization) -> None:
    await ready.flow(ready.operator, "other")
    await ready.trail(ready.operator, flow="other")
    await report(ready)
    await report(ready, flow="other")
    await report(ready, flow="other", fingerprint="a" * 64)

    found = await reports_of(ready, FINGERPRINT, "a" * 64, readable=frozenset({"delivery"}))
    nothing = await reports_of(ready, FINGERPRINT, readable=frozenset())

    assert [[each.flow for each in reports] for reports in found] == [["delivery"], []]
    assert nothing == [[]]


async def test_fingerprints_are_found_by_their_beginning(ready: Organization) -> None:
    for fingerprint in ("abc1" + "0" * 60, "abc2" + "0" * 60, "abd" + "0" * 61):
        for trail in ("t1", "t2"):
            await report(ready, fingerprint=fingerprint, trail=trail)

    async def like(prefix: str, *, size: int | None = None, readable: frozenset[str] | None = None) -> list[str]:
        async with ready.record.database.connection(ready.org_id) as connection:
            found = await queries.fingerprints_like(
                connection, await ready.moment(size), prefix, readable=readable, limit=3
            )
        return [each[:4] for each in found]

    assert await like("abc") == ["abc1", "abc2"]
    assert await like("abd0") == ["abd0"]
    assert await like("abe") == []
    assert await like("abc", readable=frozenset({"other"})) == []
    assert await like("abc", size=(await ready.size()) - 4) == ["abc1"]


async def test_reporting_asks_one_question_and_appends_once_however_much_is_stored(ready: Organization) -> None:
    async def cost() -> tuple[int, int]:
        async with watched(ready.record) as (record, database):
            await record.ledger.head(ready.org_id)
            database.sent.clear()
            await service.report(record, ready.operator, replace(WISH, commit=Commit("c" * 40)))
            return len(database.reads()), len(database.appends())

    empty = await cost()
    for number in range(60):
        await report(ready, template_name=f"a{number % 7}", fingerprint=f"{number:064x}")

    assert empty == await cost() == (1, 1)
