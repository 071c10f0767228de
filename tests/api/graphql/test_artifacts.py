"""Artifacts: reported into trails, known by their fingerprint; and every way to be refused leaves the ledger as it was."""

from typing import Any

import pytest

from record.access.rules import Grant, Role
from tests.api.graphql.house import COMMIT, FINGERPRINT, House

SHOWN = """artifact { id fingerprint name verdict { status } reports { name kind templateName flowName trailName buildUrl commitUrl
  repositoryUrl reportedBy reportedAt entryIndex commit { sha } annotations userData externalUrls { label }
  trail { name } verdict { status } attestations { name } } }"""
ASKED = "query ($fingerprint: Fingerprint!) { record { artifact(fingerprint: $fingerprint) { fingerprint } } }"


async def test_a_reported_artifact_comes_back_with_its_trail(house: House) -> None:
    await house.delivery()
    about = {
        "kind": "oci",
        "commitUrl": "https://example.com/c",
        "buildUrl": "https://example.com/b",
        "repositoryUrl": "https://example.com/r",
        "annotations": {"a": "1"},
        "userData": {"u": 2},
    }

    reported = await house.ada.done(
        "reportArtifact",
        f"fingerprint {SHOWN}",
        flow="delivery",
        trail="build-1",
        templateName="app",
        fingerprint=f"sha256:{FINGERPRINT}",
        name="app:1",
        externalUrls=[{"label": "registry", "url": "https://example.com"}],
        **about,
    )

    (report,) = reported["artifact"]["reports"]
    assert reported["receipt"]["kind"] == "artifact.reported"
    assert reported["fingerprint"] == reported["artifact"]["fingerprint"] == FINGERPRINT
    assert {name: report[name] for name in about} == about
    assert report["commit"] == {"sha": COMMIT}, "without a commit of its own it is the trail's"
    assert (report["trail"]["name"], report["reportedBy"]) == ("build-1", "ada")
    assert report["entryIndex"] == reported["receipt"]["index"]
    assert report["verdict"]["status"] == reported["artifact"]["verdict"]["status"] == "INCOMPLETE"


async def test_one_fingerprint_in_two_trails_is_one_artifact(house: House) -> None:
    await house.delivery("delivery", "build-1", "build-2")
    await house.artifact(trail="build-1")

    again = await house.ada.done(
        "reportArtifact",
        SHOWN,
        flow="delivery",
        trail="build-2",
        templateName="app",
        fingerprint=FINGERPRINT,
        name="renamed",
    )

    assert again["artifact"]["name"] == "renamed"
    assert [report["trailName"] for report in again["artifact"]["reports"]] == ["build-2", "build-1"]


async def test_a_prefix_finds_the_only_artifact_that_begins_so(house: House) -> None:
    await house.delivery()
    await house.artifact(fingerprint="ab" * 32)
    await house.artifact(fingerprint="ab" * 31 + "cd")
    await house.artifact(fingerprint="12" * 32)

    found = await house.ada.ask(ASKED, fingerprint="1212121")
    nothing = await house.ada.ask(ASKED, fingerprint="9999999")
    ambiguous = await house.ada.refused(ASKED, fingerprint="sha256:abababab")

    assert found["record"]["artifact"]["fingerprint"] == "12" * 32
    assert nothing["record"]["artifact"] is None
    assert ambiguous["extensions"]["code"] == "AMBIGUOUS"
    assert "ab" * 32 in ambiguous["message"]
    assert "ab" * 31 + "cd" in ambiguous["message"]


async def test_a_prefix_is_not_ambiguous_with_what_the_caller_may_not_see(house: House) -> None:
    await house.delivery("delivery")
    await house.delivery("secret")
    await house.artifact(fingerprint="ab" * 32)
    await house.artifact(flow="secret", fingerprint="ab" * 31 + "cd")
    bob = await house.hire("bob", Grant(Role.READER, flows=frozenset({"delivery"})))

    found = await bob.ask(ASKED, fingerprint="abababab")

    assert found["record"]["artifact"]["fingerprint"] == "ab" * 32


@pytest.mark.parametrize("fingerprint", ["abcdef", "xyz" * 10, "a" * 65, ""])
async def test_what_is_no_fingerprint_is_refused(house: House, fingerprint: str) -> None:
    refused = await house.ada.refused(ASKED, fingerprint=fingerprint)

    assert "fingerprint" in refused["message"]


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"flow": "nowhere"}, "NOT_FOUND"),
        ({"trail": "nothing"}, "NOT_FOUND"),
        ({"fingerprint": "abcdef0"}, "INVALID_INPUT"),
        ({"templateName": "a.b"}, "INVALID_INPUT"),
        ({"name": ""}, "INVALID_INPUT"),
        ({"name": "x" * 1_025}, "INVALID_INPUT"),
        ({"kind": "tarball"}, "INVALID_INPUT"),
        ({"buildUrl": "nope"}, "INVALID_INPUT"),
        ({"annotations": "text"}, "INVALID_INPUT"),
        ({"commit": {"sha": "g"}}, "INVALID_INPUT"),
    ],
)
async def test_an_artifact_that_may_not_be_is_refused(house: House, wish: dict[str, Any], code: str) -> None:
    await house.delivery()
    about = {"flow": "delivery", "trail": "build-1", "templateName": "app", "fingerprint": FINGERPRINT, "name": "app"}

    async with house.nothing_recorded():
        refused = await house.ada.do("reportArtifact", **{**about, **wish})

    assert refused["code"] == code, refused
    assert refused["message"].endswith(".")


async def test_a_reader_reports_nothing(house: House) -> None:
    await house.delivery()
    eve = await house.hire("eve", Role.READER)

    async with house.nothing_recorded():
        refused = await eve.do(
            "reportArtifact", flow="delivery", trail="build-1", templateName="app", fingerprint=FINGERPRINT, name="app"
        )

    assert refused["__typename"] == "NotAllowed"
