"""Idempotency keys, on every mutation: the same request is recorded once, another one under the same key never."""

import asyncio
from typing import Any

import pytest

from record.access.rules import Role
from record.notices import telling
from tests.api.graphql.house import House
from tests.api.graphql.test_anonymous import EVERY_MUTATION
from tests.api.graphql.test_attesting import ASSETS, CLEAN, PASSING, SNYK, TRIVY
from tests.assets.make import ARTIFACT, BUILDER, public_pem
from tests.record.controls.catalogues import catalogue, control

REPORTS = {
    "attestJunit": PASSING,
    "attestSarif": CLEAN,
    "attestSnyk": SNYK,
    "attestTrivy": TRIVY,
    "attestSbom": (ASSETS / "sbom_of_this_artifact.json").read_bytes(),
    "attestProvenance": (ASSETS / "provenance_good.dsse.json").read_bytes(),
}


NEEDS_AN_ENVIRONMENT = (
    "changeEnvironment",
    "archiveEnvironment",
    "reportSnapshot",
    "reportDeployment",
    "attachPolicy",
    "detachPolicy",
    "requestApproval",
    "reportApproval",
    "requestWaiver",
    "reviewApproval",
    "withdrawApproval",
    "acceptWaiver",
    "revokeWaiver",
)
NEEDS_A_REQUEST = {
    "reviewApproval": ("requestApproval", "approval"),
    "withdrawApproval": ("requestApproval", "approval"),
    "acceptWaiver": ("requestWaiver", "waiver"),
    "revokeWaiver": ("requestWaiver", "waiver"),
}
NEEDS_A_NOTICE = ("changeNotice", "disableNotice", "rotateNoticeSecret", "testNotice", "replayDelivery")
NEEDS_A_POLICY = ("changePolicy", "attachPolicy", "detachPolicy")


