"""Verdicts as they are asked for: they flip with what is recorded, say why, and cost the same for ten trails and for fifty."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from record.access.rules import Role
from record.clock import to_rfc3339
from tests.api.graphql.house import COMMIT, TEMPLATE, House
from tests.api.serving import Served
from tests.record.statements import watched

VERDICT = """{ record { trail(flow: "delivery", name: "build-1") { verdict { status holdsUntil
  reasons { rule subject outcome explanation remedy entryIndex because {
    rule subject outcome explanation remedy entryIndex because { rule outcome entryIndex remedy } } } } } } }"""
PAGE = """query ($first: Int!) { record { flow(name: "delivery") { trails(first: $first) { nodes { name
  verdict { status reasons { rule because { rule } } }
  artifacts { fingerprint verdict { status } trail { name } attestations { name } }
  attestations { name evidence { digest } } } } } } }"""


async def verdict(house: House) -> dict[str, Any]:
    said: dict[str, Any] = (await house.ada.ask(VERDICT))["record"]["trail"]["verdict"]
    return said


def flat(reasons: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for reason in reasons for each in (reason, *flat(reason.get("because", [])))]


async def test_a_trail_goes_from_incomplete_to_compliant_to_non_compliant(house: House) -> None:
    await house.delivery()
    seen = [(await verdict(house))["status"]]
    await house.attest("pull-request")
    await house.artifact()
    seen.append((await verdict(house))["status"])
    await house.attest("app.unit-tests")
    seen.append((await verdict(house))["status"])
    await house.attest("app.unit-tests", compliant=False)
    seen.append((await verdict(house))["status"])
    await house.attest("app.unit-tests")
    seen.append((await verdict(house))["status"])

    assert seen == ["INCOMPLETE", "INCOMPLETE", "COMPLIANT", "NON_COMPLIANT", "COMPLIANT"]


async def test_an_attestation_counts_before_and_after_its_artifact(house: House) -> None:
    await house.delivery("delivery", "before", "after")
    for trail in ("before", "after"):
        await house.attest("pull-request", trail=trail)
    await house.attest("app.unit-tests", trail="before", commit=COMMIT[:10])
    await house.artifact(trail="before")
    await house.artifact(trail="after")
    await house.attest("app.unit-tests", trail="after")

    said = await house.ada.ask(
        '{ record { flow(name: "delivery") { trails { nodes { name verdict { status } artifacts { verdict { status } } } } } } }'
    )

    nodes = said["record"]["flow"]["trails"]["nodes"]
    assert [node["verdict"]["status"] for node in nodes] == ["COMPLIANT", "COMPLIANT"]
    assert [node["artifacts"][0]["verdict"]["status"] for node in nodes] == ["COMPLIANT", "COMPLIANT"]


async def test_nothing_asked_and_nothing_attested_is_unknown(house: House) -> None:
    await house.delivery(template=None)

    assert (await verdict(house))["status"] == "UNKNOWN"


async def test_reasons_name_the_rule_the_line_the_remedy_and_the_entry(house: House) -> None:
    await house.delivery()
    attested = await house.attest("pull-request", compliant=False)
    await house.artifact()

    said = await verdict(house)

    reasons = flat(said["reasons"])
    wrong = next(reason for reason in reasons if reason["outcome"] == "NON_COMPLIANT" and not reason.get("because"))
    missing = next(reason for reason in reasons if reason["outcome"] == "INCOMPLETE")
    assert (said["status"], wrong["outcome"], missing["outcome"]) == ("NON_COMPLIANT", "NON_COMPLIANT", "INCOMPLETE")
    assert "template v1, line 4" in wrong["rule"]
    assert "template v1, line 8" in missing["rule"]
    assert wrong["entryIndex"] == attested["receipt"]["index"]
    assert (missing["entryIndex"], bool(missing["remedy"])) == (None, True)


async def test_every_entry_that_a_reason_names_is_about_this_trail(house: House) -> None:
    await house.delivery("delivery", "build-0", "build-1")
    await house.attest("pull-request")
    await house.attest("app.unit-tests")
    await house.artifact()
    said = await verdict(house)

    named = {reason["entryIndex"] for reason in flat(said["reasons"])} - {None}
    entries = await house.ada.ask(
        "{ record { ledger { "
        + " ".join(f"e{index}: entry(index: {index}) {{ kind body }}" for index in named)
        + " } } }"
    )

    assert len(named) >= 2
    for entry in entries["record"]["ledger"].values():
        assert entry["kind"] in ("attestation.recorded", "artifact.reported", "trail.begun")
        assert "build-1" in (entry["body"].get("trail"), entry["body"].get("name"))


async def test_an_override_holds_until_it_expires(house: House) -> None:
    await house.delivery()
    await house.attest("pull-request", compliant=False)
    await house.artifact()
    await house.attest("app.unit-tests")
    amy = await house.hire("amy", Role.APPROVER)
    until = to_rfc3339(datetime.now(UTC) + timedelta(hours=1))

    await amy.done(
        "override",
        flow="delivery",
        trail="build-1",
        name="waiver",
        overrides="pull-request",
        compliant=True,
        reason="Reviewed by phone.",
        expiresAt=until,
    )

    said = await verdict(house)
    assert (said["status"], said["holdsUntil"]) == ("COMPLIANT", until)
    assert any("Reviewed by phone." in reason["explanation"] for reason in flat(said["reasons"]))


async def test_a_page_of_fifty_trails_takes_as_many_statements_as_one_of_ten(house: House, real: Served) -> None:
    await house.ada.done("createFlow", name="delivery", template=TEMPLATE)
    digest = await house.ada.upload(b"log")
    files = [{"digest": digest, "fileName": "log.txt"}]

    async def build(number: int) -> None:
        trail = f"build-{number}"
        await house.ada.done("beginTrail", flow="delivery", name=trail, commit={"sha": COMMIT})
        await house.artifact(trail=trail, fingerprint=f"{number:064x}")
        await house.attest("app.unit-tests", number % 3 > 0, trail=trail, evidence=files)

    await asyncio.gather(*(build(number) for number in range(50)))

    counted = [len(await statements(real, house, PAGE, first=first)) for first in (10, 50)]

    assert counted[0] == counted[1] <= 12


async def test_people_with_keys_take_as_many_statements_as_one_person(house: House, real: Served) -> None:
    query = "{ record { principals { name keys { description lastUsedAt } } } }"
    alone = await statements(real, house, query)
    for number in range(5):
        await house.hire(f"person-{number}", Role.READER)

    assert len(await statements(real, house, query)) == len(alone)


async def statements(served: Served, house: House, query: str, **variables: Any) -> list[str]:
    """What PostgreSQL is asked for a question that was not asked before."""
    asking = served.app.state.view.asking
    await house.ada.ask(query, **variables)
    house.forget_answers()
    before = asking.record
    async with watched(before) as (record, database):
        asking.record = record
        try:
            await house.ada.ask(query, **variables)
        finally:
            asking.record = before
        return list(database.sent)
