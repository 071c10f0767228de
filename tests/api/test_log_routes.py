"""The log over HTTP: what a stranger's tools fetch, and what nobody without a key gets to see."""

import base64
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from api.log import ROUTES
from muniment.proof import merkle, tiles
from muniment.proof.bundle import parse_proof, verify_proof
from muniment.proof.checkpoint import Checkpoint, open_checkpoint
from muniment.proof.notes import VerifierKey, parse_verifier_key
from muniment.proof.policy import Policy
from muniment.proof.tiles import decode_bundle
from record.access import service
from record.access.rules import Grant, Role
from record.ledger.integrate import integrate
from record.ledger.signing import Notary, log_verifier_key
from record.settings import Settings
from tests.api.serving import Organization, Served, serving
from tests.record.ledger.harness import draft


@pytest_asyncio.fixture
async def served(make_settings: Callable[..., Settings]) -> AsyncIterator[Served]:
    """The API with the log's routes."""
    async with serving(make_settings()) as running:
        running.app.router.routes.extend(ROUTES)
        yield running


@pytest_asyncio.fixture
async def public(make_settings: Callable[..., Settings]) -> AsyncIterator[Served]:
    """A server that opens its log to witnesses."""
    async with serving(make_settings(log_public=True)) as running:
        running.app.router.routes.extend(ROUTES)
        yield running


async def grow(served: Served, organization: Organization, count: int) -> None:
    """Entries, and a checkpoint over them."""
    await served.record.ledger.append_many(organization.operator, [draft() for _ in range(count)])
    await integrate(served.record, organization.operator.org_id, Notary(served.record.settings.signing_seed()))


def key_of(served: Served) -> VerifierKey:
    return parse_verifier_key(log_verifier_key(served.record.settings, "muniment.test/log/acme"))


async def get(served: Served, organization: Organization, path: str) -> bytes:
    answer = await served.client.get(f"/log/acme/{path}", headers=organization.headers)
    assert answer.status_code == 200, answer.text
    return answer.content


@pytest_asyncio.fixture
async def grown(served: Served, acme: Organization) -> Organization:
    """303 entries, all of them signed."""
    await grow(served, acme, 300)
    return acme


async def checkpoint_of(served: Served, organization: Organization) -> Checkpoint:
    return open_checkpoint(await get(served, organization, "checkpoint"), key_of(served))


async def test_a_client_rebuilds_the_root_from_what_is_served(served: Served, grown: Organization) -> None:
    checkpoint = await checkpoint_of(served, grown)
    fetched = {
        (tile.level, tile.index): await get(served, grown, tile.path) for tile in tiles.tiles_of(checkpoint.size)
    }
    bundles = [await get(served, grown, path) for path in ("tile/entries/000", "tile/entries/001.p/47")]

    assert checkpoint.size == 303
    assert tiles.root(303, lambda level, index, _: fetched[level, index]) == checkpoint.root
    entries = [entry for bundle in bundles for entry in decode_bundle(bundle)]
    assert merkle.root_of(map(merkle.leaf_hash, entries)) == checkpoint.root


async def test_a_proof_verifies_offline(served: Served, grown: Organization) -> None:
    bundle = decode_bundle(await get(served, grown, "tile/entries/001.p/47"))

    proof = parse_proof(await get(served, grown, "proof/260.tlog-proof"))

    policy = Policy(logs=(key_of(served),), witnesses={}, groups={}, quorum="none")
    assert verify_proof(proof, merkle.leaf_hash(bundle[4]), policy).size == 303


async def test_an_older_checkpoint_is_proven_to_be_the_beginning_of_the_newer(
    served: Served, grown: Organization
) -> None:
    older = await checkpoint_of(served, grown)
    await grow(served, grown, 10)
    newer = await checkpoint_of(served, grown)

    lines = (await get(served, grown, f"consistency?old={older.size}&new={newer.size}")).decode().splitlines()

    hashes = [base64.b64decode(line) for line in lines]
    merkle.verify_consistency(older.size, older.root, newer.size, newer.root, hashes)


