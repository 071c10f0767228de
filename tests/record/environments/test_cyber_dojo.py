"""A real organization's environments: its snapshots reported as they were, its differences found as its files say."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from record.artifacts import service as artifacts
from record.artifacts.service import ReportArtifact
from record.clock import to_rfc3339
from record.details import Commit
from record.environments.members import Reported
from record.environments.rules import Running, difference
from record.trails import service as trails
from record.trails.service import BeginTrail
from tests.record.environments.places import Place
from tests.record.organizations import Organization

CORPUS = Path(__file__).resolve().parents[4] / "shared" / "corpus" / "cyber-dojo"
SNAPSHOTS = CORPUS / "snapshots"
DIFFERENCES = sorted(SNAPSHOTS.glob("diff-*.json"))

pytestmark = pytest.mark.skipif(
    not DIFFERENCES, reason=f"NOT TESTED AGAINST REAL SNAPSHOTS: there are none at {SNAPSHOTS}"
)

Listed = list[dict[str, Any]]


def reported(listed: Listed) -> list[Reported]:
    return [
        Reported(
            each["fingerprint"],
            each["name"],
            each["instance_count"],
            [to_rfc3339(datetime.fromtimestamp(each["most_recent_timestamp"], UTC))],
            {"service": each["flow"]},
        )
        for each in listed
    ]


def instances(listed: Listed) -> dict[str, int]:
    """Instances by fingerprint: where the file lists an image twice (blue and green), all of them."""
    counted: dict[str, int] = {}
    for each in listed:
        counted[each["fingerprint"]] = counted.get(each["fingerprint"], 0) + each["instance_count"]
    return counted


def counts(running: tuple[Running, ...] | list[Running]) -> dict[str, int]:
    return {each.member.fingerprint: each.member.instances for each in running}


async def known_to_flows(acme: Organization, place: Place, listed: Listed) -> None:
    """Reports each artifact into a trail of its flow, named after its commit."""
    flows = set()
    for each in {one["fingerprint"]: one for one in listed}.values():
        commit = each["commit_url"].rsplit("/", 1)[1]
        if each["flow"] not in flows:
            flows.add(each["flow"])
            await acme.flow(place.caller, each["flow"])
        await trails.begin(acme.record, place.caller, BeginTrail(each["flow"], commit, commit=Commit(commit)))
        wish = ReportArtifact(
            each["flow"], commit, "image", each["fingerprint"], each["name"], "docker", commit_url=each["commit_url"]
        )
        await artifacts.report(acme.record, place.caller, wish)


@pytest.mark.parametrize("path", DIFFERENCES, ids=lambda path: path.stem)
async def test_two_real_environments_differ_as_the_file_says(acme: Organization, path: Path) -> None:
    said = json.loads(path.read_text())
    first_only, second_only = said["snappish1"]["artifacts"], said["snappish2"]["artifacts"]
    both, changed = said["not-changed"]["artifacts"], said["changed"]["artifacts"]
    beta = await Place.make(acme, said["snappish1"]["snapshot_id"].partition("#")[0], "ecs")
    prod = await Place.make(acme, said["snappish2"]["snapshot_id"].partition("#")[0], "ecs")
    await known_to_flows(acme, beta, [*first_only, *second_only, *both])

    for place, own in ((beta, first_only), (prod, second_only)):
        outcome = await place.report(*reported([*own, *both]))
        assert (outcome.number, outcome.refused) == (1, ())
        assert counts(await place.running()) == instances([*own, *both])
    found = difference(await beta.running(), await prod.running())

    assert counts(found.only_first) == instances(first_only)
    assert counts(found.only_second) == instances(second_only)
    assert [each.member.fingerprint for each, _ in found.scaled] == [each["fingerprint"] for each in changed]
    assert counts([one for one, _ in found.same]) == instances(both)
    flows = {each["fingerprint"]: (each["flow"],) for each in [*first_only, *both]}
    assert {each.member.fingerprint: each.member.flows for each in await beta.running()} == flows


async def test_a_promotion_is_snapshots_of_one_environment_one_after_the_other(acme: Organization) -> None:
    """Beta's images reach production: what production runs then is what beta ran, and each change was an event."""
    said = json.loads((SNAPSHOTS / "diff-4.json").read_text())
    before = [*said["snappish2"]["artifacts"], *said["not-changed"]["artifacts"]]
    after = [*said["snappish1"]["artifacts"], *said["not-changed"]["artifacts"]]
    prod = await Place.make(acme, "aws-prod", "ecs")
    await prod.report(*reported(before))
    assert not (await prod.report(*reported(before[::-1]))).is_new

    promoted = await prod.report(*reported(after))

    assert promoted.number == 2
    happened = {(event.kind, event.fingerprint) for event in await prod.events() if event.number == 2}
    assert happened == {
        *(("stopped", each["fingerprint"]) for each in said["snappish2"]["artifacts"]),
        *(("started", each["fingerprint"]) for each in said["snappish1"]["artifacts"]),
    }
    assert counts(await prod.at_number(1)) == instances(before)
    assert counts(await prod.at_number(2)) == instances(after)


@pytest.mark.parametrize("name", ["github-artifact", "gitlab-artifact", "build-flow-non-ci-name", "exited-artifact"])
async def test_single_real_snapshots_are_taken(acme: Organization, name: str) -> None:
    said = json.loads((SNAPSHOTS / f"{name}.json").read_text())
    running = [each for each in said["artifacts"] if each["annotation"]["type"] != "exited"]
    exited = [each for each in said["artifacts"] if each["annotation"]["type"] == "exited"]
    place = await Place.make(acme, said["html_url"].split("/")[-3], "ecs")
    if exited:
        await place.report(*(Reported(each["fingerprint"], each["name"]) for each in said["artifacts"]))
    await place.report(*(Reported(each["fingerprint"], each["name"]) for each in running))

    assert [each.member.fingerprint for each in await place.running()] == [each["fingerprint"] for each in running]
    stopped = [event.fingerprint for event in await place.events() if event.kind == "stopped"]
    assert stopped == [each["fingerprint"] for each in exited]
