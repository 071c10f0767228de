"""Archives from request to proof: asked for, watched until they are ready, taken away, checked by a stranger."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from muniment.proof.archive import verify_archive
from record.access.rules import Grant, Role
from tests.api.graphql.house import FINGERPRINT, House
from tests.api.graphql.listening import WAYS, listen

SHOWN = "archive { id kind flowName trailName fingerprint status size instant requestedBy entryIndex url failure }"
WATCHED = """subscription ($id: ID!) { archive(id: $id) { id status url digest byteCount files checkpointSize failure
  progress { done total text attempts } } }"""
DOWNLOADS = "query ($id: ID!) { record { archive(id: $id) { status downloads { downloadedBy entryIndex } } } }"


async def recorded(house: House) -> None:
    await house.delivery()
    log = await house.ada.upload(b"all went well")
    await house.attest("pull-request", evidence=[{"digest": log, "fileName": "log.txt"}])
    await house.artifact()


async def watched(way: str, house: House, archive_id: str) -> list[dict[str, Any]]:
    """Every state of an archive until it has ended."""
    seen = []
    async for result in listen(way, house.ada, WATCHED, id=archive_id):
        assert "errors" not in result, result
        seen.append(result["data"]["archive"])
    return seen


@pytest.mark.parametrize(
    ("wish", "way"),
    [
        ({"kind": "TRAIL", "flow": "delivery", "trail": "build-1"}, "websocket"),
        ({"kind": "ARTIFACT", "fingerprint": FINGERPRINT}, "events"),
        ({"kind": "FLOW", "flow": "delivery", "since": "2020-01-01T00:00:00Z"}, "websocket"),
        ({"kind": "ORGANIZATION"}, "events"),
    ],
    ids=lambda wish: wish["kind"] if isinstance(wish, dict) else wish,
)
async def test_an_archive_is_asked_for_watched_taken_away_and_verified(
    working_house: House, wish: dict[str, Any], way: str, tmp_path: Path
) -> None:
    house = working_house
    await recorded(house)
    amy = await house.hire("amy", Role.AUDITOR)

    requested = await amy.done("requestArchive", SHOWN, **wish)
    seen = await watched(way, house, requested["archive"]["id"])
    last = seen[-1]
    response = await amy.get(last["url"])

    assert requested["receipt"]["kind"] == "archive.requested"
    assert requested["archive"]["requestedBy"] == "amy"
    assert requested["archive"]["size"] <= requested["receipt"]["index"]
    assert {state["status"] for state in seen[:-1]} <= {"WAITING", "RUNNING"}
    assert (last["status"], last["failure"], last["progress"]["attempts"]) == ("READY", None, 1)
    assert last["byteCount"] == last["progress"]["done"] == len(response.content)
    assert last["checkpointSize"] >= requested["archive"]["size"]
    file = tmp_path / "archive.zip"
    file.write_bytes(response.content)
    assert verify_archive(str(file)).ok
    said = await amy.ask(DOWNLOADS, id=requested["archive"]["id"])
    (download,) = said["record"]["archive"]["downloads"]
    entry = await amy.ask(
        f"{{ record {{ ledger {{ entry(index: {download['entryIndex']}) {{ kind principal body }} }} }} }}"
    )
    assert download["downloadedBy"] == "amy"
    assert entry["record"]["ledger"]["entry"]["kind"] == "archive.downloaded"
    assert entry["record"]["ledger"]["entry"]["body"]["sha256"] == last["digest"]


async def test_the_same_question_at_the_same_size_gives_the_same_bytes(working_house: House) -> None:
    house = working_house
    await recorded(house)
    size = await house.size()
    wish = {"kind": "TRAIL", "flow": "delivery", "trail": "build-1", "size": size}

    first = await house.ada.done("requestArchive", SHOWN, **wish)
    ended = [(await watched("events", house, first["archive"]["id"]))[-1]]
    await house.attest("app.unit-tests", compliant=False)
    second = await house.ada.done("requestArchive", SHOWN, **wish)
    ended.append((await watched("events", house, second["archive"]["id"]))[-1])

    assert first["archive"]["id"] != second["archive"]["id"]
    assert ended[0]["digest"] == ended[1]["digest"]


async def test_questions_asked_at_once_are_all_answered(working_house: House) -> None:
    house = working_house
    await recorded(house)
    wish = {"kind": "TRAIL", "flow": "delivery", "trail": "build-1"}

    requested = await asyncio.gather(*(house.ada.done("requestArchive", "archive { id }", **wish) for _ in range(6)))
    ended = await asyncio.gather(*(watched("events", house, each["archive"]["id"]) for each in requested))

    assert {states[-1]["status"] for states in ended} == {"READY"}


async def test_only_auditors_ask_for_archives(house: House) -> None:
    await recorded(house)
    wish = {"kind": "TRAIL", "flow": "delivery", "trail": "build-1"}
    archive = (await house.ada.done("requestArchive", SHOWN, **wish))["archive"]

    for role in (Role.WRITER, Role.READER, Role.APPROVER, Role.SNAPSHOTTER):
        eve = await house.hire(f"eve-{role.value}", role)
        async with house.nothing_recorded():
            refused = await eve.do("requestArchive", **wish)
        assert (refused["__typename"], refused["code"]) == ("NotAllowed", "NOT_ALLOWED")
        assert "auditor" in refused["message"]
        assert await eve.code("{ record { archives { nodes { id } } } }") == "NOT_ALLOWED"
        assert (await eve.ask(DOWNLOADS, id=archive["id"]))["record"]["archive"] is None
        assert (await eve.get(f"/archives/{'0' * 8}-0000-0000-0000-{'0' * 12}.zip")).status_code in (403, 404)


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"kind": "TRAIL", "flow": "delivery", "trail": "nothing"}, "NOT_FOUND"),
        ({"kind": "TRAIL", "flow": "nowhere", "trail": "build-1"}, "NOT_FOUND"),
        ({"kind": "TRAIL", "flow": "delivery"}, "INVALID_INPUT"),
        ({"kind": "FLOW", "flow": "nowhere"}, "NOT_FOUND"),
        ({"kind": "ARTIFACT", "fingerprint": "ab" * 32}, "NOT_FOUND"),
        ({"kind": "ARTIFACT", "fingerprint": "f1f1f1f1"}, "INVALID_INPUT"),
        ({"kind": "ORGANIZATION", "flow": "delivery"}, "INVALID_INPUT"),
        ({"kind": "ORGANIZATION", "size": 0}, "INVALID_INPUT"),
        ({"kind": "ORGANIZATION", "size": 1_000}, "INVALID_INPUT"),
        (
            {"kind": "FLOW", "flow": "delivery", "since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
            "INVALID_INPUT",
        ),
    ],
    ids=str,
)
async def test_what_cannot_be_archived_is_refused(house: House, wish: dict[str, Any], code: str) -> None:
    await recorded(house)

    async with house.nothing_recorded():
        refused = await house.ada.do("requestArchive", **wish)

    assert refused["code"] == code, refused


@pytest.mark.parametrize("way", WAYS)
async def test_an_archive_that_is_not_ones_own_to_see_is_not_there_to_watch(house: House, way: str) -> None:
    await recorded(house)
    archive = (await house.ada.done("requestArchive", SHOWN, kind="ORGANIZATION"))["archive"]
    stranger = await House.begin(house.served, f"stranger-of-{house.people.name}")
    bob = await house.hire("bob", Grant(Role.AUDITOR, flows=frozenset({"delivery"})))

    for somebody in (stranger.ada, bob):
        said = [result async for result in listen(way, somebody, WATCHED, id=archive["id"])]
        assert [result["errors"][0]["extensions"]["code"] for result in said] == ["NOT_FOUND"]


async def test_who_is_shut_out_does_not_watch_on(house: House) -> None:
    await recorded(house)
    amy = await house.hire("amy", Role.AUDITOR)
    archive = (await amy.done("requestArchive", SHOWN, kind="ORGANIZATION"))["archive"]
    listening = listen("events", amy, WATCHED, id=archive["id"])
    first = await anext(listening)

    await house.ada.done("changePrincipal", name="amy", disabled=True)
    (last,) = [result async for result in listening]

    assert first["data"]["archive"]["status"] == "WAITING"
    assert last["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