async def test_media_types_and_caching_are_those_of_the_specification(served: Served, grown: Organization) -> None:
    said = {}
    for path in ("checkpoint", "tile/0/000", "tile/entries/000", "proof/1"):
        answer = await served.client.get(f"/log/acme/{path}", headers=grown.headers)
        said[path] = (answer.headers["content-type"], answer.headers["cache-control"])

    assert said == {
        "checkpoint": ("text/plain; charset=utf-8", "private, max-age=1"),
        "tile/0/000": ("application/octet-stream", "private, max-age=31536000, immutable"),
        "tile/entries/000": ("application/octet-stream", "private, max-age=31536000, immutable"),
        "proof/1": ("text/plain; charset=utf-8", "private, max-age=1"),
    }


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/001",
        "tile/0/001.p/48",
        "tile/0/001.p/256",
        "tile/0/1",
        "tile/1/001",
        "tile/9/000",
        "tile/entries/001",
        "tile/entries/x001/000",
        "tile/-1/000",
        "tile/0/../checkpoint",
        "proof/303",
    ],
)
async def test_what_is_not_signed_or_not_a_path_is_not_found(served: Served, grown: Organization, path: str) -> None:
    answer = await served.client.get(f"/log/acme/{path}", headers=grown.headers)

    assert answer.status_code == 404


@pytest.mark.parametrize(
    "path", ["proof/one", "proof/-1", "consistency", "consistency?old=9&new=8", "consistency?old=1&new=304"]
)
async def test_numbers_that_are_none_are_refused(served: Served, grown: Organization, path: str) -> None:
    answer = await served.client.get(f"/log/acme/{path}", headers=grown.headers)

    assert answer.status_code == 400


@pytest.mark.parametrize("path", ["checkpoint", "tile/0/000", "tile/entries/000", "proof/1", "consistency?old=1"])
async def test_another_organization_s_log_is_as_unknown_as_one_that_does_not_exist(
    served: Served, grown: Organization, path: str
) -> None:
    stranger = await served.organization("umbrella")

    theirs = await served.client.get(f"/log/acme/{path}", headers=stranger.headers)
    nobodys = await served.client.get(f"/log/nobody/{path}", headers=stranger.headers)
    nameless = await served.client.get(f"/log/acme/{path}")

    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.text.replace("acme", "nobody") == nobodys.text
    assert nameless.status_code == 401


async def test_a_key_narrowed_to_some_flows_does_not_read_the_log(served: Served, grown: Organization) -> None:
    await service.add_principal(
        served.record,
        grown.operator,
        name="pipeline",
        kind="service_account",
        grants=[Grant(Role.READER, flows=frozenset({"delivery"}))],
    )
    principal = await service.principal_named(served.record, grown.operator, "pipeline")
    issued = await service.issue_key(
        served.record, grown.operator, principal_id=principal.principal_id, description="narrow"
    )

    answer = await served.client.get("/log/acme/checkpoint", headers={"authorization": f"Bearer {issued.token}"})

    assert answer.status_code == 403


async def test_witnesses_read_checkpoints_and_hashes_but_never_entries(public: Served) -> None:
    acme = await public.organization()
    await grow(public, acme, 5)
    statuses = {}
    for path in ("checkpoint", "tile/0/000.p/8", "consistency?old=3", "tile/entries/000.p/8", "proof/1"):
        statuses[path] = (await public.client.get(f"/log/acme/{path}")).status_code

    assert statuses == {
        "checkpoint": 200,
        "tile/0/000.p/8": 200,
        "consistency?old=3": 200,
        "tile/entries/000.p/8": 401,
        "proof/1": 401,
    }
    assert (await public.client.get("/log/nobody/checkpoint")).status_code == 404


async def test_an_unsigned_log_says_when_to_come_again(served: Served, acme: Organization) -> None:
    answer = await served.client.get("/log/acme/checkpoint", headers=acme.headers)

    assert answer.status_code == 404
    assert "Ask again" in answer.text