async def prepared(house: House, mutation: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """An input with which this mutation succeeds, and another one."""
    await house.ada.done("changePrincipal", name="ada", grants=[{"role": "ADMIN"}, {"role": "APPROVER"}])
    await house.delivery()
    wish = dict(EVERY_MUTATION.get(mutation, {}))
    await _prepare_runtime(house, mutation, wish)
    match mutation:
        case "attestCustom":
            await house.ada.done("defineAttestationType", name="perf", rules=[".ok"])
        case "defineAttestationType":
            wish["rules"] = [".ok"]
        case "trustSigningKey":
            wish["pem"] = public_pem(BUILDER)
        case "retireSigningKey":
            await house.ada.done("trustSigningKey", name="k", pem=public_pem(BUILDER))
        case "rotateKey" | "revokeKey":
            wish["keyId"] = (await house.ada.done("issueKey", "keyId", description="x"))["keyId"]
        case "changePrincipal":
            await house.hire("bob", Role.READER)
            wish = {"name": "bob", "grants": [{"role": "WRITER"}]}
    wish |= await of_reports(house, mutation, wish)
    wish |= await of_controls(house, mutation)
    return wish, other_than(wish)


async def of_reports(house: House, mutation: str, wish: dict[str, Any]) -> dict[str, Any]:
    """What mutations with reports need besides: an artifact, and the report."""
    if mutation not in REPORTS:
        return {}
    await house.artifact(fingerprint=ARTIFACT)
    named = {"digest": await house.ada.upload(REPORTS[mutation]), "fileName": "report"}
    argument = next(name for name in ("results", "report", "envelope") if name in wish)
    return {"fingerprint": ARTIFACT, argument: [named] if argument == "results" else named}


async def of_controls(house: House, mutation: str) -> dict[str, Any]:
    """What mutations of frameworks need besides: the framework, a catalogue, something to map."""
    if mutation in ("changeFramework", "mapControl"):
        await house.ada.done("createFramework", **EVERY_MUTATION["createFramework"])
    if mutation == "importControls":
        return {"digest": await house.ada.upload(catalogue(control("CC8.1")))}
    return {"requirements": [{"attestation": {"name": "tests"}}]} if mutation == "mapControl" else {}


async def _prepare_runtime(house: House, mutation: str, wish: dict[str, Any]) -> None:
    if mutation in NEEDS_AN_ENVIRONMENT:
        await house.ada.done("createEnvironment", **EVERY_MUTATION["createEnvironment"])
    if mutation in NEEDS_A_POLICY:
        await house.ada.done("createPolicy", **EVERY_MUTATION["createPolicy"])
    match mutation:
        case "reportDeployment":
            await house.artifact()
        case "changePolicy":
            wish["document"] += "\nartifacts: {provenance: {required: true}}"
        case "detachPolicy":
            await house.ada.done("attachPolicy", **wish)
    if mutation in NEEDS_A_NOTICE:
        await house.ada.done("createNotice", **EVERY_MUTATION["createNotice"])
    if mutation == "replayDelivery":
        await house.ada.done("testNotice", name="n")
        await telling.tell(house.served.record, house.org_id)
        said = await house.ada.ask('{ record { notice(name: "n") { deliveries { nodes { id } } } } }')
        wish["delivery"] = said["record"]["notice"]["deliveries"]["nodes"][0]["id"]
    if mutation in NEEDS_A_REQUEST:
        request, noun = NEEDS_A_REQUEST[mutation]
        somebody = await house.hire("wes", Role.WRITER)
        wish["id"] = (await somebody.done(request, f"{noun} {{ id }}", **EVERY_MUTATION[request]))[noun]["id"]


def other_than(wish: dict[str, Any]) -> dict[str, Any]:
    for name, value in (
        ("name", "other"),
        ("description", "other"),
        ("reason", "other"),
        ("comment", "other"),
        ("size", 3),
        ("environment", "other"),
        ("framework", "other"),
        ("public", False),
    ):
        if name in wish:
            return {**wish, name: value}
    if "kind" in wish:
        return {**wish, "size": 3}
    if "delivery" in wish:
        return EVERY_MUTATION["replayDelivery"]
    return {**wish, "overlapHours": 1} if "keyId" in wish else {**wish, "public": False}


@pytest.mark.parametrize("mutation", [*EVERY_MUTATION, "rotateKey", "revokeKey"])
async def test_a_repeated_request_gets_its_first_receipt(house: House, mutation: str) -> None:
    wish, other = await prepared(house, mutation)
    if mutation == "revokeKey":
        other = {**wish, "reason": "other"}

    first = await house.ada.done(mutation, **wish, idempotencyKey="once")
    async with house.nothing_recorded():
        again = await house.ada.done(mutation, **wish, idempotencyKey="once")
        conflict = await house.ada.do(mutation, **other, idempotencyKey="once")

    assert first["receipt"]["replayed"] is False
    assert again["receipt"] == first["receipt"] | {"replayed": True}
    assert (conflict["__typename"], conflict["code"]) == ("IdempotencyConflict", "IDEMPOTENCY_CONFLICT")


async def test_one_key_for_two_mutations_is_a_conflict(house: House) -> None:
    await house.ada.done("addPerson", name="bob", grants=[], idempotencyKey="once")

    async with house.nothing_recorded():
        refused = await house.ada.do("addServiceAccount", name="bob", grants=[], idempotencyKey="once")

    assert refused["code"] == "IDEMPOTENCY_CONFLICT"


async def test_two_people_may_use_the_same_idempotency_key(house: House) -> None:
    await house.delivery()
    bob = await house.hire("bob", Role.WRITER)

    mine = await house.ada.done("beginTrail", flow="delivery", name="mine", idempotencyKey="1")
    his = await bob.done("beginTrail", flow="delivery", name="his", idempotencyKey="1")

    assert mine["receipt"]["index"] != his["receipt"]["index"]


@pytest.mark.parametrize("mutation", ["createFlow", "beginTrail", "attestGeneric", "issueKey", "requestArchive"])
async def test_twenty_identical_requests_at_once_are_recorded_once(house: House, mutation: str) -> None:
    wish, _ = await prepared(house, mutation)
    size = await house.size()

    answers = await asyncio.gather(*(house.ada.done(mutation, **wish, idempotencyKey="once") for _ in range(20)))

    assert await house.size() == size + 1
    assert {answer["receipt"]["index"] for answer in answers} == {size}
    assert sum(not answer["receipt"]["replayed"] for answer in answers) == 1


async def test_a_repeated_request_is_answered_though_it_would_be_refused_now(house: House) -> None:
    created = await house.ada.done("createFlow", "flow { name }", name="delivery", idempotencyKey="once")
    await house.ada.done("changeOrganization", flowNamePattern="other-.*")

    again = await house.ada.done("createFlow", "flow { name }", name="delivery", idempotencyKey="once")

    assert again["receipt"]["index"] == created["receipt"]["index"]
    assert again["flow"] == {"name": "delivery"}
