"""Archives of an environment, a control and an audit window: the population whole, and everything that it rests on."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from uuid import UUID

import pytest

from record.access.rules import Grant, Role
from record.approvals import service as approvals
from record.approvals.service import RequestApproval
from record.archives import changes, reach, service
from record.archives.rules import ArchiveKind, RequestArchive
from record.controls import service as controls
from record.controls.mappings import AttestationRequired, PolicyRequired
from record.controls.service import ImportControls, MapControl
from record.deployments import service as deployments
from record.deployments.service import ReportDeployment
from record.environments import service as environments
from record.environments.service import CreateEnvironment
from record.ids import ApprovalId, LedgerSize
from record.policies import service as policies
from record.policies.service import CreatePolicy
from record.refusals import InvalidInput, NotAllowed, NotFound
from record.waivers import service as waivers
from record.waivers.service import RequestWaiver
from tests.record.archives.asking import HOUR, entries, kinds, period, rows, snapshot, window
from tests.record.archives.harness import World
from tests.record.clocks import MovableClock
from tests.record.controls.catalogues import catalogue, control
from tests.record.environments.places import digest
from tests.record.judgements.court import Court
from tests.record.organizations import Organization

POLICY = "version: 1\nartifacts: {provenance: {required: true}}\n"


@pytest.fixture
async def world(world: World) -> World:
    """Two deliveries, one of them deployed to prod; something in prod and in staging that nobody reported; two mapped controls."""
    world = replace(world, caller=replace(world.caller, grants=(*world.caller.grants, Grant(Role.SNAPSHOTTER))))
    record, caller = world.record, world.caller
    await world.flow()
    for name in ("prod", "staging"):
        await environments.create(record, caller, CreateEnvironment(name, "k8s", grace_seconds=0))
    await policies.create(record, caller, CreatePolicy("known", POLICY))
    await policies.attach(record, caller, policy="known", environment="prod")
    good, bad = await world.delivery("build-1"), await world.delivery("build-2")
    await deployments.report(record, caller, ReportDeployment("prod", good))
    await deployments.report(record, caller, ReportDeployment("prod", digest(7), name="=HYPERLINK()"))
    await snapshot(world, "prod", good, digest(8))
    await snapshot(world, "staging", bad)
    stored = await world.store(catalogue(control("CC8.1", "Changes are <tested>"), control("CC6.1"), control("CC7.1")))
    await controls.import_controls(record, caller, ImportControls("soc2", stored, file_name="soc2.json"))
    for name, requirement in (
        ("CC8.1", AttestationRequired("unit-tests", "junit")),
        ("CC6.1", PolicyRequired("known")),
    ):
        await controls.map_control(record, caller, MapControl("soc2", name, [requirement]))
    return world


async def test_an_archive_of_a_window_lists_every_change_and_verifies(world: World, tmp_path: Path) -> None:
    made = await world.made(window(world), tmp_path / "a.zip")

    assert made.result.ok, made.result.faults
    told = rows(made, "population")
    assert [(each["kind"], each["environment"]) for each in told] == [
        ("DEPLOYMENT", "prod"), ("DEPLOYMENT", "prod"), ("SHADOW_CHANGE", "prod"), ("SHADOW_CHANGE", "staging"),
    ]  # fmt: skip
    assert {each["entry"] for each in told} <= set(entries(made))
    assert {each["proof"] for each in told} <= set(made.names)
    assert "results.csv" not in made.names


async def test_it_holds_the_trails_of_what_changed_with_their_evidence(world: World, tmp_path: Path) -> None:
    await world.delivery("build-3")
    await approvals.request(world.record, world.caller, RequestApproval("prod", digest(7), requested_for="eve"))
    made = await world.made(window(world), tmp_path / "a.zip")

    evidence = [name for name in made.names if name.startswith("evidence/")]
    assert "evidence/delivery/build-1/unit-tests/report.xml" in evidence
    assert not [name for name in evidence if "build-3" in name]
    assert {
        "deployment.reported",
        "snapshot.reported",
        "environment.created",
        "policy.created",
        "policy.attached",
        "approval.requested",
    } <= kinds(made)


async def test_with_a_framework_every_change_is_held_against_every_mapped_control(world: World, tmp_path: Path) -> None:
    made = await world.made(window(world, framework="soc2"), tmp_path / "a.zip")

    assert made.result.ok, made.result.faults
    results = rows(made, "results")
    assert len(results) == 2 * 4
    met = [(each["control"], each["environment"]) for each in results if each["met_when_deployed"]]
    assert met == [("CC8.1", "prod"), ("CC6.1", "prod")]
    assert all(set(each["entries"]) <= set(entries(made)) for each in results)
    assert {"framework.recorded", "control.mapped"} <= kinds(made)


async def test_the_file_that_the_framework_came_from_is_evidence_of_its_entry(world: World, tmp_path: Path) -> None:
    made = await world.made(window(world, framework="soc2"), tmp_path / "a.zip")

    path = "evidence/@frameworks/soc2@v1/soc2.json"
    assert b"CC8.1" in made.read(path)
    [filed] = [each for each in json.loads(made.read("manifest.json"))["evidence"] if each["path"] == path]
    assert entries(made)[filed["entry"]]["kind"] == "framework.recorded"


async def test_an_archive_of_a_control_holds_its_mapping_and_results(world: World, tmp_path: Path) -> None:
    since, until = period(world)
    wish = RequestArchive(ArchiveKind.CONTROL, framework="soc2", control="CC8.1", since=since, until=until)
    made = await world.made(wish, tmp_path / "a.zip")

    assert made.result.ok, made.result.faults
    assert {each["control"] for each in rows(made, "results")} == {"CC8.1"}
    mapped = [each["body"]["control"] for each in entries(made).values() if each["kind"] == "control.mapped"]
    assert mapped == ["CC8.1"]


async def test_a_control_of_one_environment_has_its_changes_as_population(world: World, tmp_path: Path) -> None:
    wish = MapControl("soc2", "CC7.1", [AttestationRequired("review")], ["staging"])
    await controls.map_control(world.record, world.caller, wish)
    since, until = period(world)
    asked = RequestArchive(ArchiveKind.CONTROL, framework="soc2", control="CC7.1", since=since, until=until)

    made = await world.made(asked, tmp_path / "a.zip")

    assert [each["environment"] for each in rows(made, "population")] == ["staging"]


async def test_a_control_that_is_mapped_to_nothing_is_archived_as_not_tested(world: World, tmp_path: Path) -> None:
    since, until = period(world)
    asked = RequestArchive(ArchiveKind.CONTROL, framework="soc2", control="CC7.1", since=since, until=until)

    made = await world.made(asked, tmp_path / "a.zip")

    assert (len(rows(made, "population")), rows(made, "results")) == (4, [])
    assert "Mapped to nothing, so it is not tested." in made.read("index.html").decode()


async def test_an_archive_of_an_environment_holds_what_ran_and_was_deployed_there(world: World, tmp_path: Path) -> None:
    since, until = period(world)
    wish = RequestArchive(ArchiveKind.ENVIRONMENT, environment="prod", since=since, until=until)
    made = await world.made(wish, tmp_path / "a.zip")

    assert made.result.ok, made.result.faults
    assert {each["environment"] for each in rows(made, "population")} == {"prod"}
    reported = [each["body"] for each in entries(made).values() if each["kind"] == "snapshot.reported"]
    assert [each["environment"] for each in reported] == ["prod"]
    assert {"policy.created", "policy.attached", "deployment.reported"} <= kinds(made)


async def test_an_archive_of_an_environment_holds_what_was_to_be_put_there_and_never_was(
    world: World, tmp_path: Path
) -> None:
    record, caller = world.record, world.caller

    async def requested(environment: str, number: int) -> ApprovalId:
        asked = await approvals.request(
            record, caller, RequestApproval(environment, digest(number), requested_for="eve")
        )
        return ApprovalId(UUID(asked.body["approval_id"]))

    before, untouched = await requested("prod", 90), await requested("prod", 91)
    since = world.record.clock.now()
    within, _elsewhere = await requested("prod", 92), await requested("staging", 93)
    for approval_id in (before, within):
        await approvals.withdraw(record, caller, approval_id)
    made = await world.made(
        RequestArchive(ArchiveKind.ENVIRONMENT, environment="prod", since=since), tmp_path / "a.zip"
    )

    told = [
        (each["kind"], each["body"]["approval_id"]) for each in entries(made).values() if "approval_id" in each["body"]
    ]
    assert made.result.ok, made.result.faults
    assert sorted(told) == sorted(
        (kind, str(approval_id))
        for approval_id in (before, within)
        for kind in ("approval.requested", "approval.withdrawn")
    )
    assert str(untouched) not in made.read("entries.jsonl").decode()


async def test_the_page_of_an_environment_tells_what_happened_there_and_its_drift(world: World, tmp_path: Path) -> None:
    record, caller = world.record, world.caller
    wish = RequestApproval("prod", digest(90), name="<never>", requested_for="eve")
    asked = await approvals.request(record, caller, wish)
    await approvals.withdraw(record, caller, ApprovalId(UUID(asked.body["approval_id"])), comment="Not needed.")
    ends = record.clock.now() + HOUR
    excused = RequestWaiver("prod", "It is known.", ends, fingerprint=digest(8), name="app-08", requested_for="eve")
    await waivers.request(record, caller, excused)
    await policies.detach(record, caller, policy="known", environment="prod")
    await policies.attach(record, caller, policy="known", environment="prod")
    court = Court(Organization(record, "acme", caller), caller, MovableClock())
    await court.judge()
    since, until = period(world)

    made = await world.made(
        RequestArchive(ArchiveKind.ENVIRONMENT, environment="prod", since=since, until=until), tmp_path / "a.zip"
    )
    page = made.read("index.html").decode()
    later = await world.made(
        RequestArchive(ArchiveKind.ENVIRONMENT, environment="prod", since=record.clock.now()), tmp_path / "b.zip"
    )

    assert made.result.ok, made.result.faults
    for sentence in (
        "Approval of &lt;never&gt; was requested.",
        "The request for &lt;never&gt; was withdrawn: Not needed.",
        "A waiver of app-08 was requested: It is known.",
        "The policy known was detached.",
        "=HYPERLINK() was reported as deployed.",
        "Snapshot 1: ",
        "Judged ",
        "app-08 ran, and within 0 minutes nobody reported that it was deployed here.",
        "<strong>known</strong> v1 on prod",
    ):
        assert sentence in page, sentence
    linked = {int(index) for index in re.findall(r'href="proofs/(\d+)\.tlog-proof"', page)}
    assert linked <= set(entries(made))
    assert "Nothing was recorded in the period." in later.read("index.html").decode()


async def test_of_an_environment_over_a_period_the_snapshots_begin_with_what_ran_before(
    world: World, tmp_path: Path
) -> None:
    for number in range(20, 26):
        await snapshot(world, "prod", digest(8), digest(number))
    begin = world.record.clock.now()
    await snapshot(world, "prod", digest(30))
    wish = RequestArchive(ArchiveKind.ENVIRONMENT, environment="prod", since=begin)

    made = await world.made(wish, tmp_path / "a.zip")

    numbers = [each["body"]["number"] for each in entries(made).values() if each["kind"] == "snapshot.reported"]
    assert numbers == list(range(1, 9)), "reading snapshot 7, which was in force, begins at 1"
    assert [each["sha256"] for each in rows(made, "population")] == [digest(30)]


async def test_a_logical_environment_is_archived_with_those_that_it_includes(world: World, tmp_path: Path) -> None:
    wish = CreateEnvironment("world", "logical", included=("prod", "staging"))
    await environments.create(world.record, world.caller, wish)

    made = await world.made(RequestArchive(ArchiveKind.ENVIRONMENT, environment="world"), tmp_path / "a.zip")

    assert {each["environment"] for each in rows(made, "population")} == {"prod", "staging"}


async def test_an_archive_of_an_artifact_says_where_it_was_deployed_and_ran(world: World, tmp_path: Path) -> None:
    fingerprint = await world.delivery("build-9")
    await deployments.report(world.record, world.caller, ReportDeployment("staging", fingerprint))
    await snapshot(world, "staging", fingerprint)

    made = await world.made(RequestArchive(ArchiveKind.ARTIFACT, fingerprint=fingerprint), tmp_path / "a.zip")

    assert made.result.ok, made.result.faults
    assert {"deployment.reported", "snapshot.reported", "environment.created"} <= kinds(made)


async def test_the_same_question_at_the_same_size_gives_the_same_bytes(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = LedgerSize((await world.record.ledger.head(world.caller.org_id)).size)
    wish = window(world, framework="soc2", size=size)
    one = await world.made(wish, tmp_path / "1.zip")
    await deployments.report(world.record, world.caller, ReportDeployment("prod", digest(9)))
    monkeypatch.setattr(reach, "CHANGES_A_PAGE", 1)

    other = await world.made(wish, tmp_path / "2.zip")

    assert other.data == one.data


async def test_the_page_says_the_population_and_escapes_what_others_chose(world: World, tmp_path: Path) -> None:
    made = await world.made(window(world, framework="soc2"), tmp_path / "a.zip")
    page = made.read("index.html").decode()

    assert "4: 2 reported deployments, 2 that nobody reported" in page
    assert "Changes are &lt;tested&gt;" in page
    assert "Nobody has attested" in page or "was not reported in any flow" in page
    assert "population.csv" in made.read("README.txt").decode()


async def test_long_lists_are_cut_in_the_page_and_whole_in_the_files(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "ROWS_SHOWN", 1)
    made = await world.made(window(world, framework="soc2"), tmp_path / "a.zip")
    page = made.read("index.html").decode()

    assert "These are the first of 4; population.csv has all." in page
    assert "results.csv has all." in page
    assert len(rows(made, "population")) == 4


async def test_a_cell_that_a_spreadsheet_would_run_is_a_text(world: World, tmp_path: Path) -> None:
    made = await world.made(window(world), tmp_path / "a.zip")

    assert "'=HYPERLINK()" in made.read("population.csv").decode()
    assert "=HYPERLINK()" in {each["artifact"] for each in rows(made, "population")}


async def test_a_window_without_changes_says_so(world: World, tmp_path: Path) -> None:
    until = world.record.clock.now() - HOUR
    wish = RequestArchive(ArchiveKind.WINDOW, since=until - HOUR, until=until, framework="soc2")

    made = await world.made(wish, tmp_path / "a.zip")

    assert made.result.ok, made.result.faults
    assert rows(made, "population") == []
    assert made.read("index.html").decode().count("There is none.") >= 2


@pytest.mark.parametrize(
    ("wish", "refusal", "said"),
    [
        (lambda since, until: RequestArchive(ArchiveKind.ENVIRONMENT), InvalidInput, "needs an environment"),
        (lambda since, until: RequestArchive(ArchiveKind.WINDOW, since=since), InvalidInput, "needs an until"),
        (
            lambda since, until: RequestArchive(ArchiveKind.WINDOW, since=since, until=until, flow="delivery"),
            InvalidInput,
            "knows no flow",
        ),
        (
            lambda since, until: RequestArchive(ArchiveKind.WINDOW, since=until, until=since),
            InvalidInput,
            "before it begins",
        ),
        (
            lambda since, until: RequestArchive(ArchiveKind.WINDOW, since=since, until=until, framework="iso"),
            NotFound,
            "no framework called iso",
        ),
        (
            lambda since, until: RequestArchive(
                ArchiveKind.CONTROL, since=since, until=until, framework="soc2", control="CC9.9"
            ),
            NotFound,
            "no control CC9.9",
        ),
        (
            lambda since, until: RequestArchive(ArchiveKind.ENVIRONMENT, environment="gone"),
            NotFound,
            "no environment called gone",
        ),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(
    world: World, wish: Callable[[datetime, datetime], RequestArchive], refusal: type[Exception], said: str
) -> None:
    size = (await world.record.ledger.head(world.caller.org_id)).size

    with pytest.raises(refusal, match=said):
        await service.request(world.record, world.caller, wish(*period(world)))

    assert (await world.record.ledger.head(world.caller.org_id)).size == size


async def test_a_role_that_is_narrowed_to_a_flow_may_not_ask(world: World) -> None:
    narrow = replace(world.caller, grants=(Grant(Role.AUDITOR, flows=frozenset({"delivery"})),))

    with pytest.raises(NotAllowed):
        await service.request(world.record, narrow, window(world))
