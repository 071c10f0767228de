"""Principals and keys: who may what, shown once, rotated with overlap, stopped at once, never wider than their source."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from record.access.rules import Grant, Role
from record.settings import Settings
from tests.api.graphql.house import FINGERPRINT, Client, House, serving_schema
from tests.api.serving import MovableClock, Served

KEYS = """{ record { principals { name kind disabled grants { role flows }
  keys { id description revokedAt expiresAt lastUsedAt } } } }"""
VIEWER = "{ viewer { principal organization grants { role flows } scopes { role flows } } }"
ISSUED = "token keyId expiresAt"


async def person(house: House, name: str) -> dict[str, Any]:
    people = (await house.ada.ask(KEYS))["record"]["principals"]
    return next(each for each in people if each["name"] == name)


def holder(house: House, issued: dict[str, Any]) -> Client:
    return Client(house.served, f"Bearer {issued['token']}")


@pytest.mark.parametrize(("mutation", "kind"), [("addPerson", "person"), ("addServiceAccount", "service_account")])
async def test_somebody_new_gets_roles_and_a_key(house: House, mutation: str, kind: str) -> None:
    added = await house.ada.done(
        mutation,
        "principal { name kind disabled grants { role flows environments } }",
        name="ci",
        grants=[{"role": "WRITER", "flows": ["delivery", "docs"]}, {"role": "SNAPSHOTTER", "environments": ["prod"]}],
    )
    issued = await house.ada.done("issueKey", ISSUED, principal="ci", description="GitHub Actions")

    said = await holder(house, issued).ask(VIEWER)
    assert added["principal"]["kind"] == kind
    assert added["principal"]["grants"] == [
        {"role": "WRITER", "flows": ["delivery", "docs"], "environments": None},
        {"role": "SNAPSHOTTER", "flows": None, "environments": ["prod"]},
    ]
    assert said["viewer"]["principal"] == "ci"
    assert issued["token"].startswith("mun_")


async def test_a_key_lives_for_ninety_days_unless_said_otherwise(house: House) -> None:
    usual = await house.ada.done("issueKey", ISSUED, description="a")
    short = await house.ada.done("issueKey", ISSUED, description="b", expiresInDays=1)

    assert usual["expiresAt"][:10] > short["expiresAt"][:10]
    listed = {key["description"]: key["expiresAt"] for key in (await person(house, "ada"))["keys"]}
    assert (listed["a"], listed["b"]) == (usual["expiresAt"], short["expiresAt"])


async def test_a_key_is_shown_once_and_stored_nowhere(house: House) -> None:
    issued = await house.ada.done("issueKey", ISSUED, description="once", idempotencyKey="k")
    again = await house.ada.done("issueKey", ISSUED, description="once", idempotencyKey="k")

    everything = await house.ada.raw("{ record { ledger { entries(last: 50) { nodes { canonical } } } } }")
    assert (again["token"], again["keyId"], again["receipt"]["replayed"]) == (None, issued["keyId"], True)
    assert issued["token"] not in everything.text


@pytest.mark.parametrize("days", [0, -1, 100_000])
async def test_a_life_that_is_none_is_refused(house: House, days: int) -> None:
    async with house.nothing_recorded():
        refused = await house.ada.do("issueKey", description="x", expiresInDays=days)

    assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "expiresInDays")


async def test_a_rotated_key_opens_during_the_overlap_and_then_no_more(make_settings: Callable[..., Settings]) -> None:
    clock = MovableClock()
    async with serving_schema(make_settings(), clock=clock) as served:
        house = await House.begin(served)
        old = await house.ada.done("issueKey", ISSUED, description="ci", scopes=[{"role": "READER"}])
        new = await house.ada.done("rotateKey", ISSUED, keyId=old["keyId"], overlapHours=2)
        opened = [(await holder(house, key).raw(VIEWER)).status_code for key in (old, new)]
        clock.moved = timedelta(hours=2, minutes=1)
        later = [(await holder(house, key).raw(VIEWER)).status_code for key in (old, new)]
        said = await holder(house, new).ask(VIEWER)
        async with house.nothing_recorded():
            dead = await house.ada.do("rotateKey", keyId=old["keyId"])
        clock.moved = timedelta(days=91)
        ended = (await holder(house, new).raw(VIEWER)).status_code

    assert (opened, later, ended) == ([200, 200], [401, 200], 401)
    assert said["viewer"]["scopes"] == [{"role": "READER", "flows": None}]
    assert dead["code"] == "INVALID_INPUT"


async def test_a_revoked_key_opens_nothing_with_the_next_request(house: House) -> None:
    await house.delivery()
    issued = await house.ada.done("issueKey", ISSUED, description="lost")
    lost = holder(house, issued)
    pinned = "{ record(size: 3) { flows { nodes { name } } } }"
    assert [(await lost.raw(query)).status_code for query in (VIEWER, pinned, VIEWER, pinned)] == [200] * 4

    revoked = await house.ada.done("revokeKey", keyId=issued["keyId"], reason="lost")

    assert revoked["receipt"]["kind"] == "key.revoked"
    assert [(await lost.raw(query)).status_code for query in (VIEWER, pinned)] == [401, 401]
    assert (await lost.get(f"/evidence/sha256:{FINGERPRINT}")).status_code == 401
    assert (await lost.get(f"/log/{house.people.name}/checkpoint")).status_code == 401
    listed = {key["id"]: key["revokedAt"] for key in (await person(house, "ada"))["keys"]}
    assert listed[issued["keyId"]] == revoked["receipt"]["at"]


async def test_a_disabled_principal_has_no_key_that_opens(house: House) -> None:
    bob = await house.hire("bob", Role.READER)
    await bob.ask(VIEWER)

    changed = await house.ada.done(
        "changePrincipal", "principal { disabled grants { role } }", name="bob", disabled=True
    )
    closed = (await bob.raw(VIEWER)).status_code
    await house.ada.done("changePrincipal", name="bob", disabled=False)

    assert changed["principal"] == {"disabled": True, "grants": [{"role": "READER"}]}
    assert (closed, (await bob.raw(VIEWER)).status_code) == (401, 200)


async def test_a_role_that_is_taken_away_is_gone_with_the_next_request(house: House) -> None:
    await house.delivery()
    bob = await house.hire("bob", Role.WRITER)
    await bob.done("beginTrail", flow="delivery", name="build-2")
    await house.ada.done("changePrincipal", name="bob", grants=[{"role": "READER", "flows": ["other"]}])

    async with house.nothing_recorded():
        refused = await bob.do("beginTrail", flow="delivery", name="build-3")

    assert refused["code"] == "NOT_ALLOWED"
    assert (await bob.ask('{ record { flow(name: "delivery") { name } } }'))["record"]["flow"] is None


async def test_when_a_key_was_last_used_can_be_seen(house: House, real: Served) -> None:
    bob = await house.hire("bob", Role.READER)
    before = (await person(house, "bob"))["keys"][0]["lastUsedAt"]
    await bob.ask(VIEWER)
    await real.app.state.identity.flush()

    after = (await person(house, "bob"))["keys"][0]["lastUsedAt"]

    assert before is None
    assert after is not None


@pytest.mark.parametrize(
    ("mutation", "wish", "code"),
    [
        ("addPerson", {"name": "ada", "grants": []}, "NAME_TAKEN"),
        ("addPerson", {"name": "", "grants": []}, "INVALID_INPUT"),
        ("addServiceAccount", {"name": "x" * 300, "grants": []}, "INVALID_INPUT"),
        ("changePrincipal", {"name": "nobody"}, "NOT_FOUND"),
        ("issueKey", {"principal": "nobody", "description": "x"}, "NOT_FOUND"),
        ("rotateKey", {"keyId": "nonsense"}, "INVALID_INPUT"),
        ("revokeKey", {"keyId": "RW50cnk6MQ"}, "INVALID_INPUT"),
        ("revokeKey", {"keyId": "QXBpS2V5OjAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMA"}, "NOT_FOUND"),
    ],
)
async def test_what_may_not_be_is_refused(house: House, mutation: str, wish: dict[str, Any], code: str) -> None:
    async with house.nothing_recorded():
        refused = await house.ada.do(mutation, **wish)

    assert refused["code"] == code, refused


async def test_an_overlap_that_is_none_is_refused(house: House) -> None:
    issued = await house.ada.done("issueKey", ISSUED, description="x")

    for hours in (-1, 1_000_000):
        async with house.nothing_recorded():
            refused = await house.ada.do("rotateKey", keyId=issued["keyId"], overlapHours=hours)
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "overlapHours")


async def test_a_role_that_nobody_knows_is_no_input(house: House) -> None:
    async with house.nothing_recorded():
        refused = await house.ada.refused(
            'mutation { addPerson(input: {name: "eve", grants: [{role: OWNER}]}) { __typename } }'
        )

    assert "OWNER" in refused["message"]


async def test_a_narrowed_key_cannot_widen_itself(house: House) -> None:
    narrow = holder(
        house,
        await house.ada.done("issueKey", ISSUED, description="ci", scopes=[{"role": "WRITER", "flows": ["delivery"]}]),
    )
    ada_key = (await person(house, "ada"))["keys"][0]["id"]
    wider: list[tuple[str, dict[str, Any]]] = [
        ("issueKey", {"description": "x", "scopes": [{"role": "WRITER"}]}),
        ("issueKey", {"description": "x", "scopes": [{"role": "WRITER", "flows": ["delivery", "other"]}]}),
        ("issueKey", {"description": "x", "scopes": [{"role": "ADMIN"}]}),
        ("issueKey", {"description": "x", "principal": "bob"}),
        ("rotateKey", {"keyId": ada_key}),
        ("revokeKey", {"keyId": ada_key}),
        ("addPerson", {"name": "eve", "grants": [{"role": "ADMIN"}]}),
        ("changePrincipal", {"name": "ada", "grants": [{"role": "ADMIN"}]}),
        ("changeOrganization", {"public": True}),
        ("createFlow", {"name": "other"}),
    ]
    await house.hire("bob", Role.READER)

    async with house.nothing_recorded():
        for mutation, wish in wider:
            refused = await narrow.do(mutation, **wish)
            assert refused["code"] == "NOT_ALLOWED", (mutation, refused)
    heir = await narrow.done("issueKey", ISSUED, description="x")

    said = await holder(house, heir).ask(VIEWER)
    assert said["viewer"]["scopes"] == [{"role": "WRITER", "flows": ["delivery"]}]


async def test_somebody_without_the_role_admin_touches_no_other_key(house: House) -> None:
    bob = await house.hire("bob", Role.WRITER, Role.AUDITOR)
    ada_key = (await person(house, "ada"))["keys"][0]["id"]

    async with house.nothing_recorded():
        for mutation, wish in (
            ("issueKey", {"description": "x", "principal": "ada"}),
            ("rotateKey", {"keyId": ada_key}),
            ("revokeKey", {"keyId": ada_key}),
        ):
            assert (await bob.do(mutation, **wish))["code"] == "NOT_ALLOWED"
    own = await bob.done("issueKey", ISSUED, description="my own")
    await bob.done("revokeKey", keyId=own["keyId"])


@pytest.fixture
async def two_flows(house: House) -> House:
    """Two flows with everything in them."""
    for flow in ("delivery", "secret"):
        await house.delivery(flow)
        digest = await house.ada.upload(flow.encode())
        await house.attest("pull-request", flow=flow, evidence=[{"digest": digest, "fileName": "log"}])
    await house.artifact(flow="secret", trail="build-1")
    return house


async def test_a_reader_of_one_flow_sees_nothing_of_another(two_flows: House) -> None:
    house = two_flows
    bob = await house.hire("bob", Grant(Role.AUDITOR, flows=frozenset({"delivery"})))
    await house.ada.done("requestArchive", kind="TRAIL", flow="secret", trail="build-1")
    await house.ada.done("requestArchive", kind="ORGANIZATION")
    await house.ada.done("requestArchive", kind="TRAIL", flow="delivery", trail="build-1")

    said = await bob.ask(
        """query ($f: Fingerprint!) { record { flows { nodes { name } } flow(name: "secret") { name }
        trail(flow: "secret", name: "build-1") { name } artifact(fingerprint: $f) { name }
        search(query: "build") { ... on Trail { flowName } } archives { nodes { flowName } } } }""",
        f=FINGERPRINT,
    )

    assert said["record"] == {
        "flows": {"nodes": [{"name": "delivery"}]},
        "flow": None,
        "trail": None,
        "artifact": None,
        "search": [{"flowName": "delivery"}],
        "archives": {"nodes": [{"flowName": "delivery"}]},
    }
    digests = [await house.ada.upload(flow.encode()) for flow in ("delivery", "secret")]
    assert [(await bob.get(f"/evidence/sha256:{digest}")).status_code for digest in digests] == [200, 404]
    for path in ("checkpoint", "tile/entries/000.p/3", "tile/0/000.p/3", "proof/1"):
        assert (await bob.get(f"/log/{house.people.name}/{path}")).status_code == 403
    async with house.nothing_recorded():
        assert (await bob.do("requestArchive", kind="FLOW", flow="secret"))["code"] == "NOT_ALLOWED"
        assert (await bob.do("requestArchive", kind="ORGANIZATION"))["code"] == "NOT_ALLOWED"


async def test_reading_everywhere_and_auditing_one_flow_shows_only_its_archives(two_flows: House) -> None:
    house = two_flows
    for flow in ("delivery", "secret"):
        await house.ada.done("requestArchive", kind="FLOW", flow=flow)
    bob = await house.hire("bob", Role.READER, Grant(Role.AUDITOR, flows=frozenset({"delivery"})))

    said = await bob.ask("{ record { archives { nodes { flowName } } } }")

    assert said["record"]["archives"]["nodes"] == [{"flowName": "delivery"}]


async def test_a_snapshotter_reads_nothing(two_flows: House) -> None:
    eve = await two_flows.hire("eve", Role.SNAPSHOTTER)

    said = await eve.ask(
        '{ record { flows { nodes { name } } flow(name: "delivery") { name } search(query: "build") { __typename } } }'
    )

    assert said["record"] == {"flows": {"nodes": []}, "flow": None, "search": []}
    for field in ("attestationTypes { name }", "signingKeys { name }", "organization { name }", "principals { name }"):
        assert await eve.code(f"{{ record {{ {field} }} }}") == "NOT_ALLOWED"


async def test_an_artifact_shows_only_the_trails_of_flows_that_one_may_read(two_flows: House) -> None:
    house = two_flows
    await house.artifact(flow="delivery", trail="build-1")
    bob = await house.hire("bob", Grant(Role.READER, flows=frozenset({"delivery"})))
    query = "query ($f: Fingerprint!) { record { artifact(fingerprint: $f) { reports { flowName } } } }"

    mine = await bob.ask(query, f=FINGERPRINT)
    all_of_them = await house.ada.ask(query, f=FINGERPRINT)

    assert mine["record"]["artifact"]["reports"] == [{"flowName": "delivery"}]
    assert len(all_of_them["record"]["artifact"]["reports"]) == 2
